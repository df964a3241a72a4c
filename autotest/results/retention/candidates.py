"""Candidates: the folders of finished jobs, and what else has to be known before one may go."""

from __future__ import annotations

import contextlib
import datetime
import functools
import operator
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from peewee import chunked, fn

from autotest.models.afe import HostQueueEntry, Job, JobKeyval
from autotest.models.tko import Status, TestLabel, TestLabelTest, TestResult, TkoJob
from autotest.results import offload
from autotest.results.retention import records
from autotest.results.retention.records import TAG
from autotest.states import EntryStatus, Outcome, is_worse

_ROWS = 500
#: Folders a statement, each a range of tags.
_TAGS = 50


class Candidate(NamedTuple):
    """The folder of one finished job. *since*: when its job ended, or the folder was restored. *suite_id* is the suite
    job of a child. *job_id* is None for results that were imported. What *is_dispensable* goes without an archive."""

    job_id: int | None
    tag: str
    since: datetime.datetime
    suite_id: int | None = None
    is_kept: bool = False
    is_dispensable: bool = False


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
        kept, wanted, passed = carriers(known, keep_label), _of_suite(known, suite), _dispensable(known)
        for job_id, owner, parent, created in known.values():
            tag = f"{job_id}-{owner}"
            if tag not in there:
                continue
            if job_id not in ended or (parent or job_id) not in ended or job_id not in wanted:
                held.add(parent or job_id)
                continue
            since = _since(results_dir, tag, ended[job_id] or created)
            candidates.append(Candidate(job_id, tag, since, parent, job_id in kept, job_id in passed))
    return Found(tuple(candidates), frozenset(held | _unfinished_suites(candidates)))


def imported(results_dir: Path, keep_label: str, suite: str | None = None) -> list[Candidate]:
    """Every folder whose results were imported, with or without a name before it, and that no job here wrote.

    A folder counts from the last time that is stored of its jobs; one of which none is, stays. The caller has a
    connection open.
    """
    there = _folders(results_dir) | _named_folders(results_dir)
    numbers = {tag: int(tag.rpartition("/")[2].partition("-")[0]) for tag in there if "/" not in tag}
    for some in chunked(sorted(set(numbers.values())), _ROWS):
        ours = {job_id for (job_id,) in Job.select(Job.id).where(Job.id.in_(some)).tuples()}
        there -= {tag for tag, number in numbers.items() if number in ours}
    rows: dict[str, list[tuple[str | None, datetime.datetime | None]]] = defaultdict(list)
    for stored, name, *times in _stored(there):
        tag = records.tag_in(stored)
        if tag in there:
            rows[tag].append((name, max(filter(None, times), default=None)))
    kept = _kept_tags(keep_label) if rows else set()
    found = []
    for tag, members in sorted(rows.items()):
        times = [moment for _suite, moment in members if moment is not None]
        if times and (suite is None or any(name == suite for name, _moment in members)):
            found.append(Candidate(None, tag, _since(results_dir, tag, max(times)), None, tag in kept))
    return found


def is_kept(each: Candidate, label: str) -> bool:
    """Whether any result of the job carries the test label now."""
    if each.job_id is not None:
        return bool(carriers([each.job_id], label))
    return bool(_labelled(label).where(below(each.tag)).exists())


def is_dispensable(each: Candidate) -> bool:
    """Whether the folder may go without an archive now."""
    return each.job_id is not None and bool(_dispensable([each.job_id]))


def _labelled(label: str) -> Any:
    """The stored tags of jobs of which a result carries the test label."""
    query = TestLabelTest.select(TkoJob.tag).join(TestLabel).switch(TestLabelTest).join(TestResult).join(TkoJob)
    return query.where(TestLabel.name == label).distinct()


def _kept_tags(label: str) -> set[str | None]:
    """The folders of jobs of which a result carries the test label."""
    return {records.tag_in(tag or "") for (tag,) in _labelled(label).tuples()}


def below(tag: str) -> Any:
    """The stored jobs whose folder is *tag* or lies in it: a condition over tko_jobs that an index serves."""
    return (TkoJob.tag == tag) | ((TkoJob.tag >= f"{tag}/") & (TkoJob.tag < f"{tag}0"))


def carriers(job_ids: Iterable[int], label: str) -> set[int]:
    """The jobs of which any result carries the test label."""
    query = TestResult.select(TkoJob.afe_job_id).join(TkoJob)
    query = query.join_from(TestResult, TestLabelTest, on=(TestLabelTest.test == TestResult.test_idx))
    query = query.join_from(TestLabelTest, TestLabel)
    return {job_id for (job_id,) in query.where(TkoJob.afe_job_id.in_(list(job_ids)), TestLabel.name == label).tuples()}


def _dispensable(job_ids: Iterable[int]) -> set[int]:
    """The jobs that asked for ``offload_failures_only`` and whose entries all ended well, with at least one GOOD among
    their valid results and none that is worse."""
    asked = JobKeyval.select(JobKeyval.job).where(
        JobKeyval.job.in_(list(job_ids)), JobKeyval.key == offload.KEYVAL, JobKeyval.value == offload.ASKED
    )
    ids = {job_id for (job_id,) in asked.tuples()}
    if not ids:
        return set()
    entry = HostQueueEntry
    unwell = entry.select(entry.job).where(entry.job.in_(list(ids)), entry.status != EntryStatus.COMPLETED.value)
    ids -= {job_id for (job_id,) in unwell.tuples()}
    words = TestResult.select(TkoJob.afe_job_id, Status.word).join(TkoJob).switch(TestResult).join(Status).distinct()
    found: dict[int, set[str]] = defaultdict(set)
    for job_id, word in words.where(TkoJob.afe_job_id.in_(list(ids)), TestResult.invalid == False).tuples():  # noqa: E712
        found[job_id].add(word)
    good = Outcome.GOOD
    return {job_id for job_id, held in found.items() if good in held and not any(is_worse(each, good) for each in held)}


def _folders(results_dir: Path) -> set[str]:
    try:
        with os.scandir(results_dir) as entries:
            folders = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
            return {name for name in folders if TAG.fullmatch(name)}
    except FileNotFoundError:
        return set()


def _named_folders(results_dir: Path) -> set[str]:
    """The folders of jobs below the names that trees were imported under."""
    found: set[str] = set()
    with contextlib.suppress(FileNotFoundError), os.scandir(results_dir) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False) and TAG.fullmatch(f"{entry.name}/1-"):
                found |= {f"{entry.name}/{tag}" for tag in _folders(results_dir / entry.name)}
    return {tag for tag in found if TAG.fullmatch(tag)}


def _stored(tags: Iterable[str]) -> Iterator[tuple[Any, ...]]:
    """(tag, suite, queued, started, finished) of the stored jobs below the folders *tags*."""
    row = TkoJob
    for some in chunked(sorted(tags), _TAGS):
        meant = functools.reduce(operator.or_, map(below, some))
        columns = (row.tag, row.suite, row.queued_time, row.started_time, row.finished_time)
        yield from row.select(*columns).where(meant).tuples()


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
