"""Retreat: how an entry leaves its host when it may not or cannot go on there: requeued, failed or aborted.

Each runs inside the caller's transaction, which also closes or turns over the lease.
"""

from __future__ import annotations

import datetime

from autotest.models import rows
from autotest.models.afe import SYSTEM_USER, Host, HostQueueEntry, Job, SpecialTask
from autotest.models.lab import Lab, Lease
from autotest.scheduler import entries, wakes
from autotest.scheduler.wakes import Wake
from autotest.states import EntryStatus


def requeue_or_fail(
    entry: HostQueueEntry, lease: Lease, reason: str, max_requeues: int, now: datetime.datetime
) -> list[Wake]:
    """A worker, child or DUT vanished under the entry: back to the queue, or failed once that happened too often."""
    if entry.requeues < max_requeues:
        return entries.requeue(entry, reason, counted=True)
    return fail(entry, lease, f"{reason}; given up after {entry.requeues + 1} attempts", now)


def fail(entry: HostQueueEntry, lease: Lease | None, reason: str, now: datetime.datetime) -> list[Wake]:
    """The entry ends as Failed once its folder is parsed."""
    return _parse(entry, lease, now, succeeded=False, reason=reason)


def abort(entry: HostQueueEntry, lease: Lease | None, now: datetime.datetime) -> list[Wake]:
    """The entry ends as Aborted: at once where it never ran, else once its folder is parsed (section 2.6)."""
    status = EntryStatus(entry.status)
    if status in (EntryStatus.RUNNING, EntryStatus.GATHERING):
        return _parse(entry, lease, now)
    if not entries.advance(entry.id, status, EntryStatus.ABORTED, finished_on=now):
        return []
    return entries.suite_wake(entry.job)


def abort_for(entry: HostQueueEntry, lease: Lease, limit: str, now: datetime.datetime) -> list[Wake]:
    """The system aborts an entry that runs, for a limit in time (section 3.3)."""
    entries.mark_aborted(entry.id, SYSTEM_USER, limit, now)
    return _parse(entry, lease, now)


def run_ended(entry: HostQueueEntry, lease: Lease, ok: bool, reason: str, now: datetime.datetime) -> list[Wake]:
    """The runner ended by itself: its verdict stands once the folder is parsed."""
    return _parse(entry, lease, now, succeeded=ok, reason=entry.reason if entry.aborted else reason)


def end_task(lease: Lease, success: bool, now: datetime.datetime, aborted: bool = False) -> SpecialTask | None:
    """Complete the SpecialTask that the lease's step carries out, if any."""
    if lease.task_id is None:
        return None
    ending = {"is_active": False, "is_complete": True, "success": success, "is_aborted": aborted, "time_finished": now}
    rows.change(SpecialTask, ending, id=lease.task_id)
    return rows.get(SpecialTask, lease.task_id)


def _parse(entry: HostQueueEntry, lease: Lease | None, now: datetime.datetime, **columns: object) -> list[Wake]:
    """*lease* is the one whose results folder counts: only a run_test writes one."""
    host = rows.get_or_none(Host, entry.host_id)
    if host is not None:
        columns |= {"execution_subdir": host.hostname}
    if EntryStatus(entry.status) is EntryStatus.RUNNING:
        if not entries.advance(entry.id, EntryStatus.RUNNING, EntryStatus.GATHERING):
            return []
        columns |= {"token": lease.id if lease is not None else None}
        entry = rows.get(HostQueueEntry, entry.id)
    if not entries.to_parsing(entry, now, **columns):
        return []
    lab = rows.get_or_none(Lab, host.lab_id) if host is not None else None
    job = rows.get(Job, entry.job_id)
    name = lab.name if lab is not None else None
    return [wakes.parse_due(name, entry.id, f"{entries.short_name(job)}, job {job.id}")]
