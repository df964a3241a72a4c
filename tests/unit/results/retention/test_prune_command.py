"""`autotest results prune`: whose folder goes, whose stays, and that a dry run changes nothing."""

from __future__ import annotations

import re

import pytest

from autotest import errors
from autotest.models.afe import HostQueueEntry, JobKeyval
from autotest.results.retention import prune
from autotest.results.retention.archive import Store
from autotest.states import EntryStatus


def number(tag):
    return int(tag.partition("-")[0])


def test_a_dry_run_tells_what_would_go_and_changes_nothing(shelf):
    old, young = shelf.job(100), shelf.job(10)

    told = shelf.prune("--older-than", "90d")

    assert [each["tag"] for each in told["folders"]] == [old]
    assert told["bytes"] >= 10_000
    assert shelf.on_disk() == {old, young}
    assert not shelf.archive.exists()


def test_people_read_a_table_and_how_to_go_on(shelf):
    shelf.job(100)
    done = shelf.run("prune", "--older-than", "90d")
    assert "1 folder, " in done.output
    assert "to be removed for good" in done.output
    assert "--apply does it" in done.output


def test_old_folders_go_into_the_archive(shelf):
    old, young = shelf.job(100), shelf.job(10)

    told = shelf.prune("--older-than", "90d", "--apply")

    assert [each["gone"] for each in told["folders"]] == [True]
    assert shelf.on_disk() == {young}
    assert sorted(path.name.split(".", 1)[0] for path in shelf.archive.iterdir()) == [old, old]


def test_without_an_archive_they_go_for_good(shelf):
    tag = shelf.job(100)
    shelf.prune("--older-than", "90d", "--apply", archive=False)
    assert shelf.on_disk() == set()
    done = shelf.run("restore", number(tag))
    assert done.exit_code == 1
    assert "no results folder, on the disk or archived" in done.output


def test_what_passed_goes_unarchived_where_only_failures_are_asked_for(shelf):
    passed, failed, unasked = (shelf.job(days) for days in (103, 102, 101))
    for tag, status, asked in ((passed, "GOOD", True), (failed, "FAIL", True), (unasked, "GOOD", False)):
        shelf.stored(tag, status, only_failures=asked)

    planned = shelf.prune("--older-than", "90d")
    done = shelf.prune("--older-than", "90d", "--apply")

    told = {passed: False, failed: True, unasked: True}
    assert {each["tag"]: each["archived"] for each in planned["folders"]} == told
    assert {each["tag"]: each["archived"] for each in done["folders"]} == told
    assert shelf.on_disk() == set()
    assert {path.name.split(".", 1)[0] for path in shelf.archive.iterdir()} == {failed, unasked}


def test_people_read_which_folder_goes_unarchived(shelf):
    shelf.stored(shelf.job(100), "GOOD", only_failures=True)
    shelf.job(101)

    shown = shelf.run("prune", "--older-than", "90d", "--archive", shelf.archive).output

    assert "old, passed" in shown
    assert re.search(r"1 folder, .*, to be archived in .*/archive\.\n1 folder, .*, to be removed for good\.\n", shown)


@pytest.mark.parametrize(
    ("entry", "results"),
    [
        pytest.param("Completed", [], id="nothing is stored"),
        pytest.param("Completed", ["WARN", "GOOD"], id="a warning"),
        pytest.param("Completed", ["TEST_NA"], id="nothing passed"),
        pytest.param("Failed", ["GOOD"], id="its run failed"),
    ],
)
def test_what_did_not_pass_altogether_is_archived(shelf, entry, results):
    tag = shelf.job(100)
    HostQueueEntry.update(status=entry).where(HostQueueEntry.job == number(tag)).execute()
    JobKeyval.create(job=number(tag), key="offload_failures_only", value="True")
    for status in results:
        shelf.stored(tag, status)
    (told,) = shelf.prune("--older-than", "90d")["folders"]
    assert told["archived"]


