"""What is erased is nowhere any more, and what stays is whole."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from autotest.models import tko
from autotest.models.tko import IterationResult, Kernel, Machine, Status, TaskReference, TkoJob, TkoJobKeyval
from autotest.models.tko import TestResult as Result
from autotest.results.retention import command, erase
from autotest.states import EntryStatus


def stored(tag, **columns):
    """A result of the job with a row in every table."""
    machine, _ = Machine.get_or_create(hostname="h1")
    kernel, _ = Kernel.get_or_create(printable="UNKNOWN")
    number = int(tag.partition("-")[0])
    job = TkoJob.create(tag=f"{tag}/h1", machine=machine, afe_job_id=number)
    TkoJobKeyval.create(job=job, key="k", value="v")
    TaskReference.create(reference_type="afe", tko_job=job, task_id=str(number))
    result = Result.create(test="t", job=job, machine=machine, kernel=kernel, status=Status.get(), **columns)
    tko.TestAttribute.create(test=result, attribute="a", value="1")
    IterationResult.insert(test=result, iteration=1, attribute="fps", value=1.0).execute()
    tko.TestLabelTest.create(testlabel=tko.TestLabel.get_or_create(name="seen")[0], test=result)
    return result


def erased(*arguments, code=0):
    done = CliRunner().invoke(command.erase, ["--json", *map(str, arguments)], standalone_mode=False)
    if code:
        return str(done.exception)
    assert done.exception is None, done.exception
    return json.loads(done.stdout)


def rows():
    tables = (TkoJob, TkoJobKeyval, TaskReference, Result, tko.TestAttribute, IterationResult, tko.TestLabelTest)
    return [table.select().count() for table in tables]


def test_a_dry_run_tells_what_would_go_and_changes_nothing(shelf):
    tag = shelf.job()
    stored(tag)

    (told,) = erased(tag)

    assert (told["tag"], told["folders"], told["results"], told["erased"]) == (tag, 1, 1, False)
    assert told["bytes"] > 0
    assert rows() == [1] * 7
    assert shelf.on_disk() == {tag}


def test_rows_folder_and_archive_go_and_the_neighbours_stay(shelf):
    away, there, other = shelf.job(), shelf.job(1), shelf.job(1)
    shelf.prune("--older-than", "90d", "--apply")
    for tag in (away, there, other):
        stored(tag)

    told = erased("--apply", away, there.partition("-")[0])

    assert [each["erased"] for each in told] == [True, True]
    assert rows() == [1] * 7
    assert shelf.on_disk() == {other}
    assert list(shelf.archive.iterdir()) == []
    assert "there is nothing of" in erased(away, code=1)


def test_a_retry_of_a_retry_takes_the_place_of_the_first_and_gives_it_back(shelf):
    first, second, third = shelf.job(), shelf.job(), shelf.job()
    original = stored(first, invalid=True)
    retry = stored(second, invalid=True, invalidates_test=original)
    last = stored(third, invalidates_test=retry)

    erased("--apply", second)

    assert Result.get_by_id(original.test_idx).invalid
    assert Result.get_by_id(last.test_idx).invalidates_test_idx == original.test_idx

    erased("--apply", third)

    assert not Result.get_by_id(original.test_idx).invalid


def test_all_of_a_job_counts_again_without_its_retry(shelf):
    first, second = shelf.job(), shelf.job()
    original = stored(first, invalid=True)
    other = Result.create(**{**original.__data__, "test_idx": None, "test": "u"})
    stored(second, invalidates_test=original)

    erased("--apply", second)

    assert not any(Result.get_by_id(each.test_idx).invalid for each in (original, other))


def test_what_somebody_invalidated_does_not_count_again(shelf):
    first, second = shelf.job(), shelf.job()
    original = stored(first, invalid=True)
    mark, _ = tko.TestLabel.get_or_create(name="invalidated")
    tko.TestLabelTest.create(testlabel=mark, test=original)
    stored(second, invalidates_test=original)

    erased("--apply", second)

    assert Result.get_by_id(original.test_idx).invalid


def test_a_job_that_runs_and_one_that_is_kept_are_refused(shelf):
    running = shelf.job(status=EntryStatus.RUNNING)
    kept = shelf.job()
    shelf.keep(kept)

    assert "is not finished" in erased("--apply", running, code=1)
    assert "carries the label 'keep'" in erased("--apply", kept, code=1)
    assert shelf.on_disk() == {running, kept}


@pytest.mark.parametrize("name", ["../x", "17-ann/h1", "999", "lab/../17-ann", ""])
def test_what_is_no_job_is_not_found(shelf, name):
    told = erased("--apply", name, code=1)

    assert "is no job's folder" in told or "has no results folder" in told


def test_killed_before_the_rows_went_the_next_run_ends_it(shelf, monkeypatch):
    tag = shelf.job()
    stored(tag)

    with monkeypatch.context() as patch:
        patch.setattr(erase, "_delete_rows", lambda tag: 1 / 0)
        erased("--apply", tag, code=1)
    assert rows() == [1] * 7
    erased("--apply", tag)

    assert rows() == [0] * 7
    assert shelf.on_disk() == set()
