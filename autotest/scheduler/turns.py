"""Turns: who gets which free host, worked out from the rows (afe-scheduler-and-rpc.md section 3.2).

A wake-up names one queue; the hosts that it asks for may be wanted by others as well. The plan serves all that compete
for these hosts, in order of service: entries that name their host, whatever their priority; suites below their minimum
of machines; groups that waited so long that single entries would starve them; then higher priority, then age.
"""

from __future__ import annotations

import datetime
import enum
from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from autotest.host_info import natural_order
from autotest.models import rows
from autotest.models.afe import Job
from autotest.models.lab import Lab
from autotest.scheduler import hosts, labels, lines, matching, users
from autotest.scheduler.labels import Queue
from autotest.scheduler.lines import Asked, Line, Queued
from autotest.scheduler.matching import Candidate
from autotest.scheduler.quotas import Quota

#: A group that waited so long keeps hosts for itself.
PATIENCE = datetime.timedelta(minutes=1)
#: So many entries of another family that no host is for are passed over; whoever comes behind them in their line does
#: not go before the family that a claim is for.
_PASSED_OVER = 100
#: Of more queues than so many, all free hosts of the lab are looked at.
_ASKED_ONE_BY_ONE = 4
#: Accepts every host.
_ANY = Queue("", frozenset(), None)


class Rank(enum.IntEnum):
    """Why somebody goes before others."""

    NAMES_ITS_HOST = 0
    BELOW_MINIMUM = 1
    OVERDUE_GROUP = 2
    BY_PRIORITY = 3


class Pair(NamedTuple):
    """An entry and the host that it gets."""

    entry: Queued
    asked: Asked
    host: Candidate


class Turn(NamedTuple):
    """Hosts that go together: one to an entry, or to each entry of a group; a group that still misses some keeps those
    of *kept* until they are all free."""

    queue: Queue
    entry: Queued
    rank: Rank
    pairs: tuple[Pair, ...]
    kept: tuple[Candidate, ...] = ()

    @property
    def hosts(self) -> tuple[Candidate, ...]:
        """The hosts that nobody else gets any more."""
        return self.kept or tuple(pair.host for pair in self.pairs)


class Contest(NamedTuple):
    """The lines that compete for the *free* hosts, those of one *family* among them; *busy* are all queues."""

    family: str
    lines: list[Line]
    free: list[Candidate]
    busy: list[Queue]

    @property
    def suites(self) -> set[int]:
        """Suites whose number of machines decides."""
        return {line.queue.suite_id for line in self.lines if line.queue.suite_id is not None}


def contest(lab: Lab, key: str, busy: Sequence[Line]) -> Contest:
    """Who competes with the queue *key* and its family for the free hosts of *lab*, also by way of others."""
    family = key.partition(".")[0]
    waiting = [line for line in busy if line.first is not None]
    own = [line for line in waiting if line.queue.family == family]
    others = [line for line in waiting if line.queue.family != family]
    queues = [line.queue for line in busy]
    if not own:
        return Contest(family, [], [], queues)
    reached = _Pool(hosts.free(lab.id, own[0].queue))
    asked = [own[0].queue]
    competing = own
    while fresh := [line for line in others if reached.accepted(line.queue)]:
        competing = competing + fresh
        others = [line for line in others if line not in fresh]
        for queue in (line.queue for line in fresh):
            if any(_covers(each, queue) for each in asked):
                continue
            asked.append(queue if len(asked) < _ASKED_ONE_BY_ONE else _ANY)
            reached.add(hosts.free(lab.id, asked[-1]))
    return Contest(family, competing, reached.hosts(), queues)


def _covers(wide: Queue, narrow: Queue) -> bool:
    """Whether the first queue accepts every host that the second one does."""
    return wide.host_id is None and wide.labels <= narrow.labels


class Plan(NamedTuple):
    """What a plan came to: the *turns* in order, and the entry of the family, with its queue's key, that is the first
    one left; None also when the family had all that was asked for."""

    turns: list[Turn]
    waiting: tuple[str, Queued] | None


def plan(
    lab: Lab,
    contest: Contest,
    quotas: Mapping[int, Quota],
    now: datetime.datetime,
    most: int,
    at_once: int,
    unfit: Collection[tuple[int, int]] = (),
) -> Plan:
    """Who gets which host, in order of service, until the family of the *contest* had *most* turns, or no host is left
    for it, or there were *at_once* turns in all.

    *quotas* are those of the contest's suites, and *unfit* pairs of entry and host that are not to be tried.
    """
    planning = _Planning(lab, contest, quotas, now, unfit)
    turns: list[Turn] = []
    served = 0
    while served < most and len(turns) < at_once and (turn := planning.next_turn()) is not None:
        turns.append(turn)
        served += bool(turn.pairs) and turn.queue.family == contest.family
    return Plan(turns, planning.first_left() if served < most else None)


