"""Leases: exclusive use of one host, from the claim of an entry to the release after its last step.

The row id of a lease is its fencing token. A worker beats only for the steps that it runs; a step that waits has a
due time. Who finds a lease without sign of life takes it back (reconcile.py).
"""

from __future__ import annotations

import datetime
import enum
import heapq
import itertools
import operator
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import peewee

from autotest.host_info import natural_order
from autotest.models import rows
from autotest.models.afe import (
    Host,
    HostAttribute,
    HostQueueEntry,
    IneligibleHostQueue,
    Job,
    SpecialTask,
)
from autotest.models.database import holding, retried, transaction, utc_now
from autotest.models.lab import Lab, Lease
from autotest.models.prepared import Prepared
from autotest.scheduler import entries, groups, labels, matching, turns, users, wakes
from autotest.scheduler import quotas as suite_quotas
from autotest.scheduler.labels import Queue
from autotest.scheduler.matching import Candidate
from autotest.scheduler.quotas import Quota
from autotest.scheduler.wakes import Wake
from autotest.states import STEP_OF, EntryStatus, HostStatus, Protection, Step, TaskKind


class Found(enum.Enum):
    """What a claim found."""

    GRANTED = "granted"
    NO_HOST = "no host"
    NO_ENTRY = "no entry"


class Claim(NamedTuple):
    """The result of a claim: token and hosts when leases were granted; of a group, the token that leads."""

    found: Found
    token: int | None = None
    host_ids: tuple[int, ...] = ()
    wakes: tuple[Wake, ...] = ()

    @property
    def host_id(self) -> int | None:
        """The host, of a group the one whose lease leads; None when no lease was granted."""
        return self.host_ids[0] if self.host_ids else None


@retried
def claim(lab: Lab, key: str, now: datetime.datetime, due_in: datetime.timedelta) -> Claim:
    """Give the best queued entry of the label queue *key* and its family a free host of *lab*, in one transaction;
    entries that run together get all their hosts or none.

    Within the family: suites below their minimum of machines first, then higher priority, then older, to the first
    entry that free hosts may serve (ACL, ineligible rows and only_if_needed labels decide here). A suite that holds as
    many machines as it may is passed over.
    """
    unfit: set[tuple[int, int]] = set()
    while True:
        try:
            with transaction():
                return _claim(lab, key, now, due_in, unfit)
        except _Leased as problem:
            # The schema keeps promise 2: another claim has this host.
            unfit.add((problem.entry_id, problem.host_id))


class _Leased(Exception):
    """The host that was chosen for an entry, or the entry itself, has an open lease."""

    def __init__(self, entry_id: int, host_id: int):
        super().__init__(entry_id, host_id)
        self.entry_id = entry_id
        self.host_id = host_id


def _claim(
    lab: Lab, key: str, now: datetime.datetime, due_in: datetime.timedelta, unfit: Collection[tuple[int, int]]
) -> Claim:
    """What claim does in its transaction. *unfit* are pairs of entry and host that are not to be tried (again). Raises
    _Leased when the transaction has to begin anew."""
    is_served = _serves(lab)
    busy = labels.busy_queues()
    lines = labels.family_of(key, busy)
    heads = {queue.key: _Line(queue) for queue in lines}
    empty = [key for key, line in heads.items() if line.first is None]
    if empty:
        labels.mark_idle(empty)
    waiting = [line for line in heads.values() if line.first is not None]
    if not waiting:
        return Claim(Found.NO_ENTRY)
    if not is_served:
        return Claim(Found.NO_HOST)
    return _serve(lab, waiting, busy, now, now + due_in, unfit)


class _Line:
    """The entries that wait in one queue: the *first* one, and all of them in order of service."""

    def __init__(self, queue: Queue):
        self.queue = queue
        self._rest = entries.waiting(queue.key)
        self.first = next(self._rest, None)

    def turns(self, quotas: Mapping[int, Quota]) -> Iterator[tuple[tuple[int, ...], Queue, HostQueueEntry]]:
        """Each entry with its place among those of the family."""
        suite = self.queue.suite_id
        owed = suite is not None and quotas[suite].owed > 0
        for entry in itertools.chain([self.first] if self.first is not None else [], self._rest):
            place = (0, -entry.priority, suite or 0, entry.id) if owed else (1, -entry.priority, entry.id)
            yield place, self.queue, entry


def _serves(lab: Lab) -> bool:
    """False once a newer worker serves the lab, and while the lab is drained: this worker gets no more work.

    The lab stays held: one claim at a time chooses among its hosts, so that none chooses what another one has taken.
    """
    return _SERVED.row(lab.id, lab.incarnation) is not None


