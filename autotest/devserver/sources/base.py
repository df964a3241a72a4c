"""Source: what every kind of address offers. To add one, copy store.py and name it in chosen.py."""

from __future__ import annotations

import abc
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

from autotest import errors


class Found(NamedTuple):
    """A file that is there: its size in bytes, and a text that changes when its content does; '' if none is known."""

    size: int | None
    validator: str


class Source(abc.ABC):
    """Reads files by address. Every call raises HttpFailed with the fact when the place does not answer."""

    @abc.abstractmethod
    def find(self, url: str) -> Found | None:
        """The file at *url*, None when there is none."""

    @abc.abstractmethod
    def opened(self, url: str, start: int, found: Found) -> AbstractContextManager[tuple[int, Iterator[bytes]]]:
        """The bytes from *start* on, with the position that they really begin at: 0 when the content is not *found*
        any more, or the place cannot begin elsewhere.
        """

    @abc.abstractmethod
    def names(self, url: str) -> list[str]:
        """The names directly below the folder *url*; [] when there is none, or the place does not tell."""

    def local(self, url: str) -> Path | None:
        """The file itself where it needs no download. Raises ValidationError when it leads out of the sources."""
        return None

    def read(self, url: str, limit: int) -> bytes | None:
        """A small file, None when there is none. Raises HttpFailed for more than *limit* bytes."""
        found = self.find(url)
        if found is None:
            return None
        with self.opened(url, 0, found) as (_, pieces):
            return _joined(url, pieces, limit)


def _joined(url: str, pieces: Iterator[bytes], limit: int) -> bytes:
    body = bytearray()
    for piece in pieces:
        body += piece
        if len(body) > limit:
            raise errors.HttpFailed(f"{url}: more than {limit:,} bytes")
    return bytes(body)
