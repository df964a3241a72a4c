"""A retry takes the place of its original, in whatever order both are stored, unless it was aborted."""

from __future__ import annotations

import pytest

from autotest.models import tko
from autotest.results import retries


@pytest.fixture
def stored(db):
    """stored(job id, *names, retries=, aborted=) writes results of a job as they are before anything is invalid."""
    machine = tko.Machine.create(hostname="h1")
    kernel = tko.Kernel.create(printable="UNKNOWN")
    status = tko.Status.get(tko.Status.word == "FAIL")

    def write(job_id, *names, retry_of=None, aborted=False):
        job = tko.TkoJob.create(tag=f"{job_id}-ann/h1", machine=machine, afe_job_id=job_id)
        for name in names:
            tko.TestResult.create(job=job, test=name, subdir=name, kernel=kernel, status=status, machine=machine)
        pairs = {retries.KEY: retry_of, "aborted_by": "autotest_system" if aborted else None}
        for key, value in pairs.items():
            if value is not None:
                tko.TkoJobKeyval.create(job=job, key=key, value=str(value))
        return job

    return write


def invalid():
    rows = tko.TestResult.select(tko.TkoJob.afe_job_id, tko.TestResult.test).join(tko.TkoJob)
    return sorted(rows.where(tko.TestResult.invalid).tuples())


def partners():
    other = tko.TestResult.alias()
    rows = tko.TestResult.select(tko.TestResult.test, other.test).join(
        other, on=(tko.TestResult.invalidates_test == other.test_idx)
    )
    return sorted(rows.tuples())


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
def test_all_results_of_the_original_go_and_equal_ones_are_partners(stored, order):
    jobs = {1: stored(1, "a", "b"), 2: stored(2, "a", "c", retry_of=1)}

    for number in order:
        retries.invalidate(jobs[number])

    assert invalid() == [(1, "a"), (1, "b")]
    assert partners() == [("a", "a")]


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
def test_a_retry_that_was_aborted_takes_nobodys_place(stored, order):
    jobs = {1: stored(1, "a"), 2: stored(2, "a", retry_of=1, aborted=True)}

    for number in order:
        retries.invalidate(jobs[number])

    assert invalid() == []


def test_of_a_chain_only_the_last_one_stands(stored):
    for number, before in ((1, None), (2, 1), (3, 2)):
        retries.invalidate(stored(number, "a", retry_of=before))

    assert invalid() == [(1, "a"), (2, "a")]


@pytest.mark.parametrize("named", ["7", "2", "x", "0", "99999999999"])
def test_a_retry_of_nothing_changes_nothing(stored, named):
    retries.invalidate(stored(2, "a", retry_of=named))

    assert invalid() == []
