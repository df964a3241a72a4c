"""Leases: exclusive use of one host, from the claim of an entry to the release after its last step.

The row id of a lease is its fencing token. A worker beats only for the steps that it runs; a step that waits has a
due time. Who finds a lease without sign of life takes it back (reconcile.py).
"""

from __future__ import annotations

import datetime
import enum
from collections.abc import Collection
from typing import NamedTuple

import peewee

from autotest.models.afe import (
    Host,
    HostAttribute,
    HostQueueEntry,
    IneligibleHostQueue,
    Job,
    Label,
    SpecialTask,
)
from autotest.models.database import transaction
from autotest.models.lab import Lab, Lease
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


def claim(lab: Lab, key: str, now: datetime.datetime, due_in: datetime.timedelta) -> Claim:
    """Give the best queued entry of the queue *key* a free host of *lab*, in one transaction.

    Within the queue: higher priority first, then older first, to the first entry that a free host may serve
    (ACL, ineligible rows and only_if_needed labels decide here).
    """
    with transaction():
        queue = labels.queue_named(key)
        if queue is None or entries.next_queued(key) is None:
            labels.mark_idle([key])
            return Claim(Found.NO_ENTRY)
        lease = _serve(lab, queue, now + due_in) if _serves(lab) else None
        if lease is None:
            return Claim(Found.NO_HOST)
        return Claim(Found.GRANTED, lease.id, lease.host_id, (step_wake(lease, lab.name),))


def _serves(lab: Lab) -> bool:
    """False once a newer worker serves the lab: this one gets no more work."""
    return bool(Lab.get_by_id(lab.id).incarnation == lab.incarnation)


def _serve(lab: Lab, queue: Queue, due_at: datetime.datetime) -> Lease | None:
    """A lease for the first entry of *queue* that a free host of *lab* may serve."""
    free = _candidates(lab, queue)
    if not free:
        return None
    others = [each for each in labels.busy_queues() if each.key != queue.key]
    host_ids = [host.host_id for host in free]
    refused = set(
        IneligibleHostQueue.select(IneligibleHostQueue.job, IneligibleHostQueue.host)
        .where(IneligibleHostQueue.host.in_(host_ids))
        .tuples()
    )
    allowed: dict[str, set[int]] = {}
    for entry in entries.waiting(queue.key):
        owner = entry.job.owner or ""
        if owner not in allowed:
            allowed[owner] = users.may_use(owner, host_ids)
        fitting = [
            host
            for host in free
            if host.host_id in allowed[owner]
            and (queue.host_id is not None or (entry.job_id, host.host_id) not in refused)
        ]
        lease = _assign_best(lab, entry, fitting, others, due_at)
        if lease is not None:
            return lease
    return None


def _assign_best(
    lab: Lab, entry: HostQueueEntry, fitting: list[Candidate], others: list[Queue], due_at: datetime.datetime
) -> Lease | None:
    versions = labels.versions(entries.wanted(entry)) if fitting else frozenset()
    while (host := matching.choose(fitting, versions, others)) is not None:
        try:
            with transaction():
                return _assign(lab, entry, host, due_at)
        except peewee.IntegrityError:
            # The schema keeps promise 2: another claim has this host.
            fitting.remove(host)
    return None


def grant_tasks(lab: Lab, now: datetime.datetime, due_in: datetime.timedelta) -> list[Wake]:
    """Lease free hosts to the tasks that wait for them (repair before verify, then by id; section 2.5)."""
    woken: list[Wake] = []
    if not _serves(lab):
        return woken
    waiting = (
        SpecialTask.select(SpecialTask, Host)
        .join(Host)
        .where(
            Host.lab == lab.id,
            Host.locked == False,  # noqa: E712 - an SQL expression
            Host.invalid == False,  # noqa: E712
            SpecialTask.is_complete == False,  # noqa: E712
            SpecialTask.is_active == False,  # noqa: E712
            SpecialTask.queue_entry.is_null(),
        )
    )
    order = [TaskKind.REPAIR, TaskKind.VERIFY, TaskKind.PROVISION]
    for task in sorted(waiting, key=lambda task: (order.index(TaskKind(task.task)), task.id)):
        try:
            with transaction():
                if Lease.select().where(Lease.host == task.host_id, Lease.released_at.is_null()).exists():
                    continue
                step = STEP_OF[TaskKind(task.task)]
                lease = grant(lab, task.host_id, None, task.id, step, now + due_in)
        except peewee.IntegrityError:
            continue
        woken.append(step_wake(lease, lab.name))
    return woken


def grant(
    lab: Lab, host_id: int, entry_id: int | None, task_id: int | None, step: Step, due_at: datetime.datetime
) -> Lease:
    """Open a lease. Raises IntegrityError while another is open. Runs inside the caller's transaction."""
    lease = Lease.create(
        host=host_id,
        lab=lab.id,
        incarnation=lab.incarnation,
        entry=entry_id,
        task=task_id,
        step=step.value,
        due_at=due_at,
    )
    Host.update(leased=True).where(Host.id == host_id).execute()
    return lease


