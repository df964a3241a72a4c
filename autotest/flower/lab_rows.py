"""Lab rows: what the database says of hosts, label queues and the steps that run; a fixed number of queries."""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Collection
from typing import Any, NamedTuple

import peewee

from autotest import errors
from autotest.models import database, schema
from autotest.models.afe import Host, HostQueueEntry, Job, SpecialTask
from autotest.models.lab import Lease
from autotest.models.tko import Status, TestResult, TkoJob
from autotest.scheduler import entries, listing, steps
from autotest.scheduler.waiting import HostState
from autotest.states import Outcome


class Look(NamedTuple):
    """Every host, and every label queue in which entries wait (scheduler.listing.queues), at one moment."""

    at: datetime.datetime
    hosts: list[HostState]
    queues: list[dict[str, Any]]


class Doing(NamedTuple):
    """The open lease of a host and the step it is for. *test* is '' and *job_id* None for a task of the host's own;
    *folder* is below the results root, '' when it is not known yet; *begun*: a worker runs the step."""

    token: int
    step: str
    test: str
    job_id: int | None
    since: datetime.datetime
    begun: bool
    folder: str


class Last(NamedTuple):
    """The newest entry that ended on a host; *failed* of its tests did not pass."""

    job_id: int
    test: str
    status: str
    finished: datetime.datetime | None
    folder: str
    failed: int = 0


class Details(NamedTuple):
    """What is shown of single hosts, by host id."""

    doing: dict[int, Doing]
    last: dict[int, Last]


def look(now: datetime.datetime, dead_after_s: float, stopped: str | None = None) -> Look:
    """Look at the whole lab; *stopped*: why no work starts (floor.reason).

    Raises DatabaseUnreachable, and ConfigError when the database is not migrated.
    """
    try:
        with database.connection():
            return Look(now, listing.states(now), listing.queues(now, dead_after_s, stopped))
    except errors.DatabaseUnreachable:
        _ask_for_migration()
        raise


def details(host_ids: Collection[int]) -> Details:
    """What these hosts do now and did last. Raises DatabaseUnreachable."""
    with database.connection():
        return Details(_doing(host_ids), _last(host_ids))


def _ask_for_migration() -> None:
    """Raise ConfigError with the remedy if it is a missing migration that made a query fail."""
    with contextlib.suppress(errors.DatabaseUnreachable), database.connection():
        schema.require_current()


def _doing(host_ids: Collection[int]) -> dict[int, Doing]:
    rows = (
        Lease.select(Lease, HostQueueEntry, Job, SpecialTask, Host)
        .join(Host, on=(Lease.host == Host.id))
        .switch(Lease)
        .left_outer_join(HostQueueEntry, on=(Lease.entry == HostQueueEntry.id))
        .left_outer_join(Job, on=(HostQueueEntry.job == Job.id))
        .switch(Lease)
        .left_outer_join(SpecialTask, on=(Lease.task == SpecialTask.id))
        .where(Lease.host.in_(list(host_ids)), Lease.released_at.is_null())
    )
    found = {}
    for lease in rows:
        job = lease.entry.job if lease.entry_id is not None else None
        found[lease.host_id] = Doing(
            token=lease.id,
            step=lease.step,
            test=entries.short_name(job.name) if job is not None else "",
            job_id=job.id if job is not None else None,
            since=lease.granted_at,
            begun=lease.due_at is None,
            folder=_folder(lease, job),
        )
    return found


def _folder(lease: Lease, job: Job | None) -> str:
    if lease.task_id is not None:
        # As scheduler.steps names the folder of a task.
        return f"hosts/{lease.host.hostname}/{lease.task_id}-{lease.task.task.lower()}"
    return str(steps.run_folder(job, lease.id)) if job is not None else ""


def _last(host_ids: Collection[int]) -> dict[int, Last]:
    newest = (
        HostQueueEntry.select(peewee.fn.MAX(HostQueueEntry.id))
        .where(HostQueueEntry.host.in_(list(host_ids)), HostQueueEntry.complete == True)  # noqa: E712 - an SQL expression
        .group_by(HostQueueEntry.host)
    )
    rows = list(HostQueueEntry.select(HostQueueEntry, Job).join(Job).where(HostQueueEntry.id.in_(newest)))
    failed = _failed([entry.job_id for entry in rows])
    return {
        entry.host_id: Last(
            job_id=entry.job_id,
            test=entries.short_name(entry.job.name),
            status=entry.status,
            finished=entry.finished_on,
            folder=f"{entry.job.tag}/{entry.execution_subdir}" if entry.execution_subdir else "",
            failed=failed.get(entry.job_id, 0),
        )
        for entry in rows
    }


def _failed(job_ids: Collection[int]) -> dict[int, int]:
    """How many tests of each job failed, as the results database has them."""
    return dict(
        TkoJob.select(TkoJob.afe_job_id, peewee.fn.COUNT(TestResult.test_idx))
        .join(TestResult)
        .join(Status)
        .where(
            TkoJob.afe_job_id.in_(list(job_ids)),
            TestResult.invalid == False,  # noqa: E712 - an SQL expression
            Status.word.in_([Outcome.FAIL.value, Outcome.ERROR.value, Outcome.ABORT.value]),
        )
        .group_by(TkoJob.afe_job_id)
        .tuples()
    )
