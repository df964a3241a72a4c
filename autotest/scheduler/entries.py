"""Entries: every move of a HostQueueEntry, each a compare and set along the table in states.py."""

from __future__ import annotations

import datetime
from typing import Any

from autotest import errors, plurals, states
from autotest.models import rows
from autotest.models.afe import (
    AbortedEntry,
    HostQueueEntry,
    IneligibleHostQueue,
    Job,
    JobDependencyLabel,
    Label,
    SpecialTask,
    User,
)
from autotest.models.database import held, holding, retried, transaction
from autotest.models.prepared import Prepared
from autotest.scheduler import labels, users, wakes
from autotest.scheduler.wakes import Wake
from autotest.states import EntryStatus

_REASON = HostQueueEntry.reason.max_length
#: The parser is woken again when an entry was not parsed after so long.
_PARSE_DUE = datetime.timedelta(seconds=10)


def advance(entry_id: int, old: EntryStatus, new: EntryStatus, **columns: Any) -> bool:
    """Move one entry on, with *columns* in the same UPDATE. False: somebody else was here first, so do nothing.

    Raises IllegalMove when the table does not allow it.
    """
    if new not in states.MAY_FOLLOW.get(old, ()):
        raise errors.IllegalMove(f"entry {entry_id}: {new.value} may not follow {old.value}")
    if "reason" in columns:
        columns["reason"] = columns["reason"][:_REASON]
    columns |= {"status": new.value, "active": new in states.ACTIVE, "complete": new in states.FINAL}
    return rows.change(HostQueueEntry, columns, id=entry_id, status=old.value) == 1


def requeue(entry: HostQueueEntry, reason: str, counted: bool) -> list[Wake]:
    """Send an entry that holds a host back to its queue; a metahost entry also lets go of the host (section 2.3).

    *counted* says that a worker, child or DUT vanished, which is allowed only so often. Runs inside a transaction.
    """
    columns: dict[str, Any] = {"started_on": None, "finished_on": None, "execution_subdir": "", "token": None}
    columns["reason"] = reason
    if counted:
        columns["requeues"] = entry.requeues + 1
    if entry.meta_host_id is not None:
        columns["host"] = None
        IneligibleHostQueue.delete().where(
            IneligibleHostQueue.job == entry.job_id, IneligibleHostQueue.host == entry.host_id
        ).execute()
    status = EntryStatus(entry.status)
    if status is EntryStatus.QUEUED:
        HostQueueEntry.update(active=False, **columns).where(HostQueueEntry.id == entry.id).execute()
    elif not advance(entry.id, status, EntryStatus.QUEUED, **columns):
        return []
    labels.reopen(entry.queue_key)
    return [queued_wake(entry)]


def to_parsing(entry: HostQueueEntry, now: datetime.datetime, **columns: Any) -> bool:
    """Send an entry to the parser: its host is free from here on. Runs inside a transaction."""
    due_at = now + _PARSE_DUE
    return advance(entry.id, EntryStatus(entry.status), EntryStatus.PARSING, finished_on=now, due_at=due_at, **columns)


@retried
def finish(entry_id: int) -> list[Wake]:
    """Give a parsed entry, and those that ran in its group, their final state: aborted, else the runner's verdict.
    Returns the suite to wake, if any."""
    with transaction():
        entry = held(HostQueueEntry, HostQueueEntry.id == entry_id)
        if not [each for each in parsed_with(entry) if _finish(each)]:
            return []
        if not _incomplete([entry.job_id]):
            IneligibleHostQueue.delete().where(IneligibleHostQueue.job == entry.job_id).execute()
        return suite_wake(entry.job)


def _finish(entry: HostQueueEntry) -> bool:
    verdict = EntryStatus.COMPLETED if entry.succeeded else EntryStatus.FAILED
    return advance(entry.id, EntryStatus.PARSING, EntryStatus.ABORTED if entry.aborted else verdict)


