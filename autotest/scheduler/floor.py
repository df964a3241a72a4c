"""Floor: whether the disk of the results is too full for work to start."""

from __future__ import annotations

import os

from autotest.settings import Settings


def reason(settings: Settings) -> str | None:
    """Why no work may start, one line for people; None while the disk has room. One call of the operating system.

    A results folder that is not there yet is looked for upwards. A disk that does not answer stops work as well: a step
    that cannot write its results runs for nothing.
    """
    if settings.results_floor <= 0:
        return None
    folder = settings.results_dir
    try:
        while not folder.exists() and folder != folder.parent:
            folder = folder.parent
        disk = os.statvfs(folder)
    except OSError as problem:
        return f"the results disk at {settings.results_dir} does not answer: {problem.strerror}; no work starts"
    return below(disk.f_bavail * disk.f_frsize, settings.results_floor, str(settings.results_dir))


def below(free: int, floor: int, place: str) -> str | None:
    """The reason, decided from bytes."""
    if free >= floor:
        return None
    return (
        f"the results disk at {place} has {free:,} bytes free, fewer than results_floor ({floor:,}); no work starts "
        f"until there are more: autotest results prune"
    )
