"""Results of a suite's children as the suite sees them (control-files-and-suites.md section 5.1)."""

from __future__ import annotations

import datetime
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from peewee import chunked

from autotest.models.afe import SYSTEM_USER, AbortedEntry, HostQueueEntry, Job, User
from autotest.models.tko import Status, TestResult, TkoJob
from autotest.states import FINAL, NEVER_RAN, Outcome

_RECORDS = ("SERVER_JOB", "CLIENT_JOB")
_ROWS = 500


class Result(NamedTuple):
    """One test of one child. Times in epoch seconds; *job_tag* is ``<id>-<owner>``, '' for a child that never ran."""

    name: str
    subdir: str
    status: str
    reason: str
    started: int | None
    finished: int | None
    job_tag: str

    @property
    def was_executed(self) -> bool:
        """Whether the test began: only such a one is run again, or reported."""
        return self.started is not None


class _Stored(NamedTuple):
    """One row of the results database; *tag* is the folder, ``<id>-<owner>/<host>``."""

    name: str
    subdir: str
    status: str
    reason: str
    started: int | None
    finished: int | None
    tag: str

    @property
    def is_record(self) -> bool:
        return self.name.startswith(_RECORDS)


def of_jobs(job_ids: Sequence[int]) -> Iterator[Result]:
    """The valid results of the jobs, in their order. A job that ended without any is one ABORT in the job's name; one
    that has not ended has none yet."""
    for some in chunked(job_ids, _ROWS):
        names = dict(Job.select(Job.id, Job.name).where(Job.id.in_(some)).tuples())
        stored = _stored(some)
        ends = _ends([job_id for job_id in some if job_id not in stored])
        for job_id in some:
            name = names.get(job_id) or ""
            yield from _of_job(name, stored.get(job_id, []))
            if job_id in ends:
                yield Result(name, "", Outcome.ABORT.value, ends[job_id], None, None, "")


def _of_job(name: str, rows: list[_Stored]) -> Iterator[Result]:
    tests = [row for row in rows if not row.is_record]
    for row in tests:
        yield _result(row, row.name, "/".join(filter(None, (row.tag, row.subdir))))
    if all(row.status == Outcome.GOOD for row in tests):
        for row in rows:
            if row.is_record and row.status != Outcome.GOOD:
                yield _result(row, f"{name}_{row.name}", row.tag)


def _result(row: _Stored, name: str, subdir: str) -> Result:
    job_tag = row.tag.partition("/")[0]
    return Result(name, subdir, row.status, row.reason, row.started, row.finished, job_tag)


def _stored(job_ids: Iterable[int]) -> dict[int, list[_Stored]]:
    """The valid rows of each of the jobs that has any; a retry may have made all of them invalid."""
    test = TestResult
    query = (
        test.select(
            TkoJob.afe_job_id,
            test.test,
            test.subdir,
            Status.word,
            test.reason,
            test.started_time,
            test.finished_time,
            TkoJob.tag,
            test.invalid,
        )
        .join(Status)
        .switch(test)
        .join(TkoJob)
        .where(TkoJob.afe_job_id.in_(list(job_ids)))
        .order_by(test.test_idx)
    )
    found: dict[int, list[_Stored]] = defaultdict(list)
    for job_id, name, subdir, status, reason, started, finished, tag, is_invalid in query.tuples():
        of_job = found[job_id]
        if is_invalid:
            continue
        of_job.append(
            _Stored(name or "", subdir or "", status, reason or "", _epoch(started), _epoch(finished), tag or "")
        )
    return found


def _epoch(time: datetime.datetime | None) -> int | None:
    return None if time is None else int(time.timestamp())


def _ends(job_ids: Sequence[int]) -> dict[int, str]:
    """Why each of those jobs ended whose entries are all final; a limit in time needs no other words."""
    entry = HostQueueEntry
    rows = (
        entry.select(entry.job, entry.status, entry.reason, entry.started_on, User.login)
        .left_outer_join(AbortedEntry, on=(AbortedEntry.queue_entry == entry.id))
        .left_outer_join(User, on=(AbortedEntry.aborted_by == User.id))
        .where(entry.job.in_(list(job_ids)))
        .order_by(entry.id)
    )
    found: dict[int, str] = {}
    left = set()
    for job_id, status, reason, started, aborted_by in rows.tuples():
        timed_out = aborted_by == SYSTEM_USER and started is None
        found.setdefault(job_id, NEVER_RAN if timed_out else reason or NEVER_RAN)
        if status not in FINAL:
            left.add(job_id)
    return {job_id: reason for job_id, reason in found.items() if job_id not in left}