def parsed_with(entry: HostQueueEntry) -> list[HostQueueEntry]:
    """The entries whose results lie in the folder of *entry*: itself, and those of its group that wait to be parsed."""
    if entry.status != EntryStatus.PARSING.value:
        return []
    if entry.token is None or entry.job.synch_count < 2:
        return [entry]
    together = HostQueueEntry.select().where(
        HostQueueEntry.job == entry.job_id,
        HostQueueEntry.token == entry.token,
        HostQueueEntry.status == EntryStatus.PARSING.value,
    )
    return list(holding(together.order_by(HostQueueEntry.id)))


def suite_wake(job: Job) -> list[Wake]:
    """A wake for the suite of *job* when no child of it is left incomplete. Runs inside the caller's transaction."""
    if job.parent_job_id is None:
        return []
    # Of two children that end at the same moment, the second one sees that the first has ended.
    held(HostQueueEntry, HostQueueEntry.job == job.parent_job_id)
    if children_left(job.parent_job_id):
        return []
    return [wakes.suite_ended(job.parent_job_id, f"end of suite job {job.parent_job_id}")]


def children_left(suite_id: int) -> bool:
    """Whether a child of the suite job has an entry that is not final."""
    return _incomplete(Job.select(Job.id).where(Job.parent_job == suite_id))


def _incomplete(jobs: Any) -> bool:
    """Whether an entry of these jobs (ids, or a query for them) is left that is not final."""
    return bool(
        HostQueueEntry.select()
        .where(HostQueueEntry.job.in_(jobs), HostQueueEntry.complete == False)  # noqa: E712 - an SQL expression
        .exists()
    )


@retried
def abort(entry_ids: list[int], by: str, reason: str, now: datetime.datetime) -> tuple[list[int], list[Wake]]:
    """Abort entries and, transitively, those of child jobs (section 2.6). What is complete or aborted already is left.

    An entry that holds no host and runs nowhere ends here; the worker stops the others. Returns the ids of the
    entries that this call aborted, and wakes. Raises ValidationError for a part of a group that runs.
    """
    aborted: list[int] = []
    ended: dict[int, Job] = {}
    woken: list[Wake] = []
    with transaction():
        user = users.named(by)
        # Parents first: marking a suite waits for whoever is creating its children, which are looked up afterwards.
        seen: set[int] = set()
        level = set(entry_ids)
        _refuse_parts_of_groups(level)
        while level:
            seen |= level
            for entry in _mark_aborted(level, reason):
                aborted.append(entry.id)
                _note_abort(entry, user, now)
                if EntryStatus(entry.status) is EntryStatus.QUEUED and not entry.active:
                    advance(entry.id, EntryStatus.QUEUED, EntryStatus.ABORTED, finished_on=now)
                    ended[entry.job_id] = entry.job
                elif entry.queue_key == "" and EntryStatus(entry.status) is EntryStatus.RUNNING:
                    woken.append(wakes.suite_ended(entry.job_id, f"end of suite job {entry.job_id}"))
            level = _children(level) - seen
        for job in ended.values():
            woken += stop_short(job, now)
        for job in {job.parent_job_id: job for job in ended.values()}.values():
            woken += suite_wake(job)
    return aborted, list(dict.fromkeys(woken))


def _refuse_parts_of_groups(entry_ids: set[int]) -> None:
    """Raise ValidationError where one of these entries runs in a group that is not wholly among them (section 2.6)."""
    running = [EntryStatus.STARTING.value, EntryStatus.RUNNING.value, EntryStatus.GATHERING.value]
    grouped = HostQueueEntry.select(HostQueueEntry.job, HostQueueEntry.token).where(
        HostQueueEntry.id.in_(list(entry_ids)),
        HostQueueEntry.token.is_null(False),
        HostQueueEntry.status.in_(running),
    )
    for job_id, token in list(grouped.distinct().tuples()):
        mates = HostQueueEntry.select(HostQueueEntry.id).where(
            HostQueueEntry.job == job_id, HostQueueEntry.token == token, HostQueueEntry.status.in_(running)
        )
        left = sorted({mate for (mate,) in mates.tuples()} - entry_ids)
        if left:
            told = f"job {job_id} runs on several hosts at once; abort entries {left} with the others, or none"
            raise errors.ValidationError({"entries": told})


