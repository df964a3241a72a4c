"""Tree: what an archive becomes in an empty folder; no member leaves it, passes a link, or outgrows the limits."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from autotest import errors

_GIB = 1 << 30
# Below this an archive may be as dense as it likes: a few zeros are no attack.
_RATIO_MATTERS_FROM = 64 << 20
_LONGEST_NAME = 1000
_NO_TEXT = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
_LONGEST_TARGET = 1000

Kind = Literal["folder", "file", "link"]


class Limits(NamedTuple):
    """How much an archive may become: bytes and members in all, and bytes for each byte of the archive."""

    bytes: int = 64 * _GIB
    members: int = 500_000
    ratio: float = 200.0


class Unpacked(NamedTuple):
    """What came out of an archive."""

    bytes: int
    members: int


def no_questions(total: int) -> None:
    """The ``room`` of those who keep no account of the disk."""


class Tree:
    """The folder *root*, empty and nobody else's, as it fills.

    *archive_bytes* is the size of the archive, for the ratio. *room* is told the total before each file is written and
    raises when there is no place for it.
    """

    def __init__(self, root: Path, archive_bytes: int, limits: Limits, room: Callable[[int], None] = no_questions):
        self._root = str(root)
        self._limits = limits
        self._most = min(limits.bytes, max(_RATIO_MATTERS_FROM, int(limits.ratio * archive_bytes)))
        self._room = room
        self._bytes = 0
        self._members = 0
        self._kinds: dict[str, Kind] = {}
        self._targets: dict[str, tuple[str, str]] = {}

    def folder(self, member: str) -> None:
        """A folder; one that is there already stays."""
        path = self._enter(member, "folder")
        if path:
            self._make_folder(member, path)

    @contextlib.contextmanager
    def file(self, member: str, size: int, executable: bool = False) -> Iterator[int]:
        """A new file for *size* bytes: the block writes into the descriptor. A file of that name is replaced."""
        path = self._enter(member, "file")
        if not path:
            raise refused(member, "is a file without a name")
        self._claim(member, size)
        place = f"{self._root}/{path}"
        with _named(member):
            if path in self._kinds:
                os.unlink(place)
            self._kinds[path] = "file"
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(place, flags, 0o755 if executable else 0o644)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def hard_link(self, member: str, target: str) -> None:
        """A second name for a file that came before."""
        path = self._enter(member, "file")
        other = "/".join(_parts(member, target))
        if self._kinds.get(other) != "file" or other == path:
            raise refused(member, f"is a hard link to {_shown(target)}, which is no file that came before it")
        with _named(member):
            if path in self._kinds:
                os.unlink(f"{self._root}/{path}")
            self._kinds[path] = "file"
            os.link(f"{self._root}/{other}", f"{self._root}/{path}", follow_symlinks=False)

    def link(self, member: str, target: str) -> None:
        """A symbolic link that stays inside; it is made at the end, so that nothing is ever written through it."""
        path = self._enter(member, "link")
        if not path:
            raise refused(member, "is a link without a name")
        if not 0 < len(target) <= _LONGEST_TARGET or "\0" in target or not _is_text(target):
            raise refused(member, "is a link to something that is no path")
        steps = target.split("/")
        ups = next((at for at, step in enumerate(steps) if step not in ("..", ".")), len(steps))
        # A '..' after a name may lead through another link, and then nobody knows whose parent it is.
        if target.startswith("/") or ".." in steps[ups:] or steps.count("..") > path.count("/"):
            raise refused(member, f"is a link out of the archive, to {_shown(target)}")
        self._kinds[path] = "link"
        self._targets[path] = (member, target)

    def finish(self) -> Unpacked:
        """Make the links."""
        for path, (member, target) in self._targets.items():
            with _named(member):
                os.symlink(target, f"{self._root}/{path}")
        return Unpacked(self._bytes, self._members)

    def _enter(self, member: str, kind: Kind) -> str:
        """The path of *member* below the root, with its folders made; '' for the root itself."""
        self._members += 1
        if self._members > self._limits.members:
            raise refused(member, f"is one more than the {self._limits.members:,} members that are allowed")
        parts = _parts(member, member)
        path = "/".join(parts)
        before = self._kinds.get(path)
        if before is not None and before != kind:
            raise refused(member, f"was a {before} before and is a {kind} now")
        parent = "/".join(parts[:-1])
        if parent and self._kinds.get(parent) != "folder":
            for depth in range(1, len(parts)):
                self._make_folder(member, "/".join(parts[:depth]))
        return path

    def _make_folder(self, member: str, path: str) -> None:
        kind = self._kinds.get(path)
        if kind is None:
            with _named(member):
                os.mkdir(f"{self._root}/{path}", 0o755)
            self._kinds[path] = "folder"
        elif kind != "folder":
            raise refused(member, f"lies below {_shown(path)}, which is a {kind}")

    def _claim(self, member: str, size: int) -> None:
        if size < 0:
            raise refused(member, f"claims {size} bytes")
        self._bytes += size
        if self._bytes > self._most:
            raise refused(
                member,
                f"brings the archive to {self._bytes:,} bytes; {self._most:,} are allowed "
                f"({self._limits.bytes:,} in all, {self._limits.ratio:g} for each byte of the archive)",
            )
        self._room(self._bytes)


def refused(member: str, fact: str) -> errors.ArchiveRefused:
    """The refusal that names *member*."""
    return errors.ArchiveRefused(f"{_shown(member)} {fact}")


def flush(folder: Path) -> None:
    """Put on the disk what was written to the file system of *folder*. Raises OSError."""
    # One call: an fsync for each of thousands of small files takes longer than writing them.
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if ctypes.CDLL(None, use_errno=True).syncfs(descriptor) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), str(folder))
    finally:
        os.close(descriptor)


def _parts(member: str, name: str) -> list[str]:
    if name.startswith("/"):
        raise refused(member, "has an absolute name" if name == member else f"leads to {_shown(name)}")
    if len(name) > _LONGEST_NAME or not _is_text(name):
        raise refused(member, "has a name that is too long, not UTF-8, or holds control characters")
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise refused(member, "leads out of the archive" if name == member else f"leads to {_shown(name)}")
    if any(len(part.encode()) > 255 for part in parts):
        raise refused(member, "has a name of more than 255 bytes")
    return parts


def _is_text(name: str) -> bool:
    return _NO_TEXT.search(name) is None


def _shown(name: str) -> str:
    return ascii(name if len(name) <= 200 else name[:200] + "...")


@contextlib.contextmanager
def _named(member: str) -> Iterator[None]:
    """A name that the file system does not take is the member's fault; a full disk is not."""
    try:
        yield
    except OSError as problem:
        if problem.errno in (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS):
            raise
        raise refused(member, f"cannot be made: {problem.strerror}") from problem
