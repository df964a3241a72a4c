"""``parse.log``: what a parse found odd, left in the results folder for whoever reads the results there."""

from __future__ import annotations

import datetime
import os
import stat
from pathlib import Path

from autotest import plurals
from autotest.results.parsing.records import JobResult

NAME = "parse.log"

_NOTHING = "nothing odd"


def render(result: JobResult, now: datetime.datetime) -> str:
    """The file: what was read and when (UTC), then one line for each thing that was odd."""
    tests, odd = plurals.counted(len(result.tests), "test"), result.oddities
    found = f"{plurals.counted(len(odd), 'line')} of what was odd" if odd else _NOTHING
    return "\n".join(
        [f"{now:%Y-%m-%d %H:%M:%S} status_version {result.job.status_version}: {tests}, {found}", *odd, ""]
    )


def parse(text: str) -> tuple[str, ...]:
    """What was odd: the lines of :func:`render` after the first."""
    return tuple(text.split("\n")[1:-1])


def write(folder: Path, result: JobResult, now: datetime.datetime) -> bool:
    """Leave parse.log in *folder* if there is something to tell, or an older one to correct. Symlinks are not followed.

    Returns False where it cannot be written, which is no reason to lose the results.
    """
    path = folder / NAME
    if not result.oddities and not os.path.lexists(path):
        return True
    text = render(result, now).encode("utf-8", "backslashreplace")
    try:
        handle = os.open(
            path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o644
        )
        with os.fdopen(handle, "wb") as file:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                return False
            file.write(text)
    except OSError:
        return False
    return True
