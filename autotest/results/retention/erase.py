"""Erase: a job's results go for good: its rows, its folder, and what was archived of it."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from peewee import chunked

from autotest import errors
from autotest.models.afe import HostQueueEntry
from autotest.models.database import retried, transaction
from autotest.models.tko import (
    IterationAttribute,
    IterationPerfValue,
    IterationResult,
    TaskReference,
    TestAttribute,
    TestLabel,
    TestLabelTest,
    TestResult,
    TkoJob,
    TkoJobKeyval,
)
from autotest.results import retries
from autotest.results.query.labels import INVALIDATED
from autotest.results.retention import archive, candidates, contents, prune, records, restore
from autotest.results.retention.candidates import Candidate
from autotest.results.retention.records import Record

_ROWS = 500
_OF_TESTS = (TestLabelTest, TestAttribute, IterationAttribute, IterationResult, IterationPerfValue)
_OF_JOBS = (TkoJobKeyval, TaskReference)


class Erasure(NamedTuple):
    """What there is of a job: stored folders and tests, bytes of its folder on the disk, its archive."""

    tag: str
    jobs: int
    tests: int
    bytes: int
    record: Record | None


def look(results_dir: Path, tag: str, keep_label: str) -> Erasure:
    """What would go of the job *tag* (``17-ann``, ``lab2010/17-ann``). The caller has a connection open.

    Raises NotFound when there is nothing, RequestError for a job that is not finished and for one that is kept.
    """
    record = records.read(results_dir, tag)
    jobs = TkoJob.select().where(candidates.below(tag)).count()
    tests = TestResult.select().join(TkoJob).where(candidates.below(tag)).count()
    folder = results_dir / tag
    if record is None and not jobs and not folder.is_dir():
        raise errors.NotFound(f"there is nothing of {tag}: no folder, no archive, and nothing stored")
    job_id = retries.job_id_of(tag.partition("-")[0])
    running = HostQueueEntry.select().where(HostQueueEntry.job == job_id, HostQueueEntry.complete == False)  # noqa: E712
    if job_id is not None and running.exists():
        raise errors.RequestError(f"job {job_id} is not finished; `autotest job abort {job_id}` ends it")
    if candidates.is_kept(Candidate(None, tag, datetime.datetime.min), keep_label):
        raise errors.RequestError(f"a result of {tag} carries the label {keep_label!r}; nothing of it is erased")
    size = contents.of(folder).on_disk if folder.is_dir() else 0
    return Erasure(tag, jobs, tests, size, record)


def stored_tag(job_id: int) -> str | None:
    """The tag of the job *job_id*, by what is stored of it."""
    row = TkoJob.get_or_none(TkoJob.afe_job_id == job_id)
    return None if row is None else records.tag_in(row.tag or "")


def erase(results_dir: Path, found: Erasure) -> None:
    """Do it; done again after it died, it goes on. The rows go last, so that what is left can be found by them.

    What a retry in it had taken the place of counts again. Raises ArchiveFailed, ConfigError, BadResultsFolder. The
    caller has a connection open.
    """
    with restore.alone(results_dir):
        prune.remove_folder(results_dir, found.tag)
        if found.record is not None:
            archive.store_of(found.record).remove(found.record)
            records.forget(results_dir, found.tag)
    _delete_rows(found.tag)


@retried
def _delete_rows(tag: str) -> None:
    with transaction():
        jobs = [job_idx for (job_idx,) in TkoJob.select(TkoJob.job_idx).where(candidates.below(tag)).tuples()]
        for some_jobs in chunked(jobs, _ROWS):
            row = TestResult
            query = row.select(row.test_idx, row.invalidates_test).where(row.job.in_(some_jobs))
            for some in chunked(list(query.tuples()), _ROWS):
                _delete_tests(dict(some))
            for model in _OF_JOBS:
                reference = model.job if model is TkoJobKeyval else model.tko_job
                model.delete().where(reference.in_(some_jobs)).execute()
            TkoJob.delete().where(TkoJob.job_idx.in_(some_jobs)).execute()


def _delete_tests(replaced: Mapping[int, int | None]) -> None:
    """*replaced* is, by test_idx, the result whose place each one took."""
    tests = list(replaced)
    row = TestResult
    # A retry of a retry takes the place of what came first; the database would remove it with what it stands for.
    later = row.select(row.test_idx, row.invalidates_test).where(row.invalidates_test.in_(tests))
    for test_idx, erased in list(later.tuples()):
        row.update(invalidates_test=replaced[erased]).where(row.test_idx == test_idx).execute()
    _count_again([original for original in replaced.values() if original is not None], tests)
    for model in _OF_TESTS:
        model.delete().where(model.test.in_(tests)).execute()
    row.delete().where(row.test_idx.in_(tests)).execute()


def _count_again(originals: Sequence[int], erased: Sequence[int]) -> None:
    """Make the jobs of *originals* valid, but for those that another retry took the place of, and but for results that
    somebody made invalid."""
    row, retry = TestResult, TestResult.alias()
    by_hand = TestLabelTest.select(TestLabelTest.test).join(TestLabel).where(TestLabel.name == INVALIDATED)
    of_originals = row.select(row.job).where(row.test_idx.in_(originals)).distinct()
    for (job_idx,) in list(of_originals.tuples()):
        others = retry.select().join(row, on=(retry.invalidates_test == row.test_idx))
        if not others.where(row.job == job_idx, retry.test_idx.not_in(erased)).exists():
            row.update(invalid=False).where(row.job == job_idx, row.test_idx.not_in(by_hand)).execute()