def test_a_failure_that_a_retry_took_the_place_of_needs_no_archive(shelf):
    tag = shelf.job(100)
    shelf.stored(tag, "FAIL", only_failures=True, invalid=True)
    shelf.stored(tag, "GOOD")
    (told,) = shelf.prune("--older-than", "90d")["folders"]
    assert not told["archived"]


def test_a_failure_that_is_stored_meanwhile_is_archived(shelf, monkeypatch):
    first, second = shelf.job(101), shelf.job(100)
    for tag in (first, second):
        shelf.stored(tag, "GOOD", only_failures=True)
    let_go = prune.let_go

    def parsed(results_dir, tag, *rest):
        shelf.stored(second, "FAIL")
        return let_go(results_dir, tag, *rest)

    monkeypatch.setattr(prune, "let_go", parsed)

    told = shelf.prune("--older-than", "90d", "--apply")

    assert [each["archived"] for each in told["folders"]] == [False, True]


def test_a_label_on_any_result_keeps_the_folder(shelf):
    kept, other = shelf.job(100), shelf.job(100)
    shelf.keep(kept)
    shelf.keep(other, "flaky")

    shelf.prune("--older-than", "90d", "--apply")

    assert shelf.on_disk() == {kept}


def test_a_label_that_comes_while_folders_go_still_keeps_one(shelf, monkeypatch):
    first, second = shelf.job(101), shelf.job(100)
    let_go = prune.let_go

    def labelled(results_dir, tag, *rest):
        shelf.keep(second)
        return let_go(results_dir, tag, *rest)

    monkeypatch.setattr(prune, "let_go", labelled)

    shelf.prune("--older-than", "90d", "--apply")

    assert shelf.on_disk() == {second}
    assert first not in shelf.on_disk()


@pytest.mark.parametrize("status", [EntryStatus.RUNNING, EntryStatus.PARSING, EntryStatus.QUEUED])
def test_unfinished_jobs_are_never_touched(shelf, status):
    tag = shelf.job(100, status)
    shelf.prune("--older-than", "1m", "--quota", "0", "--free-floor", "999T", "--apply")
    assert shelf.on_disk() == {tag}


def test_folders_that_no_job_wrote_are_not_touched(shelf):
    shelf.job(100)
    for name in ("999-bob", "bugs.jsonl.d", "7"):
        (shelf.results / name).mkdir()
    shelf.prune("--older-than", "90d", "--apply")
    assert shelf.on_disk() == {"999-bob", "bugs.jsonl.d", "7"}


def test_a_link_in_the_place_of_a_folder_is_not_followed(shelf, tmp_path):
    tag = shelf.job(100)
    elsewhere = tmp_path / "elsewhere"
    (shelf.results / tag).rename(elsewhere)
    (shelf.results / tag).symlink_to(elsewhere)

    assert shelf.prune("--older-than", "90d", "--apply")["folders"] == []
    assert (elsewhere / "h1" / "status.log").exists()


def test_a_suite_goes_with_all_its_children_and_stays_with_one_that_stays(shelf):
    gone, held = shelf.job(100, suite="bvt"), shelf.job(100, suite="bvt")
    children = [shelf.job(100, parent=number(gone)), shelf.job(101, parent=number(gone))]
    kept, other = shelf.job(100, parent=number(held)), shelf.job(100, parent=number(held))
    shelf.keep(kept)

    told = shelf.prune("--older-than", "90d", "--apply")

    order = [each["tag"] for each in told["folders"]]
    assert set(order) == {gone, *children, other}
    assert order.index(gone) > max(map(order.index, children))
    assert shelf.on_disk() == {held, kept}


def test_nothing_of_a_suite_that_runs_goes_and_no_suite_with_a_child_that_runs(shelf):
    running = shelf.job(100, EntryStatus.RUNNING)
    child = shelf.job(100, parent=number(running))
    over = shelf.job(100)
    late = shelf.job(100, EntryStatus.RUNNING, parent=number(over))
    shelf.prune("--older-than", "90d", "--apply")
    assert shelf.on_disk() == {running, child, over, late}


