"""Inquiry: reads from the rows why one entry waits: what a claim would ask, in the same order."""

from __future__ import annotations

import datetime

from autotest.models.afe import HostQueueEntry, IneligibleHostQueue, Job, Label
from autotest.models.lab import Lab
from autotest.scheduler import entries, labels, lines, quotas, turns, users, waiting
from autotest.scheduler.labels import Queue
from autotest.scheduler.turns import Rank, Turn
from autotest.scheduler.waiting import HostState


def why_waiting(
    entry: HostQueueEntry, job: Job, snapshot: list[HostState], now: datetime.datetime, dead_after_s: float
) -> waiting.Waiting:
    """Why *entry* of *job*, which waits in its queue, has no host yet. *snapshot* are all hosts."""
    bound = entry.host_id if entry.meta_host_id is None else None
    queue = labels.queue_named(entry.queue_key) or labels.queue_of(entries.wanted(entry), bound)
    missing = waiting.lacking(queue, snapshot)
    near = [name for label in missing for name in labels.nearest(label)]
    barred = _barred(job, queue, snapshot) | _given(queue, now)
    quota = quotas.of([queue.suite_id])[queue.suite_id] if queue.suite_id is not None else None
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
    return barred


def _given(queue: Queue, now: datetime.datetime) -> dict[int, str]:
    """Free hosts that others get or keep who go before this queue."""
    found: dict[int, str] = {}
    busy = lines.busy()
    for lab in Lab.select():
        contest = turns.contest(lab, queue.key, busy)
        plan = turns.plan(lab, contest, quotas.of(contest.suites), now, 1, len(contest.free) + 1)
        for turn in plan.turns:
            if turn.queue.family != contest.family:
                why = f"kept for job {turn.entry.job_id}, which {_precedence(turn)}"
                found |= dict.fromkeys([host.host_id for host in turn.hosts], why)
    return found


def _precedence(turn: Turn) -> str:
    if turn.rank is Rank.NAMES_ITS_HOST:
        return "names it"
    if turn.queue.size > 1:
        return f"runs on {turn.queue.size} hosts at once"
    return "is of a suite below its minimum" if turn.rank is Rank.BELOW_MINIMUM else "goes first"
