"""Candidates: the folders of finished jobs, and what else has to be known before one may go."""

from __future__ import annotations

import datetime
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from peewee import chunked, fn

from autotest.models.afe import HostQueueEntry, Job, JobKeyval
from autotest.models.tko import TestLabel, TestLabelTest, TestResult, TkoJob
from autotest.results.retention import records
from autotest.results.retention.records import TAG

_ROWS = 500


class Candidate(NamedTuple):
    """The folder of one finished job. *since*: when its job ended, or the folder was restored. *suite_id* is the suite
    job of a child."""

    job_id: int
    tag: str
    since: datetime.datetime
    suite_id: int | None = None
    is_kept: bool = False


class Found(NamedTuple):
    """*candidates*, and the suites of which a child is unfinished or stays for another reason."""

    candidates: tuple[Candidate, ...]
    held_suites: frozenset[int]


def read(results_dir: Path, keep_label: str, suite: str | None = None) -> Found:
    """Every folder of a job that is finished, as is its suite; of *suite* only, if it is named.

    A folder that no job of the database wrote is none. The caller has a connection open.
    """
    there = _folders(results_dir)
    candidates: list[Candidate] = []
    held: set[int] = set()
    for some in chunked(sorted({int(name.partition("-")[0]) for name in there}), _ROWS):
        jobs = Job.select(Job.id, Job.owner, Job.parent_job, Job.created_on).where(Job.id.in_(some))
        known = {row[0]: row for row in jobs.tuples()}
        parents = {parent for _, _, parent, _ in known.values() if parent is not None}
        ended = _ended({*known, *parents})
        kept, wanted = carriers(known, keep_label), _of_suite(known, suite)
        for job_id, owner, parent, created in known.values():
            tag = f"{job_id}-{owner}"
            if tag not in there:
                continue
            if job_id not in ended or (parent or job_id) not in ended or job_id not in wanted:
                held.add(parent or job_id)
                continue
            since = _since(results_dir, tag, ended[job_id] or created)
            candidates.append(Candidate(job_id, tag, since, parent, job_id in kept))
    return Found(tuple(candidates), frozenset(held | _unfinished_suites(candidates)))


def carriers(job_ids: Iterable[int], label: str) -> set[int]:
    """The jobs of which any result carries the test label."""
    query = TestResult.select(TkoJob.afe_job_id).join(TkoJob)
    query = query.join_from(TestResult, TestLabelTest, on=(TestLabelTest.test == TestResult.test_idx))
    query = query.join_from(TestLabelTest, TestLabel)
    return {job_id for (job_id,) in query.where(TkoJob.afe_job_id.in_(list(job_ids)), TestLabel.name == label).tuples()}


def _folders(results_dir: Path) -> set[str]:
    try:
        with os.scandir(results_dir) as entries:
            folders = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
            return {name for name in folders if TAG.fullmatch(name)}
    except FileNotFoundError:
        return set()


def _ended(job_ids: Iterable[int]) -> dict[int, datetime.datetime | None]:
    """When each job ended, of those that did."""
    found: dict[int, datetime.datetime | None] = {}
    entry = HostQueueEntry
    for some in chunked(sorted(job_ids), _ROWS):
        query = entry.select(entry.job, fn.MIN(entry.complete), fn.MAX(entry.finished_on))
        for job_id, complete, moment in query.where(entry.job.in_(some)).group_by(entry.job).tuples():
            if complete:
                found[job_id] = entry.finished_on.python_value(moment)
    return found


def _of_suite(job_ids: Iterable[int], suite: str | None) -> set[int]:
    ids = list(job_ids)
    if suite is None:
        return set(ids)
    stored = TkoJob.select(TkoJob.afe_job_id).where(TkoJob.afe_job_id.in_(ids), TkoJob.suite == suite)
    made = JobKeyval.select(JobKeyval.job).where(
        JobKeyval.job.in_(ids), JobKeyval.key == "suite", JobKeyval.value == suite
    )
    return {job_id for (job_id,) in (*stored.tuples(), *made.tuples())}


def _unfinished_suites(candidates: Sequence[Candidate]) -> set[int]:
    """Suites with a child that is not finished, whether it has a folder yet or not."""
    found: set[int] = set()
    for some in chunked([each.job_id for each in candidates if each.suite_id is None], _ROWS):
        query = Job.select(Job.parent_job).join(HostQueueEntry, on=(HostQueueEntry.job == Job.id)).distinct()
        query = query.where(Job.parent_job.in_(some), HostQueueEntry.complete == False)  # noqa: E712
        found |= {suite_id for (suite_id,) in query.tuples()}
    return found


def _since(results_dir: Path, tag: str, ended: datetime.datetime) -> datetime.datetime:
    record = records.read(results_dir, tag)
    if record is None or not record.restored_at:
        return ended
    return max(ended, records.moment(record.restored_at))
