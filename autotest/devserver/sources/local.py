"""file:// addresses: files of this machine, read in place; links may not lead out of the sources."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from autotest import errors
from autotest.devserver import allowed
from autotest.devserver.sources.base import Found, Source

_PIECE = 1 << 20


class LocalSource(Source):
    """Files below the file:// addresses among *sources*."""

    def __init__(self, sources: Sequence[str]):
        self._roots = [Path(allowed.path_of(source)) for source in sources if source.startswith("file://")]

    def find(self, url: str) -> Found | None:
        """See :meth:`Source.find`."""
        path = self.local(url)
        if path is None:
            return None
        facts = path.stat()
        return Found(facts.st_size, f"{facts.st_ino}-{facts.st_mtime_ns}-{facts.st_size}")

    def local(self, url: str) -> Path | None:
        """See :meth:`Source.local`."""
        path = Path(allowed.path_of(url))
        try:
            real = path.resolve(strict=True)
            if not stat.S_ISREG(real.stat().st_mode):
                return None
        except (OSError, RuntimeError):
            return None
        if not any(real.is_relative_to(root.resolve()) for root in self._roots):
            raise errors.ValidationError({"archive_url": f"{url} is a link that leads out of this server's sources"})
        return real

    @contextlib.contextmanager
    def opened(self, url: str, start: int, found: Found) -> Iterator[tuple[int, Iterator[bytes]]]:
        """See :meth:`Source.opened`."""
        path = self.local(url)
        if path is None:
            raise errors.HttpFailed(f"{url} is gone")
        try:
            # A pipe that took its place meanwhile must not stop us.
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            with open(descriptor, "rb") as file:
                file.seek(start)
                yield start, iter(lambda: file.read(_PIECE), b"")
        except OSError as problem:
            raise errors.HttpFailed(f"{url} cannot be read: {problem.strerror}") from problem

    def names(self, url: str) -> list[str]:
        """See :meth:`Source.names`."""
        try:
            return sorted(os.listdir(allowed.path_of(url)))
        except OSError:
            return []
