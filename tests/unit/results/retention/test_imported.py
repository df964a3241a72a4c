"""What was imported goes only when it is asked for, by the times that are stored of it."""

from __future__ import annotations

import datetime
import shutil

import pytest

from autotest.models import tko
from autotest.models.database import utc_now
from autotest.models.tko import Kernel, Machine, Status, TkoJob
from autotest.models.tko import TestResult as Result
from autotest.results.retention import candidates, contents


@pytest.fixture
def imported(shelf):
    """imported(tag, days) stores a result that ended so many days ago, and makes its folder."""

    def make(tag: str, days: float | None = 100, suite: str | None = None) -> Result:
        machine, _ = Machine.get_or_create(hostname="h1")
        kernel, _ = Kernel.get_or_create(printable="UNKNOWN")
        ended = None if days is None else utc_now() - datetime.timedelta(days=days)
        job = TkoJob.create(tag=f"{tag}/h1", machine=machine, finished_time=ended, suite=suite)
        folder = shelf.results / tag / "h1"
        folder.mkdir(parents=True)
        (folder / "status.log").write_bytes(b"GOOD\n" * 2000)
        return Result.create(test="t", job=job, machine=machine, kernel=kernel, status=Status.get())

    return make


def gone(told):
    return {each["tag"] for each in told["folders"] if each["gone"]}


def test_an_ordinary_prune_leaves_them(shelf, imported):
    imported("17-old")
    imported("lab2010/17-ann")

    assert shelf.prune("--older-than", "90d", "--apply")["folders"] == []


def test_old_ones_go_with_and_without_a_name_and_come_back(shelf, imported):
    ours = shelf.job(100)
    for tag, days in (("917-old", 100), ("918-new", 1), ("lab2010/17-ann", 100), ("lab2011/17-ann", 1)):
        imported(tag, days)

    told = shelf.prune("--older-than", "90d", "--imported", "--apply")

    assert gone(told) == {"917-old", "lab2010/17-ann"}
    assert [each["job_id"] for each in told["folders"]] == [None, None]
    assert (shelf.results / ours).is_dir()
    assert (shelf.results / "lab2011/17-ann").is_dir()
    done = shelf.run("restore", "lab2010/17-ann")
    assert done.exit_code == 0, done.output
    assert (shelf.results / "lab2010/17-ann/h1/status.log").is_file()
    assert shelf.prune("--older-than", "90d", "--imported")["folders"] == []


def test_a_tree_that_was_imported_twice_has_two_archives(shelf, imported):
    tags = ("lab2010/17-ann", "lab2011/17-ann")
    for tag in tags:
        imported(tag)
    first, second = (shelf.results / tag / "h1" / "status.log" for tag in tags)
    shutil.copystat(first, second)
    shelf.prune("--older-than", "90d", "--imported", "--apply")

    shelf.run("erase", "lab2010/17-ann", "--apply")

    assert shelf.run("restore", "lab2011/17-ann").exit_code == 0
    assert second.is_file()
    assert not first.exists()


@pytest.mark.parametrize("name", ["leaving-", "incoming-x", "lock"])
def test_no_name_of_a_tree_is_taken_for_what_is_left_over(shelf, imported, name):
    imported(f"{name}/17-ann")
    shelf.prune("--older-than", "90d", "--imported", "--apply")
    shelf.prune("--older-than", "90d", "--imported", "--apply")

    assert shelf.run("restore", f"{name}/17-ann").exit_code == 0


def test_a_label_a_suite_and_what_has_no_time_hold_them(shelf, imported):
    mark = tko.TestLabel.create(name="keep")
    tko.TestLabelTest.create(testlabel=mark, test=imported("917-kept", suite="bvt"))
    imported("918-timeless", None, "bvt")
    imported("919-other", suite="cq")
    imported("920-goes", suite="bvt")
    (shelf.results / "lab2010/21-nobody").mkdir(parents=True)

    assert gone(shelf.prune("--older-than", "90d", "--imported", "--suite", "bvt", "--apply")) == {"920-goes"}


def test_a_job_whose_tag_begins_alike_is_another(imported):
    imported("917-ann")
    imported("917-ann2")

    stored = TkoJob.select(TkoJob.tag).where(candidates.below("917-ann")).tuples()

    assert list(stored) == [("917-ann/h1",)]


def test_a_quota_lets_the_oldest_go(shelf, imported):
    imported("917-older", 300)
    imported("918-old", 200)

    (only,) = shelf.prune("--quota", shelf_size(shelf) - 1, "--imported")["folders"]

    assert (only["tag"], only["why"]) == ("917-older", "room")


def shelf_size(shelf):
    """What the results take now; the folder of records is made first."""
    shelf.prune("--imported", "--apply")
    return contents.on_disk(shelf.results)
