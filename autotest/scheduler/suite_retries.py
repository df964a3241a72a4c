"""Retries: a failed test of a suite runs again, as often as its JOB_RETRIES and the suite's max_retries allow
(control-files-and-suites.md section 5.2).

Whether a job is run again is decided once, when the results of all its entries are stored and together with the move
that ends it, so that the suite never sees itself without an unfinished child in between.
"""

from __future__ import annotations

import datetime
import enum
from collections.abc import Iterable
from typing import NamedTuple

from autotest.models import bulk
from autotest.models.afe import Host, HostQueueEntry, Job, JobDependencyLabel, JobKeyval, Label
from autotest.models.database import held
from autotest.models.suite import SuiteRequest, SuiteRetry
from autotest.scheduler import entries, jobs, suite_hosts, suite_results
from autotest.scheduler.jobs import JobSpec
from autotest.scheduler.suite_results import Result
from autotest.scheduler.wakes import Wake
from autotest.states import ControlType, Outcome, is_worse
from autotest.suite.spec import SuiteSpec

#: The keyval of a retry that names the job it retries.
KEY = "retry_original_job_id"
_IF_DIRTY = 1


class RetryState(str, enum.Enum):
    """What was decided about a job that may be run again."""

    NOT_ATTEMPTED = "NOT_ATTEMPTED"
    #: It was to be run again and could not.
    ATTEMPTED = "ATTEMPTED"
    RETRIED = "RETRIED"


class Judged(NamedTuple):
    """What became of a job whose entries ended: its results as long as they stand, and the wakes of its retry."""

    results: tuple[Result, ...]
    wakes: tuple[Wake, ...]


def watch(spec: SuiteSpec, children: Iterable[tuple[int, int]]) -> None:
    """Let the *children* (job id, JOB_RETRIES) be run again if the suite wants that. Inside a transaction."""
    rows = [
        {"job": job_id, "attempts_left": retries, "state": RetryState.NOT_ATTEMPTED.value}
        for job_id, retries in children
        if spec.job_retry and retries > 0
    ]
    bulk.insert(SuiteRetry, rows)


def judge(entry: HostQueueEntry, now: datetime.datetime) -> Judged:
    """Decide about the job of *entry*, which is about to end: with its last entry, its results stand or it is run
    again. Runs inside the caller's transaction, which also ends the entry."""
    # Two entries of one job that end at the same moment: the second one sees that the first has ended.
    retry = held(SuiteRetry, SuiteRetry.job == entry.job_id)
    others = HostQueueEntry.select().where(
        HostQueueEntry.job == entry.job_id,
        HostQueueEntry.id.not_in([each.id for each in entries.parsed_with(entry)]),
        HostQueueEntry.complete == False,  # noqa: E712 - an SQL expression
    )
    if others.exists():
        return Judged((), ())
    results = tuple(suite_results.of_jobs([entry.job_id]))
    if retry is None or not _may_retry(retry, entry, results):
        return Judged(results, ())
    wakes = _again(entry.job, retry, now)
    return Judged(() if wakes else results, tuple(wakes))


def _may_retry(retry: SuiteRetry, entry: HostQueueEntry, results: Iterable[Result]) -> bool:
    if retry.state != RetryState.NOT_ATTEMPTED.value or retry.attempts_left < 1 or entry.aborted:
        return False
    # Whoever aborts the suite marks it first and looks for its children then.
    suite = held(HostQueueEntry, HostQueueEntry.job == entry.job.parent_job_id)
    if suite is None or suite.aborted or suite.complete:
        return False
    return any(result.was_executed and is_worse(result.status, Outcome.WARN) for result in results)


def _again(job: Job, retry: SuiteRetry, now: datetime.datetime) -> list[Wake]:
    """Make the job that runs the test once more, if the suite's budget and the inventory allow it."""
    spec = _spec(job)
    place = sorted(set(spec.meta_hosts))
    bound = list(Host.select().where(Host.hostname.in_(list(spec.hosts)), ~Host.invalid))
    unsupported = suite_hosts.inventory().unsupported(spec.dependencies, place, max(1, len(spec.meta_hosts)))
    if unsupported or len(bound) < len(spec.hosts):
        SuiteRetry.update(state=RetryState.ATTEMPTED.value).where(SuiteRetry.job == job.id).execute()
        return []
    if not _spend(job.parent_job_id):
        return []
    made = jobs.insert(spec, now)
    woken = [entries.queued_wake(entry) for entry in jobs.insert_entries(made, spec, bound)]
    SuiteRetry.update(state=RetryState.RETRIED.value).where(SuiteRetry.job == job.id).execute()
    SuiteRetry.create(job=made, attempts_left=retry.attempts_left - 1, state=RetryState.NOT_ATTEMPTED.value)
    return woken


def _spend(suite_id: int) -> bool:
    """Take one retry of the suite's budget; False when there is none left."""
    row = held(SuiteRequest, SuiteRequest.job == suite_id)
    if row is None or (row.retries_left is not None and row.retries_left < 1):
        return False
    if row.retries_left is not None:
        SuiteRequest.update(retries_left=row.retries_left - 1).where(SuiteRequest.job == suite_id).execute()
    return True


def _spec(job: Job) -> JobSpec:
    """The job once more, as the retry of this one: on its host if it was for that alone, and not FAST this time."""
    needed = Label.select(Label.name).join(JobDependencyLabel).where(JobDependencyLabel.job == job.id).tuples()
    metahosts = (
        HostQueueEntry.select(Label.name)
        .join(Label, on=(HostQueueEntry.meta_host == Label.id))
        .where(HostQueueEntry.job == job.id)
        .order_by(HostQueueEntry.id)
        .tuples()
    )
    entry = HostQueueEntry
    bound = entry.select(Host.hostname).join(Host).where(entry.job == job.id, entry.meta_host.is_null()).tuples()
    keyvals = dict(JobKeyval.select(JobKeyval.key, JobKeyval.value).where(JobKeyval.job == job.id).tuples())
    return JobSpec(
        name=job.name or "",
        control_file=job.control_file or "",
        control_type=ControlType(job.control_type),
        owner=job.owner or "",
        priority=job.priority,
        hosts=[hostname for (hostname,) in bound],
        meta_hosts=[name for (name,) in metahosts],
        dependencies=sorted(name for (name,) in needed),
        keyvals={**keyvals, KEY: str(job.id)},
        timeout_mins=job.timeout_mins,
        max_runtime_mins=job.max_runtime_mins,
        run_verify=job.run_verify,
        run_reset=True,
        reboot_before=_IF_DIRTY,
        require_ssp=job.require_ssp,
        synch_count=job.synch_count,
        parent_job_id=job.parent_job_id,
    )
