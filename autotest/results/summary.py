"""What people ask of a suite or a job: one row a result, counts, timings, and run_suite's exit code; live as well."""

from __future__ import annotations

import dataclasses
import datetime
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from autotest import errors
from autotest.models import afe, database, tko
from autotest.results import retries, suite_rows, verdict
from autotest.results.suite_rows import Child, Entry, Row, StoredTest, SuiteFacts

__all__ = ["JobSummary", "Row", "SuiteSummary", "is_suite", "of_job", "of_suite", "of_tag"]

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

    *rows* begin with the suite job; *counts* count the other rows by status word, *entries* the children's entries by
    entry status.
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


def is_suite(job_id: int) -> bool:
    """Whether the job is a suite: it has children, or its one entry asks for no machine. Raises NotFound."""
    _job(job_id)
    if afe.Job.select().where(afe.Job.parent_job == job_id).exists():
        return True
    entry = afe.HostQueueEntry
    hostless = (entry.host.is_null()) & (entry.meta_host.is_null()) & (entry.queue_key == "")
    return entry.select().where((entry.job == job_id) & hostless).exists()


def of_suite(job_id: int, num_required: int = 0) -> SuiteSummary:
    """All that is known of suite *job_id* now. Raises NotFound. The caller has a connection open."""
    job = _job(job_id)
    facts = _facts(job)
    rows = suite_rows.rows(facts)
    keyvals = _keyvals(job)
    suite = keyvals.get("suite") or job.name.rpartition("test_suites/control.")[2] or job.name
    done = facts.suite.finished and all(child.finished for child in facts.children)
    judged = None
    if done:
        judged = verdict.of((row.view for row in rows), _timed_out(job, facts), suite, num_required)
    return SuiteSummary(
        job_id=job.id,
        name=job.name,
        suite=suite,
        build=keyvals.get("build") or job.name.partition("-test_suites/")[0],
        owner=job.owner or "",
        status=facts.suite.status,
        finished=done,
        rows=rows,
        counts=dict(Counter(row.status for row in rows if not row.view.is_suite)),
        entries=dict(Counter(entry.status for child in facts.children for entry in child.entries)),
        timings=_timings(keyvals, facts),
        verdict=judged,
    )


def of_job(job_id: int) -> JobSummary:
    """All that is known of one job now. Raises NotFound."""
    job = _job(job_id)
    child = next(iter(_children(afe.Job.id == job_id)))
    found = tuple(suite_rows.rows_of_job(child))
    return JobSummary(job.id, job.name, job.owner or "", child.finished, found)


def of_tag(tag: str) -> JobSummary:
    """The results stored under *tag*, also those of folders that no job of ours made. Raises NotFound."""
    job = tko.TkoJob.get_or_none(tko.TkoJob.tag == tag)
    if job is None:
        raise errors.NotFound(f"no results are stored under {tag!r}; `autotest results show` takes a job id or a tag")
    tests = tuple(_tests(tko.TkoJob.job_idx == job.job_idx))
    child = Child(job.afe_job_id or 0, job.label or "", job.username or "", 0, (), tests, frozenset(), 0)
    return JobSummary(job.afe_job_id, child.name, child.owner, True, tuple(suite_rows.rows_of_job(child)))


def _job(job_id: int) -> afe.Job:
    job = afe.Job.get_or_none(afe.Job.id == job_id)
    if job is None:
        raise errors.NotFound(f"there is no job {job_id}; `autotest job list` shows the ones there are")
    return job


def _facts(job: afe.Job) -> SuiteFacts:
    suite = next(iter(_children(afe.Job.id == job.id)))
    return SuiteFacts(suite, tuple(_children(afe.Job.parent_job == job.id)))