def _serve(
    lab: Lab,
    lines: list[_Line],
    busy: Sequence[Queue],
    now: datetime.datetime,
    due_at: datetime.datetime,
    unfit: Collection[tuple[int, int]],
) -> Claim:
    """Leases for the first entry of the *lines*, all of one family, that free hosts of *lab* may serve."""
    own = {line.queue.suite_id for line in lines if line.queue.suite_id is not None}
    quotas = suite_quotas.settled(own)
    quotas |= suite_quotas.of({queue.suite_id for queue in busy if queue.suite_id is not None} - own)
    open_lines = [
        line for line in lines if line.queue.suite_id is None or quotas[line.queue.suite_id].allows(line.queue.size)
    ]
    free = turns.candidates(lab, lines[0].queue, busy, quotas, now) if open_lines else []
    if len(free) < lines[0].queue.size:
        return Claim(Found.NO_HOST)
    others = [queue for queue in busy if queue.family != lines[0].queue.family]
    host_ids = [host.host_id for host in free]
    allowed: dict[str, set[int]] = {}
    asked: dict[int, entries.Asked] = {}
    for _, queue, entry in heapq.merge(*(line.turns(quotas) for line in open_lines), key=operator.itemgetter(0)):
        if entry.job_id in asked and queue.size > 1:
            # Its group was looked at already.
            continue
        if entry.job_id not in asked:
            asked[entry.job_id] = entries.asked(entry)
        facts, owner = asked[entry.job_id], entry.job.owner or ""
        if owner not in allowed:
            allowed[owner] = users.may_use_as(facts.owner_id, facts.access_level, host_ids)
        usable = allowed[owner] - (facts.refused if queue.host_id is None else frozenset())
        fitting = [host for host in free if host.host_id in usable and (entry.id, host.host_id) not in unfit]
        claim = _assign_best(lab, queue, entry, facts, fitting, others, due_at) if len(fitting) >= queue.size else None
        if claim is not None:
            return claim
    return Claim(Found.NO_HOST)


def _assign_best(
    lab: Lab,
    queue: Queue,
    entry: HostQueueEntry,
    asked: entries.Asked,
    fitting: list[Candidate],
    others: Sequence[Queue],
    due_at: datetime.datetime,
) -> Claim | None:
    if queue.size > 1:
        return _assign_group(lab, queue, entry, asked, fitting, others, due_at)
    host = matching.choose(fitting, labels.versions(asked.wanted), others)
    if host is None:
        return None
    try:
        lease = _assign(lab, entry, host, asked, due_at)
    except peewee.IntegrityError as problem:
        raise _Leased(entry.id, host.host_id) from problem
    if lease is None:
        return None
    wake = entry_wake(lab.name, lease.id, Step(lease.step), entry.job, host.hostname)
    return Claim(Found.GRANTED, lease.id, (host.host_id,), (wake,))


def _assign_group(
    lab: Lab,
    queue: Queue,
    first: HostQueueEntry,
    asked: entries.Asked,
    fitting: list[Candidate],
    others: Sequence[Queue],
    due_at: datetime.datetime,
) -> Claim | None:
    """All the hosts that a group of the first entry's job needs, or none."""
    pairs = _pairs(queue, entries.waiting_of(first.job_id, queue.key), fitting, labels.versions(asked.wanted), others)
    if len(pairs) < queue.size:
        return None
    try:
        with transaction():
            granted = [_assign(lab, entry, host, asked, due_at, together=True) for entry, host in pairs]
            leased = [lease for lease in granted if lease is not None]
            if len(leased) < queue.size:
                raise _PartlyGone
            groups.form([entry.id for entry, _ in pairs], leased[0])
            woken = groups.start(rows.get(HostQueueEntry, pairs[0][0].id), due_at, utc_now())
    except (peewee.IntegrityError, _PartlyGone):
        # The entries still wait: their message goes back, and the next claim looks again.
        return None
    woken += [
        entry_wake(lab.name, lease.id, Step(lease.step), entry.job, host.hostname)
        for lease, (entry, host) in zip(leased, pairs, strict=True)
        if lease.step != Step.HOLD.value
    ]
    return Claim(Found.GRANTED, leased[0].id, tuple(host.host_id for _, host in pairs), tuple(woken))


class _PartlyGone(Exception):
    """An entry of a group was aborted while its hosts were chosen."""


def _pairs(
    queue: Queue,
    waiting: Sequence[HostQueueEntry],
    fitting: Sequence[Candidate],
    versions: frozenset[str],
    others: Sequence[Queue],
) -> list[tuple[HostQueueEntry, Candidate]]:
    """Which of the waiting entries of a job gets which host, in natural order of the hosts."""
    if queue.host_id is not None:
        of_host = {entry.host_id: entry for entry in waiting}
        meant = [(of_host[host.host_id], host) for host in fitting if host.host_id in of_host]
        return sorted(meant, key=lambda pair: natural_order(pair[1].hostname))[: queue.size]
    chosen = matching.several(fitting, queue.size, versions, others)
    chosen.sort(key=lambda host: natural_order(host.hostname))
    return list(zip(waiting, chosen, strict=False)) if len(waiting) >= queue.size else []


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
        if not _serves(lab) or Lease.select().where(Lease.host == host_id, Lease.released_at.is_null()).exists():
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