class _Pool:
    """Free hosts by kind, which is their labels: labs have many hosts of few kinds."""

    def __init__(self, free: Iterable[Candidate]):
        self._by_id: dict[int, Candidate] = {}
        self._kinds: dict[frozenset[str], dict[int, Candidate]] = defaultdict(dict)
        self.add(free)

    def add(self, free: Iterable[Candidate]) -> None:
        """These are free as well."""
        for host in free:
            self._by_id[host.host_id] = host
            self._kinds[host.labels][host.host_id] = host

    def hosts(self) -> list[Candidate]:
        """All of them."""
        return list(self._by_id.values())

    def accepted(self, queue: Queue) -> list[Candidate]:
        """Those that *queue* accepts."""
        if queue.host_id is None:
            return [host for kind, some in self._kinds.items() if queue.labels <= kind for host in some.values()]
        named = [self._by_id.get(host_id) for host_id in queue.hosts or {queue.host_id}]
        return [host for host in named if host is not None and queue.labels <= host.labels]

    def remove(self, taken: Iterable[Candidate]) -> None:
        """Take these away."""
        for host in taken:
            del self._by_id[host.host_id]
            del self._kinds[host.labels][host.host_id]


class _Place:
    """Where the planning stands in one line."""

    def __init__(self, line: Line):
        self.queue = line.queue
        self._read = deque([line.first] if line.first is not None else [])
        self._more = lines.after(line.queue.key, line.first) if line.first is not None else iter(())
        self._asked: dict[int, Asked] = {}
        #: How many entries were passed over.
        self.passed = 0

    @property
    def head(self) -> Queued | None:
        """The entry whose turn is next in this line."""
        if not self._read:
            self._read.extend(next(self._more, ()))
        return self._read[0] if self._read else None

    def asked(self, entry: Queued) -> Asked:
        """What a claim has to know of the job of *entry*; asked for all that was read at once."""
        if entry.id not in self._asked:
            self._asked = lines.asked(self._read)
        return self._asked[entry.id]

    def step(self) -> None:
        """The head had its turn; of a group, with all its job's entries."""
        passed = self._read.popleft()
        while self.queue.size > 1 and self.head is not None and self.head.job_id == passed.job_id:
            self._read.popleft()