def release(lease: Lease, reason: str, now: datetime.datetime) -> bool:
    """Close a lease. False: it was closed before, so the caller must change nothing. Runs inside a transaction."""
    closed = (
        Lease.update(released_at=now, release_reason=reason[: Lease.release_reason.max_length])
        .where(Lease.id == lease.id, Lease.released_at.is_null())
        .execute()
    )
    if closed:
        Host.update(leased=False).where(Host.id == lease.host_id).execute()
    return bool(closed)


def next_step(lease: Lease, step: Step, due_at: datetime.datetime, task_id: int | None) -> None:
    """Let the lease wait for *step*. Runs inside the caller's transaction."""
    Lease.update(step=step.value, due_at=due_at, pokes=0, task=task_id).where(
        Lease.id == lease.id, Lease.released_at.is_null()
    ).execute()


def beat(tokens: Collection[int]) -> set[int]:
    """One sign of life for every step that runs. Returns the tokens that are still open: the others are lost."""
    if not tokens:
        return set()
    wanted = list(tokens)
    with transaction():
        Lease.update(beat=Lease.beat + 1).where(Lease.id.in_(wanted), Lease.released_at.is_null()).execute()
        rows = Lease.select(Lease.id).where(Lease.id.in_(wanted), Lease.released_at.is_null())
        return {token for (token,) in rows.tuples()}


def open_leases(lab_id: int) -> list[Lease]:
    """The open leases of a lab."""
    return list(Lease.select().where(Lease.lab == lab_id, Lease.released_at.is_null()))


def step_wake(lease: Lease, lab_name: str) -> Wake:
    """The wake for the step that the lease waits for, shown as ``sleeptest on rack1-host3, job 12``."""
    host = Host.get_by_id(lease.host_id)
    if lease.entry_id is None:
        what = f"{lease.step} of {host.hostname}"
    else:
        job = HostQueueEntry.get_by_id(lease.entry_id).job
        what = f"{entries.short_name(job)} on {host.hostname}, job {job.id}"
    return wakes.step_due(lab_name, lease.id, Step(lease.step), what)


def _candidates(lab: Lab, queue: Queue) -> list[Candidate]:
    free = hosts.free(lab.id, None if queue.host_id is None else [queue.host_id])
    fitting = [host for host in free if queue.accepts(host.host_id, host.labels)]
    if queue.host_id is not None or not fitting:
        return fitting
    spoken_for = _spoken_for(fitting)
    rare = {name for (name,) in Label.select(Label.name).where(Label.only_if_needed == True).tuples()}  # noqa: E712
    return [host for host in fitting if host.host_id not in spoken_for and not (host.labels & rare) - queue.labels]


def _spoken_for(free: list[Candidate]) -> set[int]:
    """Hosts that an entry waits for by name and may use: such entries go first whatever their priority, so that people
    who name a host do not starve."""
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


def _assign(lab: Lab, entry: HostQueueEntry, host: Candidate, due_at: datetime.datetime) -> Lease | None:
    taken = (
        HostQueueEntry.update(host=host.host_id, active=True, reason="")
        .where(
            HostQueueEntry.id == entry.id,
            HostQueueEntry.status == EntryStatus.QUEUED.value,
            HostQueueEntry.active == False,  # noqa: E712 - an SQL expression
            HostQueueEntry.aborted == False,  # noqa: E712
        )
        .execute()
    )
    if not taken:
        return None
    IneligibleHostQueue.insert(job=entry.job_id, host=host.host_id).on_conflict_ignore().execute()
    kind = first_task(entry, host)
    task_id = None
    if kind is not None:
        requested_by = users.named(entry.job.owner)
        task_id = SpecialTask.create(
            host=host.host_id, task=kind.value, queue_entry=entry.id, requested_by=requested_by
        ).id
    else:
        entries.advance(entry.id, EntryStatus.QUEUED, EntryStatus.PENDING)
        entries.advance(entry.id, EntryStatus.PENDING, EntryStatus.STARTING)
        Host.update(status=HostStatus.PENDING.value).where(Host.id == host.host_id).execute()
    return grant(lab, host.host_id, entry.id, task_id, STEP_OF[kind] if kind else Step.RUN_TEST, due_at)


def first_task(entry: HostQueueEntry, host: Candidate) -> TaskKind | None:
    """What is done to the host before the entry may run on it (section 2.5, without the tasks of the lab issue)."""
    wanted = entries.wanted(entry)
    missing = labels.versions(wanted) - host.labels
    if missing and "skip_provision" not in wanted and _provisioner(host.host_id):
        return TaskKind.PROVISION
    protection = Host.get_by_id(host.host_id).protection
    if entry.job.run_verify and protection != Protection.DO_NOT_VERIFY:
        return TaskKind.VERIFY
    return None


def _provisioner(host_id: int) -> str:
    row = HostAttribute.get_or_none(HostAttribute.host == host_id, HostAttribute.attribute == "provisioner")
    return row.value if row else ""