def release(lease: Lease, reason: str, now: datetime.datetime) -> bool:
    """Close a lease. False: it was closed before, so the caller must change nothing. Runs inside a transaction."""
    closing = {"released_at": now, "release_reason": reason[: Lease.release_reason.max_length]}
    closed = rows.change(Lease, closing, id=lease.id, released_at=None)
    if closed:
        rows.change(Host, {"leased": False}, id=lease.host_id)
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


def granted_to(token: int, lab: Lab) -> bool:
    """Whether this very incarnation of the lab holds the lease: its successor listens to the same queue."""
    lease = rows.get_or_none(Lease, token)
    return lease is not None and (lease.lab_id, lease.incarnation) == (lab.id, lab.incarnation)


def step_wake(lease: Lease, lab_name: str) -> Wake:
    """The wake for the step that the lease waits for, shown as ``sleeptest on rack1-host3, job 12``."""
    host = Host.get_by_id(lease.host_id)
    if lease.entry_id is None:
        return wakes.step_due(lab_name, lease.id, Step(lease.step), f"{lease.step} of {host.hostname}")
    job = HostQueueEntry.get_by_id(lease.entry_id).job
    return entry_wake(lab_name, lease.id, Step(lease.step), job, host.hostname)


def entry_wake(lab_name: str, token: int, step: Step, job: Job, hostname: str) -> Wake:
    """The wake for a step of an entry of *job*, for callers who know the rows."""
    return wakes.step_due(lab_name, token, step, f"{entries.short_name(job)} on {hostname}, job {job.id}")


def _assign(
    lab: Lab,
    entry: HostQueueEntry,
    host: Candidate,
    asked: entries.Asked,
    due_at: datetime.datetime,
    together: bool = False,
) -> Lease | None:
    """A lease for what is done to the host first; *together* with others it is held where nothing is to be done."""
    if not _TAKE.changed(entry.id, host.host_id):
        return None
    _REFUSE.inserted(entry.job_id, host.host_id)
    kind = first_task(entry, host, asked.wanted)
    task_id = None
    if kind is not None:
        requested_by = asked.owner_id if asked.owner_id is not None else users.named(entry.job.owner).id
        task_id = _ORDER.inserted(host.host_id, kind.value, entry.id, requested_by, utc_now())
    else:
        entries.advance(entry.id, EntryStatus.QUEUED, EntryStatus.PENDING)
        if not together:
            entries.advance(entry.id, EntryStatus.PENDING, EntryStatus.STARTING)
        Host.update(status=HostStatus.PENDING.value).where(Host.id == host.host_id).execute()
    if kind is None and together:
        return grant(lab, host.host_id, entry.id, None, Step.HOLD, None)
    return grant(lab, host.host_id, entry.id, task_id, STEP_OF[kind] if kind else Step.RUN_TEST, due_at)


def first_task(entry: HostQueueEntry, host: Candidate, wanted: frozenset[str]) -> TaskKind | None:
    """What is done to the host before the entry, which wants these labels, may run on it (section 2.5, without the
    tasks of the lab issue)."""
    missing = labels.versions(wanted) - host.labels
    if missing and "skip_provision" not in wanted and _provisioner(host.host_id):
        return TaskKind.PROVISION
    if not entry.job.run_verify:
        return None
    return None if host.protection == Protection.DO_NOT_VERIFY else TaskKind.VERIFY


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
_REFUSE = Prepared(lambda job, host: IneligibleHostQueue.insert(job=job, host=host).on_conflict_ignore())
_TAKE = Prepared(
    lambda entry_id, host: HostQueueEntry.update(host=host, active=True, reason="").where(
        HostQueueEntry.id == entry_id,
        HostQueueEntry.status == EntryStatus.QUEUED.value,
        HostQueueEntry.active == False,  # noqa: E712 - an SQL expression
        HostQueueEntry.aborted == False,  # noqa: E712
    )
)
_ORDER = Prepared(
    lambda host, kind, entry_id, requested_by, now: SpecialTask.insert(
        host=host, task=kind, queue_entry=entry_id, requested_by=requested_by, time_requested=now
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


def _provisioner(host_id: int) -> str:
    row = HostAttribute.get_or_none(HostAttribute.host == host_id, HostAttribute.attribute == "provisioner")
    return row.value if row else ""
