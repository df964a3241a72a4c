"""Leases: exclusive use of one host, from the claim of an entry to the release after its last step.

The row id of a lease is its fencing token. A worker beats only for the steps that it runs; a step that waits has a
due time. Who finds a lease without sign of life takes it back (reconcile.py).
"""

from __future__ import annotations

import datetime
from collections.abc import Collection
from typing import Any

from autotest.models import rows
from autotest.models.afe import (
    Host,
    HostQueueEntry,
    SpecialTask,
)
from autotest.models.database import holding, retried, transaction, utc_now
from autotest.models.lab import Lab, Lease
from autotest.models.prepared import Prepared
from autotest.scheduler import entries, wakes
from autotest.scheduler.wakes import Wake
from autotest.states import STEP_OF, Step, TaskKind


def serves(lab: Lab) -> bool:
    """False once a newer worker serves the lab, and while the lab is drained: this worker gets no more work.

    The lab stays held: one claim at a time chooses among its hosts, so that none chooses what another one has taken.
    """
    return _SERVED.row(lab.id, lab.incarnation) is not None


def grant_tasks(lab: Lab, now: datetime.datetime, due_in: datetime.timedelta) -> list[Wake]:
    """Lease free hosts to the tasks that wait for them (repair before verify, then by id; section 2.5)."""
    order = [TaskKind.REPAIR, TaskKind.VERIFY, TaskKind.PROVISION]
    waiting = [(order.index(TaskKind(kind)), task_id, host_id) for task_id, kind, host_id in _TASKS.rows(lab.id)]
    granted = [
        _grant_task(lab, order[rank], task_id, host_id, now + due_in) for rank, task_id, host_id in sorted(waiting)
    ]
    return [step_wake(lease, lab.name) for lease in granted if lease is not None]


@retried
def _grant_task(lab: Lab, kind: TaskKind, task_id: int, host_id: int, due_at: datetime.datetime) -> Lease | None:
    with transaction():
        if not serves(lab) or Lease.select().where(Lease.host == host_id, Lease.released_at.is_null()).exists():
            return None
        return grant(lab, host_id, None, task_id, STEP_OF[kind], due_at)


def grant(
    lab: Lab, host_id: int, entry_id: int | None, task_id: int | None, step: Step, due_at: datetime.datetime | None
) -> Lease:
    """Open a lease. Raises IntegrityError while another is open. Runs inside the caller's transaction."""
    fields = {"host": host_id, "lab": lab.id, "incarnation": lab.incarnation, "entry": entry_id, "task": task_id}
    token = _OPEN.inserted(*fields.values(), step.value, due_at, utc_now())
    _SHOW_LEASED.changed(host_id)
    return Lease(id=token, step=step.value, due_at=due_at, **fields)


def release(lease: Lease, reason: str, now: datetime.datetime, **of_host: str) -> bool:
    """Close a lease, and set these columns of its host. False: it was closed before, so the caller must change nothing.
    Runs inside a transaction."""
    closing = {"released_at": now, "release_reason": reason[: Lease.release_reason.max_length]}
    closed = rows.change(Lease, closing, id=lease.id, released_at=None)
    if closed:
        rows.change(Host, {"leased": False, **of_host}, id=lease.host_id)
    return bool(closed)


def next_step(lease: Lease, step: Step, due_at: datetime.datetime, task_id: int | None) -> None:
    """Let the lease wait for *step*. Runs inside the caller's transaction."""
    waits_for = {"step": step.value, "due_at": due_at, "pokes": 0, "task": task_id}
    rows.change(Lease, waits_for, id=lease.id, released_at=None)


@retried
def beat(tokens: Collection[int]) -> set[int]:
    """One sign of life for every step that runs. Returns the tokens that are still open: the others are lost."""
    if not tokens:
        return set()
    wanted = list(tokens)
    with transaction():
        Lease.update(beat=Lease.beat + 1).where(Lease.id.in_(wanted), Lease.released_at.is_null()).execute()
        alive = Lease.select(Lease.id).where(Lease.id.in_(wanted), Lease.released_at.is_null())
        return {token for (token,) in alive.tuples()}


def is_at_work(lease: Any) -> bool:
    """Whether a step of the lease runs now: neither due nor held for the group."""
    return lease.due_at is None and lease.step != Step.HOLD.value


def open_leases(lab_id: int) -> list[Lease]:
    """The open leases of a lab."""
    return list(Lease.select().where(Lease.lab == lab_id, Lease.released_at.is_null()))


def step_wake(lease: Lease, lab_name: str) -> Wake:
    """The wake for the step that the lease waits for, shown as ``sleeptest on rack1-host3, job 12``."""
    host = Host.get_by_id(lease.host_id)
    if lease.entry_id is None:
        return wakes.step_due(lab_name, lease.id, Step(lease.step), f"{lease.step} of {host.hostname}")
    job = HostQueueEntry.get_by_id(lease.entry_id).job
    return entry_wake(lab_name, lease.id, Step(lease.step), job.id, job.name, host.hostname)


def entry_wake(lab_name: str, token: int, step: Step, job_id: int, job_name: str | None, hostname: str) -> Wake:
    """The wake for a step of an entry of a job, for callers who know the rows."""
    return wakes.step_due(lab_name, token, step, f"{entries.short_name(job_name)} on {hostname}, job {job_id}")


_SERVED = Prepared(
    lambda lab_id, incarnation: holding(
        Lab.select(Lab.id).where(Lab.id == lab_id, Lab.incarnation == incarnation, Lab.drained == False)  # noqa: E712
    )
)
_TASKS = Prepared(
    lambda lab_id: (
        SpecialTask.select(SpecialTask.id, SpecialTask.task, SpecialTask.host)
        .join(Host)
        .where(
            Host.lab == lab_id,
            Host.locked == False,  # noqa: E712 - an SQL expression
            Host.invalid == False,  # noqa: E712
            SpecialTask.is_complete == False,  # noqa: E712
            SpecialTask.is_active == False,  # noqa: E712
            SpecialTask.queue_entry.is_null(),
        )
    )
)
_OPEN = Prepared(
    lambda host, lab, incarnation, entry, task, step, due_at, now: Lease.insert(
        host=host,
        lab=lab,
        incarnation=incarnation,
        entry=entry,
        task=task,
        step=step,
        due_at=due_at,
        granted_at=now,
    )
)
_SHOW_LEASED = Prepared(lambda host: Host.update(leased=True).where(Host.id == host))