def _children(which: Any) -> Iterator[Child]:
    """Jobs with their entries, results and keyvals: a handful of queries, however many jobs there are."""
    columns = (afe.Job.id, afe.Job.name, afe.Job.owner, afe.Job.max_runtime_mins)
    jobs = list(afe.Job.select(*columns).where(which).order_by(afe.Job.id))
    ids = afe.Job.select(afe.Job.id).where(which)
    entries: dict[int, list[Entry]] = {job.id: [] for job in jobs}
    for job_id, entry in _entries(ids):
        entries[job_id].append(entry)
    tests: dict[int, list[StoredTest]] = {job.id: [] for job in jobs}
    for test in _tests(tko.TkoJob.afe_job_id.in_(ids)):
        tests[test.job_id].append(test)
    originals = _originals(ids)
    aborted = _aborted_tags(ids)
    for job in jobs:
        yield Child(
            job.id,
            job.name or "",
            job.owner or "",
            job.max_runtime_mins,
            tuple(entries[job.id]),
            tuple(tests[job.id]),
            aborted,
            _chain_length(job.id, originals),
        )


def _entries(ids: Any) -> Iterator[tuple[int, Entry]]:
    entry = afe.HostQueueEntry
    columns = (entry.status, entry.complete, entry.aborted, entry.reason, entry.execution_subdir)
    times = (entry.started_on, entry.finished_on)
    query = entry.select(entry.job, afe.Host.hostname, *columns, *times).left_outer_join(afe.Host)
    for job_id, hostname, *rest in query.where(entry.job.in_(ids)).order_by(entry.id).tuples():
        yield job_id, Entry(hostname or "", *rest)


def _tests(which: Any) -> Iterator[StoredTest]:
    test, job = tko.TestResult, tko.TkoJob
    query = (
        test.select(
            job.afe_job_id,
            job.tag,
            tko.Machine.hostname,
            job.started_time,
            job.finished_time,
            test.test,
            test.subdir,
            tko.Status.word,
            test.reason,
            test.started_time,
            test.finished_time,
            test.invalid,
        )
        .join(job)
        .switch(test)
        .join(tko.Status)
        .switch(test)
        .join(tko.Machine)
        .where(which)
        .order_by(job.job_idx, test.test_idx)
    )
    for columns in query.tuples():
        yield StoredTest(*columns)


def _originals(ids: Any) -> dict[int, int]:
    """Job id -> the id of the job it retries, for the jobs and all their forebears."""
    keyval = afe.JobKeyval
    found: dict[int, int] = {}
    wanted = ids
    while wanted:
        rows = keyval.select(keyval.job, keyval.value).where(keyval.key == retries.KEY, keyval.job.in_(wanted)).tuples()
        originals = {job_id: retries.job_id_of(value) for job_id, value in rows}
        fresh = {job_id: original for job_id, original in originals.items() if original and job_id not in found}
        found.update(fresh)
        wanted = list(set(fresh.values()) - found.keys())
    return found


def _chain_length(job_id: int, originals: Mapping[int, int]) -> int:
    seen = {job_id}
    while (job_id := originals.get(job_id, job_id)) not in seen:
        seen.add(job_id)
    return len(seen) - 1


def _aborted_tags(ids: Any) -> frozenset[str]:
    keyval, job = tko.TkoJobKeyval, tko.TkoJob
    query = keyval.select(job.tag).join(job).where(keyval.key == "aborted_by", job.afe_job_id.in_(ids))
    return frozenset(tag for (tag,) in query.tuples())


def _keyvals(job: afe.Job) -> dict[str, str]:
    """What the suite job knew at its creation, overridden by what its folder held in the end."""
    pairs = {row.key: row.value for row in afe.JobKeyval.select().where(afe.JobKeyval.job == job.id)}
    stored = tko.TkoJobKeyval.select().join(tko.TkoJob).where(tko.TkoJob.afe_job_id == job.id)
    return {**pairs, **{row.key: row.value for row in stored}}


def _timed_out(job: afe.Job, facts: SuiteFacts) -> bool:
    ends = [entry.finished_on for entry in facts.suite.entries if entry.aborted]
    length = datetime.timedelta(minutes=job.timeout_mins)
    return any((end or database.utc_now()) - job.created_on > length for end in ends)


def _timings(keyvals: Mapping[str, str], facts: SuiteFacts) -> dict[str, str]:
    tests = [test for child in facts.children for test in child.tests]
    values = (
        keyvals.get("download_started_time", ""),
        keyvals.get("payload_finished_time", ""),
        _shown(min, (entry.started_on for entry in facts.suite.entries)),
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
