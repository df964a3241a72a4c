"""Locks: who reads a build, and who makes or removes it; across threads and processes, gone with their holder."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

_LOOK_EVERY_S = 0.05


@contextlib.contextmanager
def held(path: Path, shared: bool, goes_on: Callable[[], bool]) -> Iterator[bool]:
    """Hold the lock *path* for the block, *shared* with others who share it or alone.

    Waits as long as *goes_on* says so; False in the block: somebody else has it still.
    """
    lock = _try(path, shared)
    while lock is None and goes_on():
        time.sleep(_LOOK_EVERY_S)
        lock = _try(path, shared)
    try:
        yield lock is not None
    finally:
        if lock is not None:
            os.close(lock)


def never() -> bool:
    """The ``goes_on`` of those who do not wait."""
    return False


def for_seconds(seconds: float) -> Callable[[], bool]:
    """The ``goes_on`` of those who wait so long."""
    end = time.monotonic() + seconds
    return lambda: time.monotonic() < end


def _try(path: Path, shared: bool) -> int | None:
    """The open, locked file; None when somebody else has it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        # Whoever held it before may have removed the file; then this is the lock of nothing.
        if os.fstat(descriptor).st_ino == os.stat(path).st_ino:
            return descriptor
    except (BlockingIOError, FileNotFoundError):
        pass
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None
