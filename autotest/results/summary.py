"""What people ask of a suite or a job: one row a result, counts, timings, and run_suite's exit code; live as well."""

from __future__ import annotations

import dataclasses
import datetime
from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from autotest import errors
from autotest.models import afe, database, tko
from autotest.results import facts, suite_rows, verdict
from autotest.results.suite_rows import RETRIED, Child, Row, SuiteFacts

__all__ = ["RETRIED", "JobSummary", "Row", "SuiteSummary", "is_suite", "of_job", "of_suite", "of_tag"]

#: Suite timings in the order in which they are shown (control-files-and-suites.md 4.10).
TIMINGS = (
    "downloads_started",
    "payload_downloads_ended",
    "suite_started",
    "artifact_downloads_ended",
    "testing_started",
    "testing_ended",
)


@dataclasses.dataclass(frozen=True)
class JobSummary:
    """One job: its entries' statuses by host, and a row for each of its results (or for each entry without any)."""

    job_id: int | None
    name: str
    owner: str
    finished: bool
    rows: tuple[Row, ...]


@dataclasses.dataclass(frozen=True)
class SuiteSummary:
    """One suite. *verdict* is None until *finished*. *timings* hold UTC times as text, '' for what is not known yet.

    *rows* begin with the suite job; *counts* count the others by state, but for those of experimental tests, which
    *experimental* counts; *entries* count the children's entries by entry status.
    """

    job_id: int
    name: str
    suite: str
    build: str
    owner: str
    status: str
    finished: bool
    rows: tuple[Row, ...]
    counts: Mapping[str, int]
    entries: Mapping[str, int]
    timings: Mapping[str, str]
    verdict: verdict.Verdict | None
    experimental: Mapping[str, int] = dataclasses.field(default_factory=dict)


def is_suite(job_id: int) -> bool:
    """Whether the job is a suite: it has children, or its one entry asks for no machine. Raises NotFound."""
    _job(job_id)
    if afe.Job.select().where(afe.Job.parent_job == job_id).exists():
        return True
    entry = afe.HostQueueEntry
    hostless = (entry.host.is_null()) & (entry.meta_host.is_null()) & (entry.queue_key == "")
    return entry.select().where((entry.job == job_id) & hostless).exists()


def of_suite(job_id: int) -> SuiteSummary:
    """All that is known of suite *job_id* now. Raises NotFound. The caller has a connection open."""
    job = _job(job_id)
    known = facts.suites([job.id])[job.id]
    rows = suite_rows.rows(known)
    keyvals = _keyvals(job)
    suite = keyvals.get("suite") or job.name.rpartition("test_suites/control.")[2] or job.name
    done = known.suite.finished and all(child.finished for child in known.children)
    judged = None
    if done:
        required = facts.num_required(job.id) if suite == verdict.PROVISION else 0
        judged = verdict.of((row.view for row in rows), _timed_out(job, known), suite, required)
    return SuiteSummary(
        job_id=job.id,
        name=job.name,
        suite=suite,
        build=keyvals.get("build") or job.name.partition("-test_suites/")[0],
        owner=job.owner or "",
        status=known.suite.status,
        finished=done,
        rows=rows,
        counts=_counts(rows, experimental=False),
        experimental=_counts(rows, experimental=True),
        entries=dict(Counter(entry.status for child in known.children for entry in child.entries)),
        timings=_timings(keyvals, known),
        verdict=judged,
    )


def of_job(job_id: int) -> JobSummary:
    """All that is known of one job now. Raises NotFound."""
    job = _job(job_id)
    child = next(iter(facts.jobs(afe.Job.id == job_id)))
    found = tuple(suite_rows.rows_of_job(child))
    return JobSummary(job.id, job.name, job.owner or "", child.finished, found)


def of_tag(tag: str) -> JobSummary:
    """The results stored under *tag*, also those of folders that no job of ours made. Raises NotFound."""
    job = tko.TkoJob.get_or_none(tko.TkoJob.tag == tag)
    if job is None:
        raise errors.NotFound(f"no results are stored under {tag!r}; `autotest results show` takes a job id or a tag")
    tests = tuple(facts.tests(tko.TkoJob.job_idx == job.job_idx))
    child = Child(job.afe_job_id or 0, job.label or "", job.username or "", 0, (), tests, frozenset(), 0)
    return JobSummary(job.afe_job_id, child.name, child.owner, True, tuple(suite_rows.rows_of_job(child)))


def _job(job_id: int) -> afe.Job:
    job = afe.Job.get_or_none(afe.Job.id == job_id)
    if job is None:
        raise errors.NotFound(f"there is no job {job_id}; `autotest job list` shows the ones there are")
    return job


def _counts(rows: Iterable[Row], experimental: bool) -> dict[str, int]:
    wanted = (row for row in rows if not row.view.is_suite and row.view.is_experimental == experimental)
    return dict(Counter(row.state for row in wanted))


def _keyvals(job: afe.Job) -> dict[str, str]:
    """What the suite job knew at its creation, overridden by what its folder held in the end."""
    pairs = {row.key: row.value for row in afe.JobKeyval.select().where(afe.JobKeyval.job == job.id)}
    stored = tko.TkoJobKeyval.select().join(tko.TkoJob).where(tko.TkoJob.afe_job_id == job.id)
    return {**pairs, **{row.key: row.value for row in stored}}


def _timed_out(job: afe.Job, known: SuiteFacts) -> bool:
    ends = [entry.finished_on for entry in known.suite.entries if entry.aborted]
    length = datetime.timedelta(minutes=job.timeout_mins)
    return any((end or database.utc_now()) - job.created_on > length for end in ends)


def _timings(keyvals: Mapping[str, str], known: SuiteFacts) -> dict[str, str]:
    tests = [test for child in known.children for test in child.tests]
    values = (
        keyvals.get("download_started_time", ""),
        keyvals.get("payload_finished_time", ""),
        _shown(min, (entry.started_on for entry in known.suite.entries)),
        keyvals.get("artifact_finished_time", ""),
        _shown(min, (test.started_time for test in tests)),
        _shown(max, (test.finished_time for test in tests)),
    )
    return dict(zip(TIMINGS, values, strict=True))


def _shown(
    pick: Callable[[list[datetime.datetime]], datetime.datetime], times: Iterable[datetime.datetime | None]
) -> str:
    known = [time for time in times if time is not None]
    return f"{pick(known):%Y-%m-%d %H:%M:%S}" if known else ""