class _Planning:
    """The state of a plan: hosts that are left, and how far each line and each quota is."""

    def __init__(
        self,
        lab: Lab,
        contest: Contest,
        quotas: Mapping[int, Quota],
        now: datetime.datetime,
        unfit: Collection[tuple[int, int]],
    ):
        self._lab = lab
        self._contest = contest
        self._quotas = dict(quotas)
        self._now = now
        self._unfit = unfit
        self._pool = _Pool(contest.free)
        self._places = [_Place(line) for line in contest.lines]
        self._allowed: dict[str, set[int]] = {}
        self._overdue: dict[int, bool] = {}
        #: Entries that were passed over, with the key of their queue.
        self._passed: list[tuple[Queue, Queued]] = []

    def next_turn(self) -> Turn | None:
        """The next turn; None when no host is left for the family of the contest, or no entry of it."""
        while True:
            ranked = [(rank, number) for number, each in enumerate(self._places) if (rank := self._rank(each))]
            if not any(self._places[number].queue.family == self._contest.family for _, number in ranked):
                return None
            rank, number = min(ranked)
            place = self._places[number]
            entry = place.head
            assert entry is not None
            turn = self._turn(place, entry, Rank(rank[0]))
            if turn is None or not turn.pairs:
                place.passed += 1
                self._passed.append((place.queue, entry))
            place.step()
            if turn is not None:
                self._pool.remove(turn.hosts)
                self._note(turn)
                return turn

    def _rank(self, place: _Place) -> tuple[int, ...] | None:
        """When it is the turn of the first entry of this line; None when it may have no host, or there is none."""
        queue, entry = place.queue, place.head
        quota = self._quotas.get(queue.suite_id) if queue.suite_id is not None else None
        if place.passed >= _PASSED_OVER and queue.family != self._contest.family:
            return None
        if entry is None or (quota is not None and not quota.allows(queue.size)) or not self._pool.accepted(queue):
            return None
        by_age = (-entry.priority, entry.id)
        if queue.host_id is not None and (queue.size == 1 or self._can_start(place, entry)):
            return Rank.NAMES_ITS_HOST, *by_age
        if quota is not None and quota.owed > 0:
            return Rank.BELOW_MINIMUM, -entry.priority, queue.suite_id or 0, entry.id
        if queue.size > 1 and self._is_overdue(place, entry):
            return Rank.OVERDUE_GROUP, *by_age
        return Rank.BY_PRIORITY, *by_age

    def first_left(self) -> tuple[str, Queued] | None:
        """The entry of the contest's family that is served next, once there are hosts, with its queue's key."""
        left = self._passed + [(place.queue, place.head) for place in self._places if place.head is not None]
        own = [(queue.key, entry) for queue, entry in left if queue.family == self._contest.family]
        return min(own, key=lambda each: (-each[1].priority, each[1].id), default=None)

    def _turn(self, place: _Place, entry: Queued, rank: Rank) -> Turn | None:
        queue = place.queue
        asked, fitting = place.asked(entry), self._fitting(place, entry)
        others = [each for each in self._contest.busy if each.family != queue.family]
        versions = labels.versions(asked.wanted)
        if queue.size == 1:
            host = matching.choose(fitting, versions, others)
            return None if host is None else Turn(queue, entry, rank, (Pair(entry, asked, host),))
        pairs = _pairs(queue, entry, asked, matching.several(fitting, queue.size, versions, others), fitting)
        if len(pairs) == queue.size:
            return Turn(queue, entry, rank, tuple(pairs))
        if rank is not Rank.OVERDUE_GROUP or not fitting:
            return None
        kept = matching.several(fitting, queue.size, frozenset(), self._contest.busy)
        return Turn(queue, entry, rank, (), tuple(kept))

    def _note(self, turn: Turn) -> None:
        """What its suite holds now."""
        suite = turn.queue.suite_id
        if suite in self._quotas:
            quota = self._quotas[suite]
            self._quotas[suite] = quota._replace(held=quota.held + len(turn.pairs))

    def _can_start(self, place: _Place, entry: Queued) -> bool:
        return len(self._fitting(place, entry)) >= place.queue.size

    def _is_overdue(self, place: _Place, entry: Queued) -> bool:
        """Whether a group waited longer than it should, for hosts of this lab that will come back to it: it keeps
        nothing while it could not get all that it needs."""
        if entry.job_id not in self._overdue:
            is_late = rows.get(Job, entry.job_id).created_on <= self._now - PATIENCE
            self._overdue[entry.job_id] = is_late and self._could_start(place, entry)
        return self._overdue[entry.job_id]

    def _could_start(self, place: _Place, entry: Queued) -> bool:
        alive = _Pool(hosts.alive(self._lab.id)).accepted(place.queue)
        asked = place.asked(entry)
        allowed = users.may_use_as(asked.owner_id, asked.access_level, [host.host_id for host in alive])
        return len([host for host in alive if _suits(place.queue, asked, host, allowed)]) >= place.queue.size

    def _fitting(self, place: _Place, entry: Queued) -> list[Candidate]:
        """The hosts that are left and that this entry may have."""
        asked = place.asked(entry)
        if entry.owner not in self._allowed:
            free = [host.host_id for host in self._contest.free]
            self._allowed[entry.owner] = users.may_use_as(asked.owner_id, asked.access_level, free)
        allowed = self._allowed[entry.owner]
        return [
            host
            for host in self._pool.accepted(place.queue)
            if _suits(place.queue, asked, host, allowed) and (entry.id, host.host_id) not in self._unfit
        ]


def _suits(queue: Queue, asked: Asked, host: Candidate, allowed: Collection[int]) -> bool:
    """Whether a host that the queue accepts is for this job. Who names a host takes it also for the second time, and
    whatever it is kept for (only_if_needed)."""
    if host.host_id not in allowed:
        return False
    return queue.host_id is not None or (host.host_id not in asked.refused and host.rare <= queue.labels)


def _pairs(
    queue: Queue, first: Queued, asked: Asked, chosen: list[Candidate], fitting: Sequence[Candidate]
) -> list[Pair]:
    """Which entry of a group gets which host, in natural order of the hosts: a named one its own, others one of those
    that were *chosen*; fewer than the group needs when that many do not fit."""
    waiting = lines.of_job(first.job_id, queue.key)
    if queue.host_id is not None:
        named = {entry.host_id: entry for entry in waiting}
        meant = [host for host in fitting if host.host_id in named]
        meant.sort(key=lambda host: natural_order(host.hostname))
        return [Pair(named[host.host_id], asked, host) for host in meant[: queue.size]]
    chosen = sorted(chosen, key=lambda host: natural_order(host.hostname))
    if min(len(waiting), len(chosen)) < queue.size:
        return []
    return [Pair(entry, asked, host) for entry, host in zip(waiting, chosen, strict=False)]
