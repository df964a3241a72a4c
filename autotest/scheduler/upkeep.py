"""Upkeep: what nobody else looks at: limits in time, work that no message points to, leases that nobody holds."""

from __future__ import annotations

import datetime

from autotest.models.afe import SYSTEM_USER, Host, HostQueueEntry, Job
from autotest.models.database import retried, transaction
from autotest.models.lab import Lab, Lease
from autotest.scheduler import entries, hosts, jobs, labels, leases, lines, matching, wakes
from autotest.scheduler.wakes import Wake
from autotest.settings import Settings
from autotest.states import EntryStatus


def timed_out(now: datetime.datetime) -> list[Wake]:
    """Abort every job that is older than its timeout, queue time included (section 3.3), but for those that ended and
    whose results are still being stored. A suite takes its children along."""
    woken: list[Wake] = []
    incomplete = (
        (HostQueueEntry.complete == False)  # noqa: E712 - SQL expressions
        & (HostQueueEntry.aborted == False)  # noqa: E712
        & (HostQueueEntry.status != EntryStatus.PARSING.value)
    )
    limits = Job.select(Job.timeout_mins).join(HostQueueEntry).where(incomplete).distinct().tuples()
    for (timeout_mins,) in list(limits):
        late = (
            HostQueueEntry.select(HostQueueEntry.id)
            .join(Job)
            .where(
                incomplete,
                Job.timeout_mins == timeout_mins,
                Job.created_on <= now - datetime.timedelta(minutes=timeout_mins),
            )
            .tuples()
        )
        reason = f"not done within its timeout of {timeout_mins} minutes"
        woken += entries.abort([entry_id for (entry_id,) in late], SYSTEM_USER, reason, now)[1]
    return woken


def servable() -> list[Wake]:
    """One wake for each queue that has queued entries and a free host; queues without entries are marked idle."""
    free = [host for lab in Lab.select() for host in hosts.free(lab.id)]
    queues = labels.busy_queues()
    can_run = matching.servable(free, queues)
    highest = lines.highest_priorities()
    idle = [queue.key for queue in queues if queue.key not in highest]
    if idle:
        _mark_idle(idle)
    return [
        wakes.queue_waits(queue.key, highest[queue.key], queue.host_id is not None, ", ".join(sorted(queue.labels)))
        for queue in queues
        if queue.key in can_run and queue.key in highest
    ]


@retried
def _mark_idle(keys: list[str]) -> None:
    with transaction():
        labels.mark_idle(keys)


@retried
def _mark_busy() -> None:
    with transaction():
        labels.mark_busy()


@retried
def _due_again(entry: HostQueueEntry, due_at: datetime.datetime) -> None:
    with transaction():
        HostQueueEntry.update(due_at=due_at).where(HostQueueEntry.id == entry.id).execute()


def forgotten(settings: Settings, now: datetime.datetime) -> list[Wake]:
    """Suites and parses past their due time, suites whose last child ended unheard, queues wrongly taken for idle.

    Each is due again later.
    """
    again = now + datetime.timedelta(seconds=settings.step_due)
    woken: list[Wake] = []
    _mark_busy()
    late = (
        HostQueueEntry.select(HostQueueEntry, Job)
        .join(Job)
        .where(
            HostQueueEntry.complete == False,  # noqa: E712 - an SQL expression
            HostQueueEntry.due_at < now,
            HostQueueEntry.status.in_([EntryStatus.QUEUED.value, EntryStatus.RUNNING.value, EntryStatus.PARSING.value]),
        )
    )
    # Read to its end first: SQLite refuses to write while an older view of the database is being read.
    for entry in list(late):
        _due_again(entry, again)
        woken += [wake._replace(spare=True) for wake in _entry_wakes(entry)]
    return woken


def everything() -> list[Wake]:
    """A wake for all that is not final, for a broker that came back empty."""
    woken: list[Wake] = []
    for entry in (
        HostQueueEntry.select(HostQueueEntry, Job)
        .join(Job)
        .where(
            HostQueueEntry.complete == False  # noqa: E712 - an SQL expression
        )
    ):
        if entry.queue_key and entry.status == EntryStatus.QUEUED.value and not entry.active:
            woken.append(entries.queued_wake(entry))
        else:
            woken += _entry_wakes(entry)
    for lease in Lease.select().where(Lease.released_at.is_null(), Lease.due_at.is_null(False)):
        woken.append(leases.step_wake(lease, lease.lab.name))
    return woken


def _entry_wakes(entry: HostQueueEntry) -> list[Wake]:
    status, suite = EntryStatus(entry.status), not entry.queue_key
    if status is EntryStatus.PARSING:
        host = Host.get_or_none(Host.id == entry.host_id)
        lab = host.lab.name if host is not None and host.lab is not None else None
        return [wakes.parse_due(lab, entry.id, f"{entries.short_name(entry.job.name)}, job {entry.job_id}")]
    if suite and status is EntryStatus.QUEUED:
        return [jobs.suite_wake(entry.job)]
    if suite and status is EntryStatus.RUNNING and (entry.aborted or not entries.children_left(entry.job_id)):
        return [wakes.suite_ended(entry.job_id, f"end of suite job {entry.job_id}")]
    return []
