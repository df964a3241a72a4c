"""A results folder that never leads outside itself: it was filled by a machine that nobody trusts."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from autotest import errors
from autotest.client import exit_file

#: No keyval, host or pid file of an honest job comes near this size (bytes).
LARGEST_FILE = 16 * 1024 * 1024

_LOGS = (b"status.log", b"status")
_MOST_ODDITIES = 200

# A read takes memory for all that it may get.
_CHUNK = 1 << 16
_PIECE = 1 << 18


class Oddities:
    """Findings, one line each; after the first two hundred only their number is kept."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._more = 0

    def note(self, line: str) -> None:
        if len(self._lines) < _MOST_ODDITIES:
            self._lines.append(line)
        else:
            self._more += 1

    def lines(self) -> tuple[str, ...]:
        """All findings, in order."""
        return (*self._lines, f"and {self._more} more") if self._more else tuple(self._lines)


class ResultsFolder:
    """The folder to parse, and the *top* folder of its job: the nearest one upwards that holds .autoserv_execute.

    Everything is looked up by bytes, since names come from status logs. A path that leaves the top folder (by ``..``,
    by a leading slash, by a symlink) is noted and counts as absent, as does whatever is no regular file.
    """

    def __init__(self, path: Path, oddities: Oddities, watch: Callable[[int], None] | None = None):
        """*watch* is told of each piece of the status log that was read, in bytes.

        Raises BadResultsFolder if *path* is not a folder that can be listed.
        """
        self.path = os.fsencode(os.path.realpath(path))
        try:
            self._entries = frozenset(os.listdir(self.path))
        except OSError as problem:
            raise errors.BadResultsFolder(f"{path} is not a readable results folder: {problem.strerror}") from problem
        self.top = _top_of(self.path)
        self._bounds = self.top or self.path
        self._oddities = oddities
        self._watch = watch

    @property
    def log_name(self) -> bytes | None:
        """The status log: the server's, else the copy of the client's; None without one."""
        return next((name for name in _LOGS if name in self._entries), None)

    def log_pieces(self, note: Callable[[str], None]) -> Iterator[bytes]:
        """The status log in pieces of a quarter of a megabyte. That it cannot be read to its end is told to *note*."""
        with self.open(self.log_name or _LOGS[0]) as stream:
            try:
                while stream is not None and (piece := stream.read(_PIECE)):
                    yield piece
                    if self._watch is not None:
                        self._watch(len(piece))
            except OSError as problem:
                note(f"the log cannot be read to its end: {problem.strerror}")

    def may_have(self, subdir: bytes) -> bool:
        """Whether *subdir* can exist: asked for every test of a log, and most have no folder."""
        return subdir.partition(b"/")[0] in self._entries or subdir[:1] in (b".", b"/")

    def has_folder(self, relative: bytes) -> bool:
        """Whether there is a folder at *relative*, a few levels below the parsed one."""
        return os.path.isdir(os.path.join(self.path, relative))

    def names(self) -> list[bytes]:
        """What lies directly in the parsed folder, sorted."""
        return sorted(self._entries)

    def way_up(self) -> list[bytes]:
        """The parsed folder and its parents up to the top folder; without a top folder only itself."""
        folders = [self.path]
        while self.top is not None and folders[-1] != self.top:
            folders.append(os.path.dirname(folders[-1]))
        return folders

    @contextlib.contextmanager
    def open(self, relative: bytes, base: bytes | None = None) -> Iterator[BinaryIO | None]:
        """The regular file *relative* to *base* (the parsed folder if not given), or None where there is none."""
        handle = self._descriptor(os.path.join(base or self.path, relative))
        if handle is None:
            yield None
            return
        with os.fdopen(handle, "rb", buffering=0) as stream:
            yield stream

    def read(self, relative: bytes, base: bytes | None = None) -> bytes | None:
        """The first 16 MiB of a file, or None where there is none."""
        with self.open(relative, base) as stream:
            if stream is None:
                return None
            try:
                content = _read_up_to(stream, LARGEST_FILE + 1)
            except OSError as problem:
                self._oddities.note(f"{_shown(relative)} cannot be read: {problem.strerror}")
                return None
        if len(content) > LARGEST_FILE:
            self._oddities.note(f"{_shown(relative)} is larger than {LARGEST_FILE} bytes; the rest is not read")
        return content[:LARGEST_FILE]

    def _descriptor(self, path: bytes) -> int | None:
        try:
            # Half of what is asked for is not there, and the real path costs a look at every folder above.
            os.lstat(path)
            real = os.path.realpath(path)
            if real != self._bounds and not real.startswith(self._bounds.rstrip(b"/") + b"/"):
                self._oddities.note(f"{_shown(path)} leads outside the results folder; not followed")
                return None
            handle = os.open(real, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as problem:
            self._oddities.note(f"{_shown(path)} cannot be opened: {problem}")
            return None
        if stat.S_ISREG(os.fstat(handle).st_mode):
            return handle
        os.close(handle)
        self._oddities.note(f"{_shown(path)} is no regular file; not read")
        return None


def _top_of(path: bytes) -> bytes | None:
    folder = path
    while not os.path.lexists(os.path.join(folder, os.fsencode(exit_file.NAME))):
        parent = os.path.dirname(folder)
        if parent == folder:
            return None
        folder = parent
    return folder


def _read_up_to(stream: BinaryIO, limit: int) -> bytes:
    parts, left = [], limit
    while left > 0:
        part = stream.read(min(left, _CHUNK))
        if not part:
            break
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def _shown(path: bytes) -> str:
    return ascii(os.fsdecode(path[-200:]))[1:-1]
