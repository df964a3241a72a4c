"""Tests of autotest.server.job."""

from __future__ import annotations

import pytest

from autotest.client import error, keyval
from autotest.server import job


def test_groups_indent_and_their_end_does_not(server_job, shown):
    with server_job.group("verify", success="h1 verified successfully"):
        server_job.record("GOOD", "", "verify.ssh")

    assert shown() == ["START verify", "»GOOD verify.ssh", "END GOOD verify h1 verified successfully"]


def test_a_group_that_raises_ends_what_is_open_in_it(server_job, shown):
    def work():
        with server_job.group("outer"):
            server_job.record("START", "", "inner")
            raise RuntimeError("broken\nin two lines")

    with pytest.raises(RuntimeError):
        work()

    assert shown() == [
        "START outer",
        "»START inner",
        "»»ABORT inner broken",
        "»END ABORT inner broken",
        "END FAIL outer broken",
        "  in two lines",
    ]


def test_abort_open_ends_every_group_with_the_reason(server_job, shown):
    server_job.record("START", "", "")
    server_job.record("START", "pas", "pas")

    server_job.abort_open("the DUT died")

    assert shown() == [
        "START",
        "»START pas",
        "»»ABORT pas the DUT died",
        "»END ABORT pas the DUT died",
        "»ABORT the DUT died",
        "END ABORT the DUT died",
    ]
    assert server_job.failed_tests == 1
    assert server_job.depth == 0


@pytest.mark.parametrize(
    ("raised", "lines"),
    [
        (None, ["START t", "»GOOD t completed successfully", "END GOOD t"]),
        (error.TestFail("slow"), ["START t", "»FAIL t slow", "END FAIL t"]),
        (error.TestNAError("no such hw"), ["START t", "»TEST_NA t no such hw", "END TEST_NA t"]),
        (error.TestError("no tool"), ["START t", "»ERROR t no tool", "END ERROR t"]),
    ],
)
def test_a_server_test_ends_as_its_exception_says(server_job, shown, raised, lines):
    def work():
        if raised:
            raise raised

    assert server_job.run_test("t", work) is (raised is None)
    assert shown() == lines
    assert server_job.failed_tests == (0 if raised is None else 1)


def test_an_unknown_exception_fails_a_server_test_with_its_name(server_job, shown):
    def work():
        raise ValueError("boom")

    server_job.run_test("t", work)

    assert shown()[1] == "»FAIL t Unhandled ValueError: boom"


def test_a_subdirectory_serves_one_test_only(server_job):
    server_job.run_test("t", lambda: None)

    with pytest.raises(ValueError, match="t already exists"):
        server_job.run_test("t", lambda: None)
    assert server_job.run_test("t", lambda: None, tag="two")


@pytest.mark.parametrize("subdir", ["../up", "/etc", "a/../../b", "nul\0"])
def test_no_entry_names_a_folder_outside(server_job, subdir):
    with pytest.raises(ValueError, match="leads out"):
        server_job.record("GOOD", subdir, "x")
    assert not (server_job.folder / "status.log").exists()


def test_an_end_without_a_start_is_refused(server_job):
    with pytest.raises(ValueError, match="never begun"):
        server_job.record("END GOOD", "", "")


def test_an_entry_that_cannot_be_written_leaves_no_group_open(server_job):
    with pytest.raises(ValueError, match="not valid"):
        server_job.record("BEGIN", "", "")
    assert server_job.depth == 0


def test_keyvals_that_are_there_stay_as_they_are(server_job):
    (server_job.folder / "keyval").write_text("user=alice\njob_queued=5\n")

    server_job.keyvals({"user": "bob", "job_started": 6})

    assert keyval.read(str(server_job.folder)) == {"user": "alice", "job_queued": 5, "job_started": 6}


def test_run_group_returns_what_its_function_returns(server_job, shown):
    assert server_job.run_group(lambda number: number + 1, tag="add", number=4) == 5
    assert shown() == ["START add", "END GOOD add"]


@pytest.mark.parametrize(
    ("subdir", "inside"), [("a", True), ("a/b", True), ("..", False), ("", False), ("/a", False), (".", False)]
)
def test_is_inside(subdir, inside):
    assert job.is_inside(subdir) is inside
