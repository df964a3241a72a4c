"""Results files: opens what lies below the results root and nothing else, whatever the path says."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from autotest import errors
from autotest.job_file import JOB_FILE

#: Of a larger folder only so many names are shown.
MOST_NAMES = 1_000
_PROBE = 8192
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Found(NamedTuple):
    """One name in a folder; *size* in bytes, *modified* in seconds since 1970."""

    name: str
    is_folder: bool
    size: int
    modified: float


def open_below(root: Path, path: str) -> int:
    """Open the regular file or folder *path* below *root*; the caller closes it.

    Raises NotFound for anything else: a path that leaves the root, a symbolic link on the way, a device, and job.json,
    which says how to reach the hosts.
    """
    parts = path.split("/")
    if any(part in ("", ".", "..") or "\0" in part for part in parts) or parts[-1] == JOB_FILE:
        raise errors.NotFound(f"{path!r} is not served")
    try:
        descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        for part in parts:
            outer, descriptor = descriptor, _step(descriptor, part)
            os.close(outer)
    except OSError as problem:
        raise errors.NotFound(f"{path!r} is not there: {problem.strerror}") from problem
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        os.close(descriptor)
        raise errors.NotFound(f"{path!r} is neither a file nor a folder")
    return descriptor


def is_folder(descriptor: int) -> bool:
    """Whether an open descriptor is a folder."""
    return stat.S_ISDIR(os.fstat(descriptor).st_mode)


def is_text(descriptor: int) -> bool:
    """Whether the beginning of a file looks like text."""
    return b"\0" not in os.pread(descriptor, _PROBE, 0)


def names(descriptor: int) -> tuple[list[Found], bool]:
    """What an open folder holds that is served, folders first, and whether there is more than MOST_NAMES."""
    found: list[Found] = []
    with os.scandir(descriptor) as entries:
        for entry in entries:
            if len(found) == MOST_NAMES:
                return _sorted(found), True
            with contextlib.suppress(OSError, UnicodeEncodeError):
                entry.name.encode("utf-8")
                info = entry.stat(follow_symlinks=False)
                if entry.name != JOB_FILE and (stat.S_ISREG(info.st_mode) or stat.S_ISDIR(info.st_mode)):
                    found.append(Found(entry.name, stat.S_ISDIR(info.st_mode), info.st_size, info.st_mtime))
    return _sorted(found), False


def folders_there(root: Path, paths: Iterable[str]) -> frozenset[str]:
    """Those of *paths* that can be shown."""
    found = set()
    for path in paths:
        with contextlib.suppress(errors.NotFound):
            os.close(open_below(root, path))
            found.add(path)
    return frozenset(found)


def _step(folder: int, name: str) -> int:
    try:
        return os.open(name, _OPEN, dir_fd=folder)
    except OSError:
        os.close(folder)
        raise


def _sorted(found: list[Found]) -> list[Found]:
    return sorted(found, key=lambda each: (not each.is_folder, each.name))
