"""Retreat: how an entry leaves its host when it may not or cannot go on there: requeued, failed or aborted.

Each runs inside the caller's transaction, which also closes or turns over the lease.
"""

from __future__ import annotations

import datetime

from peewee import JOIN

from autotest import plurals
from autotest.models import rows
from autotest.models.afe import SYSTEM_USER, Host, HostQueueEntry, Job, SpecialTask
from autotest.models.lab import Lab, Lease
from autotest.models.rows import Joined
from autotest.scheduler import entries, groups, hosts, leases, wakes
from autotest.scheduler.wakes import Wake
from autotest.states import EntryStatus, HostStatus


def requeue_or_fail(
    entry: HostQueueEntry, lease: Lease, reason: str, max_requeues: int, now: datetime.datetime
) -> list[Wake]:
    """A worker, child or DUT vanished under the entry: back to the queue, or failed once that happened too often."""
    if entry.requeues < max_requeues:
        return entries.requeue(entry, reason, counted=True)
    return fail(entry, lease, f"{reason}; given up after {plurals.counted(entry.requeues + 1, 'attempt')}", now)


def fail(entry: HostQueueEntry, lease: Lease | None, reason: str, now: datetime.datetime) -> list[Wake]:
    """The entry ends as Failed once its folder is parsed."""
    return _parse(entry, lease, now, succeeded=False, reason=reason)


def abort(entry: HostQueueEntry, lease: Lease | None, now: datetime.datetime) -> list[Wake]:
    """The entry ends as Aborted: at once where it never ran, else once its folder is parsed (section 2.6)."""
    status = EntryStatus(entry.status)
    if status in (EntryStatus.RUNNING, EntryStatus.GATHERING):
        return _parse(entry, lease, now)
    if not entries.advance(entry.id, status, EntryStatus.ABORTED, finished_on=now, token=None):
        return []
    return entries.suite_wake(entry.job)


def abort_for(entry: HostQueueEntry, lease: Lease, limit: str, now: datetime.datetime) -> list[Wake]:
    """The system aborts an entry that runs, for a limit in time (section 3.3)."""
    entries.mark_aborted(entry.id, SYSTEM_USER, limit, now)
    return _parse(entry, lease, now)


def run_ended(entry: HostQueueEntry, lease: Lease, ok: bool, reason: str, now: datetime.datetime) -> list[Wake]:
    """The runner ended by itself: its verdict stands once the folder is parsed."""
    return _parse(entry, lease, now, succeeded=ok, reason=entry.reason if entry.aborted else reason)


def part(entry: HostQueueEntry | None, reason: str, now: datetime.datetime) -> list[Wake]:
    """*entry* left its group before the test began: the others go back to their queue, or stop when they have become
    too few. A host that is being prepared ends that as a task of its own; the others are free at once."""
    if entry is None or entry.token is None:
        return []
    woken: list[Wake] = []
    for mate in groups.members(entry):
        if mate.entry.id == entry.id or mate.entry.aborted:
            # The keeper sees to what was aborted.
            continue
        woken += entries.requeue(mate.entry, f"its group parted: {reason}", counted=False)
        if leases.is_at_work(mate.lease):
            rows.change(Lease, {"entry": None}, id=mate.lease.id)
        else:
            end_task(mate.lease, success=False, now=now, aborted=True)
            woken += free_host(mate.lease, mate.host, "its group parted", now)
    return woken + entries.stop_short(rows.get(Job, entry.job_id), now)


def free_host(lease: Lease, host: Host, reason: str, now: datetime.datetime) -> list[Wake]:
    """Close the lease: the host is ready for whoever waits for it."""
    if not leases.release(lease, reason, now, status=HostStatus.READY.value, status_reason=""):
        return []
    return hosts.freed([host.id])


def end_task(lease: Lease, success: bool, now: datetime.datetime, aborted: bool = False) -> None:
    """Complete the SpecialTask that the lease's step carries out, if any."""
    if lease.task_id is None:
        return
    ending = {"is_active": False, "is_complete": True, "success": success, "is_aborted": aborted, "time_finished": now}
    rows.change(SpecialTask, ending, id=lease.task_id)


def _parse(entry: HostQueueEntry, lease: Lease | None, now: datetime.datetime, **columns: object) -> list[Wake]:
    """*lease* is the one whose results folder counts: only a run_test writes one."""
    host, lab = _HOST_AND_LAB.row(entry.host_id) or (None, None)
    ran = EntryStatus(entry.status) is EntryStatus.RUNNING
    if host is not None and not (ran and groups.is_grouped(entry)):
        columns |= {"execution_subdir": host.hostname, "token": None}
    if ran:
        columns |= {"token": lease.id if lease is not None else None}
    if not entries.to_parsing(entry, now, **columns):
        return []
    return [
        wakes.parse_due(lab.name if lab is not None else None, entry.id, entries.shown(entry.job.name, entry.job_id))
    ]


_HOST_AND_LAB = Joined(
    (Host.id, Host.hostname, Lab.id, Lab.name),
    lambda columns, host: Host.select(*columns).join(Lab, JOIN.LEFT_OUTER).where(Host.id == host),
)
