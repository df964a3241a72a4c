"""Leases: exclusive use of one host, from the claim of an entry to the release after its last step.

The row id of a lease is its fencing token. A worker beats only for the steps that it runs; a step that waits has a
due time. Who finds a lease without sign of life takes it back (reconcile.py).
"""

from __future__ import annotations

import datetime
import enum
import itertools
from collections.abc import Collection, Iterable
from typing import NamedTuple

import peewee

from autotest.models import rows
from autotest.models.afe import (
    Host,
    HostAttribute,
    HostQueueEntry,
    IneligibleHostQueue,
    Job,
    Label,
    SpecialTask,
)
from autotest.models.database import holding, retried, transaction, utc_now
from autotest.models.lab import Lab, Lease
from autotest.models.prepared import Prepared
from autotest.scheduler import entries, hosts, labels, matching, users, wakes
from autotest.scheduler.labels import Queue
from autotest.scheduler.matching import Candidate
from autotest.scheduler.wakes import Wake
from autotest.states import STEP_OF, EntryStatus, HostStatus, Protection, Step, TaskKind


class Found(enum.Enum):
    """What a claim found."""

    GRANTED = "granted"
    NO_HOST = "no host"
    NO_ENTRY = "no entry"


class Claim(NamedTuple):
    """The result of a claim: the lease's token and host when one was granted."""

    found: Found
    token: int | None = None
    host_id: int | None = None
    wakes: tuple[Wake, ...] = ()


@retried
def claim(lab: Lab, key: str, now: datetime.datetime, due_in: datetime.timedelta) -> Claim:
    """Give the best queued entry of the queue *key* a free host of *lab*, in one transaction.

    Within the queue: higher priority first, then older first, to the first entry that a free host may serve
    (ACL, ineligible rows and only_if_needed labels decide here).
    """
    with transaction():
        is_served = _serves(lab)
        queue = labels.queue_named(key)
        line = entries.waiting(key)
        first = next(line, None) if queue is not None else None
        if queue is None or first is None:
            labels.mark_idle([key])
            return Claim(Found.NO_ENTRY)
        if not is_served:
            return Claim(Found.NO_HOST)
        return _serve(lab, queue, itertools.chain([first], line), now + due_in)


def _serves(lab: Lab) -> bool:
    """False once a newer worker serves the lab, and while the lab is drained: this worker gets no more work.

    The lab stays held: one claim at a time chooses among its hosts, so that none chooses what another one has taken.
    """
    return _SERVED.row(lab.id, lab.incarnation) is not None


def _serve(lab: Lab, queue: Queue, line: Iterable[HostQueueEntry], due_at: datetime.datetime) -> Claim:
    """A lease for the first entry of the *line* of *queue* that a free host of *lab* may serve."""
    others = [each for each in labels.busy_queues() if each.key != queue.key]
    free = _candidates(lab, queue, others)
    if not free:
        return Claim(Found.NO_HOST)
    host_ids = [host.host_id for host in free]
    allowed: dict[str, set[int]] = {}
    refused: dict[int, set[int]] = {}
    for entry in line:
        owner = entry.job.owner or ""
        if owner not in allowed:
            allowed[owner] = users.may_use(owner, host_ids)
        if entry.job_id not in refused:
            refused[entry.job_id] = _refused(entry, queue)
        usable = allowed[owner] - refused[entry.job_id]
        fitting = [host for host in free if host.host_id in usable]
        claim = _assign_best(lab, entry, fitting, others, due_at) if fitting else None
        if claim is not None:
            return claim
    return Claim(Found.NO_HOST)


def _refused(entry: HostQueueEntry, queue: Queue) -> set[int]:
    """Hosts that the entry's job may not take again; an entry that names its host takes it all the same."""
    if queue.host_id is not None:
        return set()
    return {host_id for (host_id,) in _REFUSED.rows(entry.job_id)}


def _assign_best(
    lab: Lab, entry: HostQueueEntry, fitting: list[Candidate], others: list[Queue], due_at: datetime.datetime
) -> Claim | None:
    wanted = entries.wanted(entry)
    while (host := matching.choose(fitting, labels.versions(wanted), others)) is not None:
        try:
            with transaction():
                lease = _assign(lab, entry, host, wanted, due_at)
            if lease is None:
                return None
            wake = entry_wake(lab.name, lease.id, Step(lease.step), entry.job, host.hostname)
            return Claim(Found.GRANTED, lease.id, host.host_id, (wake,))
        except peewee.IntegrityError:
            # The schema keeps promise 2: another claim has this host.
            fitting.remove(host)
    return None


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
    lab: Lab, host_id: int, entry_id: int | None, task_id: int | None, step: Step, due_at: datetime.datetime
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


def _candidates(lab: Lab, queue: Queue, others: list[Queue]) -> list[Candidate]:
    fitting = hosts.free(lab.id, queue)
    if queue.host_id is not None or not fitting:
        return fitting
    named = {each.host_id for each in others}
    spoken_for = _spoken_for([host for host in fitting if host.host_id in named])
    rare = {name for (name,) in _RARE.rows()}
    return [host for host in fitting if host.host_id not in spoken_for and not (host.labels & rare) - queue.labels]


def _spoken_for(free: list[Candidate]) -> set[int]:
    """Hosts that an entry waits for by name and may use: such entries go first whatever their priority, so that people
    who name a host do not starve."""
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
        if queue is not None and queue.accepts(host_id, carried[host_id]) and users.may_use(owner or "", [host_id]):
            found.add(host_id)
    return found


def _assign(
    lab: Lab, entry: HostQueueEntry, host: Candidate, wanted: set[str], due_at: datetime.datetime
) -> Lease | None:
    if not _TAKE.changed(entry.id, host.host_id):
        return None
    _REFUSE.inserted(entry.job_id, host.host_id)
    kind = first_task(entry, host, wanted)
    task_id = None
    if kind is not None:
        requested_by = users.id_of(entry.job.owner)
        task_id = _ORDER.inserted(host.host_id, kind.value, entry.id, requested_by, utc_now())
    else:
        entries.advance(entry.id, EntryStatus.QUEUED, EntryStatus.PENDING)
        entries.advance(entry.id, EntryStatus.PENDING, EntryStatus.STARTING)
        Host.update(status=HostStatus.PENDING.value).where(Host.id == host.host_id).execute()
    return grant(lab, host.host_id, entry.id, task_id, STEP_OF[kind] if kind else Step.RUN_TEST, due_at)


def first_task(entry: HostQueueEntry, host: Candidate, wanted: set[str]) -> TaskKind | None:
    """What is done to the host before the entry, which wants these labels, may run on it (section 2.5, without the
    tasks of the lab issue)."""
    missing = labels.versions(wanted) - host.labels
    if missing and "skip_provision" not in wanted and _provisioner(host.host_id):
        return TaskKind.PROVISION
    if not entry.job.run_verify:
        return None
    (protection,) = _PROTECTION.row(host.host_id) or (Protection.NO_PROTECTION,)
    return None if protection == Protection.DO_NOT_VERIFY else TaskKind.VERIFY


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
_RARE = Prepared(lambda: Label.select(Label.name).where(Label.only_if_needed == True))  # noqa: E712
_PROTECTION = Prepared(lambda host_id: Host.select(Host.protection).where(Host.id == host_id))
_REFUSED = Prepared(
    lambda job: IneligibleHostQueue.select(IneligibleHostQueue.host).where(IneligibleHostQueue.job == job)
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
