"""Turns: which free hosts a claim may take, given who goes before it (afe-scheduler-and-rpc.md section 3.2).

Entries that name their host go first, whatever their priority; then suites below their minimum of machines, up to that
minimum; then groups that waited so long that single entries would starve them. Nothing is written down: each claim
works out the order from the rows, so a host that is kept for somebody is free again as soon as he does not want it.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from autotest.models import rows
from autotest.models.afe import HostQueueEntry, IneligibleHostQueue, Job
from autotest.models.lab import Lab
from autotest.models.prepared import Prepared
from autotest.scheduler import entries, hosts, labels, matching, users
from autotest.scheduler.labels import Queue
from autotest.scheduler.matching import Candidate
from autotest.scheduler.quotas import Quota
from autotest.states import EntryStatus

#: A group that waited so long keeps hosts for itself.
PATIENCE = datetime.timedelta(minutes=1)


class Kept(NamedTuple):
    """For whom a free host is kept."""

    queue: Queue
    job_id: int


class _Turn(NamedTuple):
    """A queue that goes before others: it may take *size* of the hosts *usable*. Turns are in order of *rank*."""

    rank: tuple[int, ...]
    queue: Queue
    job_id: int
    size: int
    usable: frozenset[int]


def candidates(
    lab: Lab, queue: Queue, busy: Sequence[Queue], quotas: Mapping[int, Quota], now: datetime.datetime
) -> list[Candidate]:
    """The free hosts of *lab* that the next entry of *queue* may have, if its owner may use them. *busy* are all
    queues with entries, and *quotas* those of the suites among them."""
    fitting = hosts.free(lab.id, queue)
    if queue.host_id is not None or len(fitting) < queue.size:
        return fitting
    named = {each.host_id for each in busy if each.family != queue.family}
    spoken_for = _spoken_for([host for host in fitting if host.host_id in named])
    free = [host for host in fitting if host.host_id not in spoken_for and host.rare <= queue.labels]
    away = kept(lab, queue, busy, quotas, now)
    return [host for host in free if host.host_id not in away]


def usable(entry: HostQueueEntry, queue: Queue, among: Iterable[Candidate]) -> set[int]:
    """Ids of those hosts that the entry's owner may use and its job may take (again); an entry that names its host
    takes it all the same."""
    allowed = users.may_use(entry.job.owner or "", [host.host_id for host in among])
    return allowed - refused(entry, queue)


def refused(entry: HostQueueEntry, queue: Queue) -> set[int]:
    """Hosts that the entry's job may not take again."""
    if queue.host_id is not None:
        return set()
    return {host_id for (host_id,) in _REFUSED.rows(entry.job_id)}


def kept(
    lab: Lab, queue: Queue, busy: Sequence[Queue], quotas: Mapping[int, Quota], now: datetime.datetime
) -> dict[int, Kept]:
    """Free hosts of *lab* that are kept for queues that go before *queue*, by id."""
    owed = {suite for suite, quota in quotas.items() if quota.owed}
    pressing = [each for each in busy if each.size > 1 or each.suite_id in owed]
    if not pressing:
        return {}
    free = hosts.free(lab.id)
    turns = [_turn(lab, each, free, quotas, now) for each in _rivals(queue, pressing, free)]
    found: dict[int, Kept] = {}
    for turn in sorted(turn for turn in turns if turn is not None):
        if turn.queue.family == queue.family:
            break
        left = [host for host in free if host.host_id in turn.usable and host.host_id not in found]
        for host in matching.several(left, turn.size, frozenset(), busy):
            found[host.host_id] = Kept(turn.queue, turn.job_id)
    return found


def _rivals(queue: Queue, pressing: Sequence[Queue], free: Iterable[Candidate]) -> list[Queue]:
    """Those of the *pressing* queues that compete with *queue* for the *free* hosts, also by way of others."""
    # Labs have many hosts of few kinds, and many queues of few label sets.
    kinds = {host.labels for host in free}
    wishes = {each.labels for each in pressing}
    rivals: set[frozenset[str]] = set()
    reached = {kind for kind in kinds if queue.labels <= kind}
    while fresh := {wish for wish in wishes - rivals if any(wish <= kind for kind in reached)}:
        rivals |= fresh
        reached |= {kind for kind in kinds if any(wish <= kind for wish in fresh)}
    return [each for each in pressing if each.labels in rivals]


def _turn(
    lab: Lab, queue: Queue, free: Sequence[Candidate], quotas: Mapping[int, Quota], now: datetime.datetime
) -> _Turn | None:
    """The turn of *queue* if it goes before others now."""
    quota = quotas.get(queue.suite_id) if queue.suite_id is not None else None
    if quota is not None and not quota.allows(queue.size):
        return None
    entry = entries.next_queued(queue.key)
    if entry is None:
        return None
    fitting = _fitting(entry, queue, free)
    can_start = len(fitting) >= queue.size
    owed = quota.owed if quota is not None else 0
    if owed and can_start:
        count = queue.size if queue.size > 1 else min(owed, entries.count_waiting(queue.key, owed))
        return _Turn((1, -entry.priority, queue.suite_id or 0), queue, entry.job_id, count, fitting)
    is_named = queue.host_id is not None
    if queue.size > 1 and ((is_named and can_start) or _is_overdue(lab, entry, queue, now)):
        rank = (0 if is_named else 2, -entry.priority, entry.id)
        return _Turn(rank, queue, entry.job_id, queue.size, fitting)
    return None


def _is_overdue(lab: Lab, entry: HostQueueEntry, queue: Queue, now: datetime.datetime) -> bool:
    """Whether a group waited longer than it should, for hosts of this lab that will come back to it: it keeps nothing
    while it could not get all that it needs."""
    if rows.get(Job, entry.job_id).created_on > now - PATIENCE:
        return False
    return len(_fitting(entry, queue, hosts.alive(lab.id))) >= queue.size


def _fitting(entry: HostQueueEntry, queue: Queue, among: Iterable[Candidate]) -> frozenset[int]:
    """Ids of the hosts that the queue accepts and its next entry may have."""
    accepted = [host for host in among if queue.accepts(host.host_id, host.labels)]
    if queue.host_id is None:
        accepted = [host for host in accepted if host.rare <= queue.labels]
    return frozenset(usable(entry, queue, accepted)) if accepted else frozenset()


def _spoken_for(free: list[Candidate]) -> set[int]:
    """Hosts that an entry waits for by name and may use: such entries go first whatever their priority, so that people
    who name a host do not starve. Groups of named hosts have turns."""
    if not free:
        return set()
    carried = {host.host_id: host.labels for host in free}
    named = (
        HostQueueEntry.select(HostQueueEntry.host, HostQueueEntry.queue_key, Job.owner)
        .join(Job)
        .where(
            HostQueueEntry.host.in_(list(carried)),
            HostQueueEntry.status == EntryStatus.QUEUED.value,
            HostQueueEntry.active == False,  # noqa: E712 - an SQL expression
        )
        .distinct()
        .tuples()
    )
    found = set()
    for host_id, key, owner in named:
        queue = labels.queue_named(key)
        if queue is None or queue.size > 1:
            continue
        if queue.accepts(host_id, carried[host_id]) and users.may_use(owner or "", [host_id]):
            found.add(host_id)
    return found


_REFUSED = Prepared(
    lambda job: IneligibleHostQueue.select(IneligibleHostQueue.host).where(IneligibleHostQueue.job == job)
)