def test_only_jobs_of_one_suite_go(shelf):
    bvt, cq = shelf.job(100, suite="bvt"), shelf.job(100, suite="cq")
    shelf.prune("--older-than", "90d", "--suite", "bvt", "--apply")
    assert shelf.on_disk() == {cq}
    assert bvt not in shelf.on_disk()


def test_the_oldest_go_until_the_quota_holds(shelf):
    tags = [shelf.job(days, files={"big": b"x" * 200_000}) for days in (30, 20, 10)]
    told = shelf.prune("--quota", "500K", "--apply")
    assert [each["tag"] for each in told["folders"]] == [tags[0]]
    assert shelf.on_disk() == set(tags[1:])
    assert told["bytes_missing"] == 0


def test_what_is_kept_is_said_to_be_missing_for_the_floor(shelf):
    shelf.keep(shelf.job(100))
    told = shelf.prune("--free-floor", "900T")
    assert told["folders"] == []
    assert told["bytes_missing"] > 1 << 40


def test_a_folder_that_cannot_be_read_stays_and_the_others_go(shelf, monkeypatch):
    bad, good = shelf.job(101), shelf.job(100)
    put = Store.put

    def broken(self, tag, folder, found, now):
        if tag == bad:
            raise errors.BadResultsFolder(f"{folder} cannot be read")
        return put(self, tag, folder, found, now)

    monkeypatch.setattr(Store, "put", broken)

    told = shelf.prune("--older-than", "90d", "--apply", code=1)

    assert shelf.on_disk() == {bad}
    assert [each["gone"] for each in told["folders"]] == [False, True]
    assert told["folders"][1]["tag"] == good
    assert f"{bad} cannot be read" in told["stderr"]


def test_an_archive_that_is_down_is_given_up_after_a_few_folders(shelf):
    tags = [shelf.job(days) for days in range(100, 106)]
    shelf.archive.write_text("no folder")

    told = shelf.prune("--older-than", "90d", "--apply", code=1)

    assert shelf.on_disk() == set(tags)
    assert sum(each["problem"] is not None for each in told["folders"]) == 3
    assert "FileExistsError" in told["stderr"]


def test_one_archive_that_is_damaged_holds_up_no_other(shelf):
    restored, other = shelf.job(101), shelf.job(100)
    shelf.prune("--older-than", "90d", "--apply")
    shelf.run("restore", number(restored))
    for path in shelf.archive.glob(f"{restored}.*.zst"):
        path.write_bytes(b"")
    fresh = shelf.job(99)

    told = shelf.prune("--free-floor", "900T", "--apply", code=1)

    assert shelf.on_disk() == {restored}
    assert {each["tag"]: each["gone"] for each in told["folders"]} == {restored: False, fresh: True}
    assert other not in shelf.on_disk()


@pytest.mark.parametrize("arguments", [["--older-than", "soon"], ["--quota", "-1"], ["--quota", "5X"]])
def test_an_amount_that_is_none_is_refused(shelf, arguments):
    done = shelf.run("prune", *arguments)
    assert done.exit_code == 2
    assert "is no " in done.output


def test_a_restored_folder_is_young_again_and_can_be_parsed(shelf):
    tag = shelf.job(100)
    shelf.prune("--older-than", "90d", "--apply")

    done = shelf.run("restore", number(tag))

    assert done.output.strip() == str(shelf.results / tag)
    assert shelf.prune("--older-than", "90d", "--apply")["folders"] == []
    assert shelf.on_disk() == {tag}


def test_an_archived_folder_is_parsed_as_if_it_were_here(shelf):
    tag = shelf.job(100, files={"keyval": b"status_version=1\n", ".autoserv_execute": b"1\n0\n0\n"})
    shelf.prune("--older-than", "90d", "--apply")

    done = shelf.run("parse", "--json", shelf.results / tag / "h1")

    assert done.exit_code == 0, done.output
    assert shelf.on_disk() == {tag}
