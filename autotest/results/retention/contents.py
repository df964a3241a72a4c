"""Contents: what a results folder holds, looked at without following any link."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from autotest import errors
from autotest.job_file import JOB_FILE

_LOCK = re.compile(r"\.parse\..*\.lock", re.DOTALL)
_UNSOUND = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
#: archives/tree.py takes a thousand characters.
_LONGEST_NAME = 900


class Entry(NamedTuple):
    """One folder or regular file; *parts* lead to it from the top."""

    parts: tuple[str, ...]
    is_folder: bool
    size: int
    modified_ns: int

    @property
    def name(self) -> str:
        """The name that an archive can hold and give back. One that is no text, or too long, is replaced by one that
        tells its first characters and a hash."""
        name = "/".join(self.parts)
        if len(name) <= _LONGEST_NAME and not _UNSOUND.search(name) and "" not in self.parts:
            return name
        digest = hashlib.sha256(os.fsencode(name)).hexdigest()
        return f"renamed/{digest[:32]}-{_UNSOUND.sub('_', self.parts[-1])[:50]}"


class Contents(NamedTuple):
    """The sum of a folder: bytes as files hold them and as the disk does, entries, what is left out (links, devices,
    locks, job.json), and a hash of all names, sizes and times."""

    bytes: int
    on_disk: int
    entries: int
    left_out: int
    listing: str


def of(folder: Path) -> Contents:
    """Look at *folder*. Raises BadResultsFolder when it, or anything in it, cannot be looked at."""
    size = on_disk = count = left_out = 0
    listing = hashlib.sha256()
    for entry, info in _walk(folder):
        on_disk += info.st_blocks * 512
        if entry is None:
            left_out += 1
            continue
        count += 1
        size += entry.size
        line = f"{entry.is_folder}\0{entry.size}\0{0 if entry.is_folder else entry.modified_ns}\0"
        listing.update(line.encode() + os.fsencode("/".join(entry.parts)) + b"\n")
    return Contents(size, on_disk, count, left_out, listing.hexdigest())


def on_disk(folder: Path) -> int:
    """The bytes that everything below *folder* takes on the disk, while others write and remove there."""
    total = 0
    for _, folders, files, descriptor in os.fwalk(folder, follow_symlinks=False):
        for name in (*folders, *files):
            with contextlib.suppress(OSError):
                total += os.stat(name, dir_fd=descriptor, follow_symlinks=False).st_blocks * 512
    return total


def entries(folder: Path) -> Iterator[Entry]:
    """The folders and regular files below *folder*, sorted; job.json, which says how to reach the hosts, and locks are
    left out. Raises BadResultsFolder."""
    for entry, _ in _walk(folder):
        if entry is not None:
            yield entry


def open_file(folder: Path, entry: Entry) -> int:
    """A descriptor of a file of *folder*; nothing on the way is followed. Raises BadResultsFolder."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        descriptor = os.open(folder, flags | os.O_DIRECTORY)
        for number, part in enumerate(entry.parts, 1):
            outer = descriptor
            kind = os.O_NONBLOCK if number == len(entry.parts) else os.O_DIRECTORY
            try:
                descriptor = os.open(part, flags | kind, dir_fd=outer)
            finally:
                os.close(outer)
    except OSError as problem:
        raise _bad(folder, problem) from problem
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise errors.BadResultsFolder(f"{folder}: {'/'.join(entry.parts)!a} is no file any more; left as it is")
    return descriptor


def _walk(folder: Path) -> Iterator[tuple[Entry | None, os.stat_result]]:
    """Every entry, parents first; None for what is left out."""
    if folder.is_symlink():
        raise errors.BadResultsFolder(f"{folder} is a symbolic link; nothing behind it is touched")

    def fail(problem: OSError) -> None:
        raise _bad(folder, problem)

    depth = len(os.fspath(folder))
    try:
        for place, folders, files, descriptor in os.fwalk(folder, onerror=fail, follow_symlinks=False):
            folders.sort()
            above = tuple(part for part in place[depth:].split("/") if part)
            for name in sorted([*folders, *files]):
                info = os.stat(name, dir_fd=descriptor, follow_symlinks=False)
                is_folder = stat.S_ISDIR(info.st_mode)
                kept = is_folder or (stat.S_ISREG(info.st_mode) and name != JOB_FILE and not _LOCK.fullmatch(name))
                size = 0 if is_folder else info.st_size
                yield Entry((*above, name), is_folder, size, info.st_mtime_ns) if kept else None, info
    except OSError as problem:
        raise _bad(folder, problem) from problem


def _bad(folder: Path, problem: OSError) -> errors.BadResultsFolder:
    return errors.BadResultsFolder(f"{folder} cannot be read: {problem.strerror}; left as it is")
