"""The folder of a suite knows the job of each test, and each result, however often it is written."""

from __future__ import annotations

import hashlib

import pytest
from paper_suites import PaperSuites, children

from autotest.client import keyval
from autotest.models.suite import Bug, BugReport
from autotest.scheduler import entries, suite_folder


@pytest.fixture
def suite(lab, build):
    lab.host("h1", labels=["board:pi4"])
    build.test("sleeptest")
    return PaperSuites(lab)


def pairs_of(suite, job):
    return keyval.read(str(suite.folder(job)))


def hashed(name):
    return hashlib.md5(name.encode()).hexdigest()


def end(suite, child, **columns):
    return entries.finish(suite.parsing(child, **columns).id)


def test_the_folder_knows_the_job_of_each_test_when_it_is_scheduled(suite):
    job = suite.running(job_keyvals={"note": "two\nlines # and more"})
    (child,) = children(job)

    pairs = pairs_of(suite, job)

    assert pairs[hashed("sleeptest")] == f"{child.id}-alice"
    assert pairs["note"] == "two lines   and more"
    assert (pairs["suite"], pairs["build"], pairs["user"]) == ("smoke", "R7-1", "alice")
    assert (pairs["status_version"], pairs["scheduled_test_count"]) == (1, 1)
    assert pairs["scheduled_test_names"] == "['sleeptest']"
    assert pairs["artifact_finished_time"] == "2026-03-01 12:00:00"
    assert "job_finished" not in pairs


def test_the_example_of_the_specification():
    assert hashed("dummy_Pass") == "e3d7ab9f4e61c3b2c0bdd2418f7bd218"


def test_at_its_result_a_test_is_known_by_the_name_of_its_result(suite):
    job = suite.running()
    (child,) = children(job)
    suite.stored(child, ("sleeptest.long", "GOOD"), ("SERVER_JOB", "FAIL"))
    end(suite, child)

    suite.finish(job)

    pairs = pairs_of(suite, job)
    tag = f"{child.id}-alice"
    names = ("sleeptest", "sleeptest.long", f"{child.name}_SERVER_JOB")
    assert [pairs[hashed(name)] for name in names] == [tag, tag, tag]
    told = {name: (subdir, status) for subdir, name, status, _ in suite.results(job)}
    assert told["sleeptest.long"] == (f"{tag}/h1/sleeptest.long", "GOOD")
    assert told[f"{child.name}_SERVER_JOB"] == (f"{tag}/h1", "FAIL")


def test_the_record_of_a_job_is_told_only_where_no_test_says_more(suite):
    job = suite.running()
    (child,) = children(job)
    suite.stored(child, ("sleeptest", "FAIL"), ("SERVER_JOB", "FAIL"))
    end(suite, child)

    suite.finish(job)

    assert [name for _, name, _, _ in suite.results(job) if name.endswith("SERVER_JOB")] == ["SERVER_JOB"]


def test_a_folder_that_was_lost_is_made_anew_from_the_rows(suite):
    job = suite.running()
    (child,) = children(job)
    end(suite, child, aborted=True, reason="not needed")
    (suite.folder(job) / "scheduled.json").write_text("{", encoding="utf-8")

    suite.finish(job)

    ended = {name: status for _, name, status, _ in suite.results(job)}
    assert ended[child.name] == "ABORT"
    assert ended["smoke"] == "WARN"
    assert pairs_of(suite, job)[hashed("sleeptest")] == f"{child.id}-alice"


def test_what_the_suite_file_said_is_in_the_log(suite, build):
    build.suite(
        "smoke",
        "from autotest.suite.dynamic_suite import reimage_and_run\nprint('looking around')\n"
        "reimage_and_run(name='smoke', colour='red', **args_dict)\n",
    )

    job = suite.running()

    notes = [line[-1] for line in suite.status_log(job) if line[0] == "INFO"]
    assert any("Ignored key colour was passed to suite smoke" in note for note in notes)
    assert any("looking around" in note for note in notes)
    suite.results(job)


def test_bugs_are_known_by_job_and_test_whatever_the_tests_name(suite):
    job = suite.running()
    (child,) = children(job)
    suite.stored(child, ("a/b c", "FAIL"))
    bug = Bug.create(fingerprint="f")
    BugReport.create(bug=bug, job=child, test="a/b c", report="{}")
    end(suite, child)
    suite.finish(job)
    key = f"{child.id}_a_b_c"
    assert pairs_of(suite, job)[f"{key}-Bug_Count"] == 1
    assert f"{key}-Bug_Id" not in pairs_of(suite, job)
    before = pairs_of(suite, job)

    Bug.update(tracker_id="T-1#").execute()
    suite_folder.note_bugs(suite.folder(job), job)
    text = (suite.folder(job) / "keyval").read_bytes()
    suite_folder.note_bugs(suite.folder(job), job)

    assert pairs_of(suite, job) == {**before, f"{key}-Bug_Id": "T-1"}
    assert (suite.folder(job) / "keyval").read_bytes() == text
