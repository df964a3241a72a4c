"""Lines: the entries that wait in each label queue, in order of service: higher priority first, then older.

Mostly the first entry of a queue is served, so that one is read from the index, and the others in pages that grow.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from typing import Any, NamedTuple

from peewee import JOIN, Value, fn

from autotest.models.afe import HostQueueEntry, IneligibleHostQueue, Job, JobDependencyLabel, Label, User
from autotest.models.lab import LabelQueue
from autotest.models.prepared import Prepared
from autotest.scheduler import entries, labels, wakes
from autotest.scheduler.labels import Queue
from autotest.scheduler.wakes import Wake
from autotest.states import EntryStatus

_FIRST_PAGE, _PAGE = 8, 100


class Queued(NamedTuple):
    """An entry that waits, with as much of it and of its job as a claim needs. *meta_host* is a label's id; None: the
    entry names the host *host_id*."""

    id: int
    priority: int
    meta_host: int | None
    host_id: int | None
    job_id: int
    owner: str
    job_name: str
    run_verify: bool


class Asked(NamedTuple):
    """What a claim has to know of an entry's job: labels *wanted*, hosts *refused* that it may not take (again), and
    its owner's id and access level: None and 0 where he has no row."""

    wanted: frozenset[str]
    refused: frozenset[int]
    owner_id: int | None
    access_level: int


class Line(NamedTuple):
    """A label queue with entries, and the first of them; None: its last entry has just gone."""

    queue: Queue
    first: Queued | None


def busy() -> list[Line]:
    """Every queue that had entries when it was last looked at."""
    read = _BUSY.rows()
    queues = labels.queues_of([row[:4] for row in read])
    return [Line(queue, None if row[4] is None else _queued(row[4:])) for queue, row in zip(queues, read, strict=True)]


def after(key: str, entry: Queued, page: int = _PAGE) -> Iterator[list[Queued]]:
    """The entries that wait in the queue *key* behind *entry*, in pages of up to *page*."""
    size = min(_FIRST_PAGE, page)
    rung, last = entry.priority, entry.id
    while True:
        read = [_queued(row) for row in _SAME_PRIORITY.rows(key, rung, last, size)]
        if not read:
            read = [_queued(row) for row in _LOWER_PRIORITY.rows(key, rung, size)]
        if not read:
            return
        yield read
        rung, last = read[-1].priority, read[-1].id
        size = min(8 * size, page)


def of_job(job_id: int, key: str) -> list[Queued]:
    """The entries of a job that wait in the queue *key*, oldest first."""
    return [_queued(row) for row in _OF_JOB.rows(job_id, key)]


def asked(waiting: Iterable[Queued]) -> dict[int, Asked]:
    """What a claim has to know of the job of each of these entries, by entry, in one query."""
    listed = list(waiting)
    jobs, owners = {entry.job_id for entry in listed}, {entry.owner for entry in listed}
    metahosts = {entry.meta_host for entry in listed if entry.meta_host is not None}
    wanted: dict[int, set[str]] = defaultdict(set)
    refused: dict[int, set[int]] = defaultdict(set)
    label_names: dict[int | None, list[str]] = {}
    users: dict[str, tuple[int, int]] = {}
    for what, number, other, name in _ASKED.rows(sorted(jobs), sorted(metahosts), sorted(owners)):
        if what == _WANTS:
            wanted[number].add(name)
        elif what == _METAHOST:
            label_names[number] = [name]
        elif what == _REFUSES:
            refused[number].add(other)
        else:
            users[name] = number, other
    return {
        entry.id: Asked(
            frozenset(wanted[entry.job_id]).union(label_names.get(entry.meta_host, ())),
            frozenset(refused[entry.job_id]),
            *users.get(entry.owner, (None, 0)),
        )
        for entry in listed
    }


def wake(key: str, entry: Queued) -> Wake:
    """The wake of an entry that waits in the queue *key*."""
    shown = entries.shown(entry.job_name, entry.job_id)
    return wakes.entry_queued(key, entry.priority, entry.meta_host is None, shown)


def wake_of_family(key: str) -> Wake | None:
    """The wake of the entry that the queue *key* and its family would serve next, if any waits."""
    family = key.partition(".")[0]
    heads = [(line.first, line.queue.key) for line in busy() if line.queue.family == family and line.first is not None]
    first = min(heads, key=lambda head: (-head[0].priority, head[0].id), default=None)
    return None if first is None else wake(first[1], first[0])


