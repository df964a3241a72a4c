"""Object stores (gs://, s3://, abfs:// ...) through fsspec."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import fsspec

from autotest import errors
from autotest.devserver.sources.base import Found, Source

_PIECE = 4 << 20


class StoreSource(Source):
    """Objects of the stores of one *scheme*. Raises ConfigError when the driver of that scheme is not installed."""

    def __init__(self, scheme: str):
        try:
            self._files: Any = fsspec.filesystem(scheme)
        except (ImportError, ValueError) as problem:
            raise errors.ConfigError(f"sources: {scheme}:// cannot be read: {problem}") from problem

    def find(self, url: str) -> Found | None:
        """See :meth:`Source.find`."""
        try:
            # An answer that was kept would be an object that may be gone.
            self._files.invalidate_cache()
            facts = self._files.info(url)
        except FileNotFoundError:
            return None
        except Exception as problem:
            raise _failed(url, problem) from problem
        if facts.get("type") != "file":
            return None
        named = [facts.get(key) for key in ("generation", "ETag", "etag", "md5Hash", "created", "LastModified")]
        return Found(facts.get("size"), "-".join(str(value) for value in named if value))

    @contextlib.contextmanager
    def opened(self, url: str, start: int, found: Found) -> Iterator[tuple[int, Iterator[bytes]]]:
        """See :meth:`Source.opened`."""
        begin = start if found.validator and self.find(url) == found else 0
        try:
            file = self._files.open(url, "rb", block_size=_PIECE)
        except Exception as problem:
            raise _failed(url, problem) from problem
        with file:
            yield begin, _pieces(url, file, begin)

    def names(self, url: str) -> list[str]:
        """See :meth:`Source.names`."""
        try:
            return sorted(name.rstrip("/").rpartition("/")[2] for name in self._files.ls(url, detail=False))
        except FileNotFoundError:
            return []
        except Exception as problem:
            raise _failed(url, problem) from problem


def _pieces(url: str, file: Any, begin: int) -> Iterator[bytes]:
    try:
        file.seek(begin)
        while piece := file.read(_PIECE):
            yield piece
    except Exception as problem:
        raise _failed(url, problem) from problem


def _failed(url: str, problem: Exception) -> errors.HttpFailed:
    # The drivers have no exception in common.
    return errors.HttpFailed(f"{url}: {type(problem).__name__}: {problem}")