def stop_short(job: Job, now: datetime.datetime) -> list[Wake]:
    """Stop the waiting entries of a job that has too few left for a group (section 2.3). Returns the suite to wake, if
    that was its last. Runs inside the caller's transaction."""
    if job.synch_count < 2:
        return []
    before = {EntryStatus.QUEUED, EntryStatus.PENDING, *states.PRE_JOB}
    left = HostQueueEntry.select().where(
        HostQueueEntry.job == job.id,
        HostQueueEntry.status.in_([status.value for status in before]),
        HostQueueEntry.aborted == False,  # noqa: E712 - an SQL expression
    )
    waiting = list(holding(left.order_by(HostQueueEntry.id)))
    if len(waiting) >= job.synch_count:
        return []
    left_over = plurals.counted(len(waiting), "of its entries is", "of its entries are")
    reason = f"{job.synch_count} machines at once are needed, and {left_over} left"
    stopped = [
        entry
        for entry in waiting
        if EntryStatus(entry.status) is EntryStatus.QUEUED
        and not entry.active
        and advance(entry.id, EntryStatus.QUEUED, EntryStatus.STOPPED, finished_on=now, reason=reason)
    ]
    return suite_wake(job) if stopped else []


def _mark_aborted(entry_ids: set[int], reason: str) -> list[HostQueueEntry]:
    """Those of the entries that this call marked, as they were when their rows were locked."""
    marked = [
        entry_id
        for entry_id in sorted(entry_ids)
        if HostQueueEntry.update(aborted=True, reason=reason[:_REASON])
        .where(
            HostQueueEntry.id == entry_id,
            HostQueueEntry.complete == False,  # noqa: E712 - an SQL expression
            HostQueueEntry.aborted == False,  # noqa: E712
        )
        .execute()
    ]
    return list(HostQueueEntry.select(HostQueueEntry, Job).join(Job).where(HostQueueEntry.id.in_(marked)))


def _note_abort(entry: HostQueueEntry, user: User, now: datetime.datetime) -> None:
    AbortedEntry.insert(queue_entry=entry.id, aborted_by=user.id, aborted_on=now).on_conflict_ignore().execute()
    SpecialTask.update(is_complete=True, is_aborted=True).where(
        SpecialTask.queue_entry == entry.id,
        SpecialTask.is_active == False,  # noqa: E712 - an SQL expression
        SpecialTask.is_complete == False,  # noqa: E712
        SpecialTask.task != states.TaskKind.REPAIR.value,
    ).execute()


def mark_aborted(entry_id: int, by: str, reason: str, now: datetime.datetime) -> None:
    """Mark one entry whose step is ending anyway. Runs inside the caller's transaction."""
    for entry in _mark_aborted({entry_id}, reason):
        _note_abort(entry, users.named(by), now)


def _children(entry_ids: set[int]) -> set[int]:
    """Entries of the jobs whose parent is the job of one of these entries."""
    parents = HostQueueEntry.select(HostQueueEntry.job).where(HostQueueEntry.id.in_(list(entry_ids)))
    children = Job.select(Job.id).where(Job.parent_job.in_(parents))
    found = HostQueueEntry.select(HostQueueEntry.id).where(HostQueueEntry.job.in_(children)).tuples()
    return {entry_id for (entry_id,) in found}


def wanted(entry: HostQueueEntry) -> set[str]:
    """Every label that the entry's job depends on, and its metahost."""
    return {name for (name,) in _WANTED.rows(entry.job_id, entry.meta_host_id)}


def queued_wake(entry: HostQueueEntry) -> Wake:
    """The wake of a queued entry."""
    bound = entry.meta_host_id is None
    return wakes.entry_queued(entry.queue_key, entry.priority, bound, shown(entry.job.name, entry.job_id))


_WANTED = Prepared(
    lambda job_id, meta_host: (
        Label.select(Label.name).join(JobDependencyLabel).where(JobDependencyLabel.job == job_id)
        | Label.select(Label.name).where(Label.id == meta_host)
    )
)


def shown(job_name: str | None, job_id: int) -> str:
    """``sleeptest, job 12``: a job's entry for people."""
    return f"{short_name(job_name)}, job {job_id}"


def short_name(job_name: str | None) -> str:
    """The test's own name: the job's name without ``<build>/<suite>/``."""
    return (job_name or "").rsplit("/", 1)[-1]