def highest_priorities() -> dict[str, int]:
    """The highest priority that waits in each queue, in one query."""
    return dict(
        HostQueueEntry.select(HostQueueEntry.queue_key, fn.MAX(HostQueueEntry.priority))
        .where(
            HostQueueEntry.status == EntryStatus.QUEUED.value,
            HostQueueEntry.active == False,  # noqa: E712 - an SQL expression
            HostQueueEntry.queue_key != "",
        )
        .group_by(HostQueueEntry.queue_key)
        .tuples()
    )


def highest_priority(keys: Collection[str]) -> dict[str, int]:
    """The highest priority that waits in each of these queues; those without entries are left out."""
    return {key: priority for key, priority in _HIGHEST.rows(list(keys)) if priority is not None}


def _queued(row: tuple[Any, ...]) -> Queued:
    entry_id, priority, meta_host, host_id, job_id, owner, name, run_verify = row
    return Queued(entry_id, priority, meta_host, host_id, job_id, owner or "", name or "", bool(run_verify))


def _waits(row: Any, key: Any) -> Any:
    return (
        (row.status == EntryStatus.QUEUED.value)
        & (row.active == False)  # noqa: E712 - an SQL expression
        & (row.queue_key == key)
    )


def _first(key: Any, column: str) -> Any:
    """A query for one column of the first entry of the queue *key*."""
    row = HostQueueEntry.alias()
    return row.select(getattr(row, column)).where(_waits(row, key)).order_by(row.priority.desc(), row.id).limit(1)


_COLUMNS = (
    HostQueueEntry.id,
    HostQueueEntry.priority,
    HostQueueEntry.meta_host,
    HostQueueEntry.host,
    Job.id,
    Job.owner,
    Job.name,
    Job.run_verify,
)
_IN_LINE = HostQueueEntry.select(*_COLUMNS).join(Job)
_BUSY = Prepared(
    lambda: (
        LabelQueue.select(LabelQueue.key, LabelQueue.labels, LabelQueue.host, LabelQueue.host_count, *_COLUMNS)
        .join(HostQueueEntry, JOIN.LEFT_OUTER, on=(HostQueueEntry.id == _first(LabelQueue.key, "id")))
        .join(Job, JOIN.LEFT_OUTER, on=(Job.id == HostQueueEntry.job))
        .where(LabelQueue.busy == True)  # noqa: E712 - an SQL expression
    )
)
_SAME_PRIORITY = Prepared(
    lambda key, priority, last, size: (
        _IN_LINE.where(_waits(HostQueueEntry, key), HostQueueEntry.priority == priority, HostQueueEntry.id > last)
        .order_by(HostQueueEntry.id)
        .limit(size)
    )
)
_LOWER_PRIORITY = Prepared(
    lambda key, priority, size: (
        _IN_LINE.where(_waits(HostQueueEntry, key), HostQueueEntry.priority < priority)
        .order_by(HostQueueEntry.priority.desc(), HostQueueEntry.id)
        .limit(size)
    )
)
_OF_JOB = Prepared(
    lambda job_id, key: _IN_LINE.where(HostQueueEntry.job == job_id, _waits(HostQueueEntry, key)).order_by(
        HostQueueEntry.id
    )
)
_HIGHEST = Prepared(
    lambda keys: LabelQueue.select(LabelQueue.key, _first(LabelQueue.key, "priority")).where(LabelQueue.key.in_(keys))
)
#: Not a join: with many jobs MariaDB would begin with the few labels, and walk through all that depends on them.
_LABEL_NAME = Label.select(Label.name).where(Label.id == JobDependencyLabel.label)
_WANTS, _METAHOST, _REFUSES, _OWNER = range(4)
_ASKED = Prepared(
    lambda job_ids, metahosts, owners: (
        JobDependencyLabel.select(Value(_WANTS), JobDependencyLabel.job, Value(0), _LABEL_NAME)
        .where(JobDependencyLabel.job.in_(job_ids))
        .union_all(Label.select(Value(_METAHOST), Label.id, Value(0), Label.name).where(Label.id.in_(metahosts)))
        .union_all(
            IneligibleHostQueue.select(
                Value(_REFUSES), IneligibleHostQueue.job, IneligibleHostQueue.host, Value("")
            ).where(IneligibleHostQueue.job.in_(job_ids))
        )
        .union_all(User.select(Value(_OWNER), User.id, User.access_level, User.login).where(User.login.in_(owners)))
    )
)
