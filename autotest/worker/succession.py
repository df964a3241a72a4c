"""Succession: one worker at a time serves a lab. A second one looks whether the first lives before it takes over.

The row of the lab says where its worker runs and when it was last seen. A worker of this machine whose process is gone
is dead. Of any other the row is watched, on this machine's own clock: a new sign of life is proof that it lives, and
silence for some beats that it does not. Clocks of two machines may differ, so an old sign alone proves nothing; it only
makes the watch shorter.
"""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path

from autotest import errors
from autotest.models import database
from autotest.models.lab import Lab
from autotest.scheduler import labs

logger = logging.getLogger(__name__)

#: A worker that is silent for so many of its beats is dead.
BEATS = 6
#: So many are enough when it was silent for longer than that before anybody watched.
_BEATS_LEFT = 2
_LOOKS_A_BEAT = 5


def here() -> str:
    """How this process is named in the row of its lab: ``<node>:<pid>``."""
    return f"{socket.gethostname()}:{os.getpid()}"


def await_turn(
    name: str,
    beat_every_s: float,
    pause: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Return as soon as no other worker serves the lab. Raises LabBusy, naming it, when it shows that it lives."""
    first = _row(name)
    if first is None or not first.worker or is_dead(first.worker):
        return
    silent_s = labs.seen_s(first, database.utc_now())
    long_silent = silent_s is None or silent_s >= BEATS * beat_every_s
    patience_s = (_BEATS_LEFT if long_silent else BEATS) * beat_every_s
    logger.warning(
        "lab %s was served by %s, last seen %s s ago: waiting up to %.0f s for a sign of life",
        *_facts(first),
        patience_s,
    )
    end = clock() + patience_s
    while clock() < end:
        pause(beat_every_s / _LOOKS_A_BEAT)
        now = _row(name)
        if now is None or not now.worker or is_dead(now.worker):
            return
        if (now.seen_at, now.incarnation) != (first.seen_at, first.incarnation):
            raise errors.LabBusy(
                f"lab {name} is served by {now.worker} since {now.started_at:%Y-%m-%d %H:%M:%S} UTC (incarnation "
                f"{now.incarnation}); stop that worker, or start this one with --take-over"
            )
    logger.warning("%s gave no sign of life: this worker takes lab %s over", first.worker, name)


def is_dead(worker: str) -> bool:
    """Whether *worker* (``<node>:<pid>``) ran on this machine and its process is gone; False when nobody can tell."""
    node, _, pid = worker.rpartition(":")
    if node != socket.gethostname() or not pid.isdigit():
        return False
    # In a container that was started again, this process may have the number that its predecessor had.
    return int(pid) == os.getpid() or not _runs(int(pid))


def _runs(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return False
    return state not in "ZX"


def _row(name: str) -> Lab | None:
    with database.connection():
        found: Lab | None = Lab.get_or_none(Lab.name == name)
        return found


def _facts(lab: Lab) -> tuple[str, str, object]:
    return lab.name, lab.worker, labs.seen_s(lab, database.utc_now())
