"""Steps seen: which of the tasks that Flower watches is the step that a host runs now."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from flower.utils.tasks import iter_tasks

from autotest.states import Step

#: Steps that run at a time in one installation, and more.
_MOST = 5_000
_NAMES = {f"autotest.{step.value}": step.value for step in Step}
#: The text of scheduler.leases.step_wake: ``sleeptest on rack1-host3, job 12``, or ``repair of rack1-host3``.
_TEXT = re.compile(r".* (?:on|of) (?P<hostname>\S+?)(?:, job (?P<job>\d+))?")


class StepKey(NamedTuple):
    """What a step is about; at any time one of each runs at most."""

    step: str
    hostname: str
    job_id: int | None


def running(events: Any) -> dict[StepKey, str]:
    """The uuid of each step that runs now, as far as Flower's *events* saw it start."""
    return by_step(iter_tasks(events, limit=_MOST, state="STARTED"))


def by_step(tasks: Iterable[tuple[str, Any]]) -> dict[StepKey, str]:
    """Of *tasks* (uuid, task; newest first) those that are steps, by what they are about."""
    found: dict[StepKey, str] = {}
    for uuid, task in tasks:
        about = _TEXT.fullmatch(str(task.args or ""))
        if task.name in _NAMES and about is not None:
            job = about["job"]
            found.setdefault(StepKey(_NAMES[task.name], about["hostname"], int(job) if job else None), uuid)
    return found


def uuid_of(seen: Mapping[StepKey, str], hostname: str, step: str, job_id: int | None) -> str:
    """The task that carries out this step of this host; '' when Flower did not see it start.

    A task before the test names the job if it is done for one, and is looked for without it too.
    """
    return seen.get(StepKey(step, hostname, job_id)) or seen.get(StepKey(step, hostname, None), "")
