"""Inquiry: reads from the rows why one entry waits: what a claim would ask, in the same order."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

from autotest.models.afe import HostQueueEntry, IneligibleHostQueue, Job, Label
from autotest.models.lab import Lab
from autotest.scheduler import entries, labels, quotas, turns, users, waiting
from autotest.scheduler.labels import Queue
from autotest.scheduler.quotas import Quota
from autotest.scheduler.waiting import HostState
from autotest.states import EntryStatus


def why_waiting(
    entry: HostQueueEntry, job: Job, snapshot: list[HostState], now: datetime.datetime, dead_after_s: float
) -> waiting.Waiting:
    """Why *entry* of *job*, which waits in its queue, has no host yet. *snapshot* are all hosts."""
    bound = entry.host_id if entry.meta_host_id is None else None
    queue = labels.queue_named(entry.queue_key) or labels.queue_of(entries.wanted(entry), bound)
    busy = labels.busy_queues()
    limits = quotas.of({each.suite_id for each in (queue, *busy) if each.suite_id is not None})
    missing = waiting.lacking(queue, snapshot)
    near = [name for label in missing for name in labels.nearest(label)]
    barred = _barred(job, queue, snapshot) | _kept(queue, busy, limits, now)
    quota = limits.get(queue.suite_id) if queue.suite_id is not None else None
    return waiting.explain(queue, snapshot, dead_after_s, barred, near, quota)


def _barred(job: Job, queue: Queue, snapshot: list[HostState]) -> dict[int, str]:
    """Hosts that carry the labels and are not for this job all the same."""
    carriers = {host.host_id: host for host in snapshot if queue.accepts(host.host_id, host.labels)}
    allowed = users.may_use(job.owner or "", carriers)
    barred = dict.fromkeys(carriers.keys() - allowed, f"not open to {job.owner}")
    if queue.host_id is not None:
        return barred
    rare = {name for (name,) in Label.select(Label.name).where(Label.only_if_needed).tuples()}
    for host_id, host in carriers.items():
        kept = sorted((host.labels & rare) - queue.labels)
        if kept:
            barred.setdefault(host_id, f"kept for entries that ask for {', '.join(kept)}")
    ineligible = IneligibleHostQueue.select(IneligibleHostQueue.host).where(IneligibleHostQueue.job == job.id)
    for (host_id,) in ineligible.tuples():
        barred.setdefault(host_id, "not again for this job")
    named = (
        HostQueueEntry.select(HostQueueEntry.host, HostQueueEntry.job)
        .join(Job)
        .where(
            HostQueueEntry.host.in_(list(carriers)),
            HostQueueEntry.status == EntryStatus.QUEUED.value,
            ~HostQueueEntry.active,
            Job.synch_count < 2,
        )
    )
    for host_id, job_id in named.tuples():
        barred.setdefault(host_id, f"kept for job {job_id}, which names it")
    return barred


def _kept(queue: Queue, busy: Sequence[Queue], limits: dict[int, Quota], now: datetime.datetime) -> dict[int, str]:
    """Free hosts that are kept for queues that go before this one."""
    if queue.host_id is not None:
        return {}
    found = {}
    for lab in Lab.select():
        for host_id, kept in turns.kept(lab, queue, busy, limits, now).items():
            what = (
                f"runs on {kept.queue.size} hosts at once" if kept.queue.size > 1 else "is of a suite below its minimum"
            )
            found[host_id] = f"kept for job {kept.job_id}, which {what}"
    return found
