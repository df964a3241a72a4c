"""Special tasks: their folders have names that can be read, and one can become the result of a job."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autotest.results import parser, special_tasks
from autotest.results.special_tasks import TaskFolder
from autotest.states import TaskKind


@given(st.builds(TaskFolder, st.integers(0, 10**17), st.sampled_from(TaskKind)))
def test_parse_is_the_inverse_of_render(task):
    assert TaskFolder.parse(task.render()) == task
    folder = special_tasks.folder_of(Path("/results"), "h1", task)
    assert special_tasks.is_folder(folder)


@pytest.mark.parametrize("name", ["12", "12-ann", "verify", "x-verify", "12-Verify", "\u0661-verify", "12-verify "])
def test_other_names_are_no_tasks(name):
    assert TaskFolder.parse(name) is None


def test_a_job_may_belong_to_somebody_called_repair():
    assert not special_tasks.is_folder(Path("/results/12-repair"))
    assert not special_tasks.is_folder(Path("/hosts/12-repair"))


def test_a_failed_task_becomes_the_result_of_its_job(files):
    root = files(
        {
            "task/status.log": "START\t----\tverify\ttimestamp=5\t\nEND FAIL\t----\tverify\ttimestamp=6\t\n",
            "task/keyval": "status_version=1\nhostname=h1\n",
            "task/debug/log": "x",
        }
    )
    (root / "task" / "way_out").symlink_to("/etc/passwd")
    (root / "task" / "debug" / "latest").symlink_to("log")
    os.mkfifo(root / "task" / "pipe")

    special_tasks.adopt(root / "task", root / "job")
    special_tasks.give_reason(root / "job" / "status.log", "no ssh", 7)

    record, verify = parser.read(root / "job").tests
    assert (record.reason, verify.name, verify.status.value, verify.reason) == ("no ssh", "verify", "FAIL", "no ssh")
    assert (root / "job" / "debug" / "latest").read_text() == "x"
    assert sorted(os.listdir(root / "job")) == ["debug", "keyval", "status.log"]
    assert "no ssh" not in (root / "task" / "status.log").read_text()


@pytest.mark.parametrize(
    "log",
    ["", "START\t----\tverify\t\n", "END FAIL\t----\tverify\tdisk full\n", "END GOOD\t----\tverify\t\n", "what\r?\n"],
)
def test_a_log_that_ended_otherwise_stays_as_it_is_before_the_reason(files, log):
    path = files({"status.log": log}) / "status.log"

    special_tasks.give_reason(path, "gone", 7)

    told = "INFO\t----\t----\ttimestamp=7\tjob_abort_reason=gone\tgone\n"
    assert path.read_bytes().decode() == log + told


def test_of_a_long_log_only_the_end_is_written_anew(files):
    log = "INFO\t----\t----\tstill there\n" * 60_000
    path = files({"status.log": log + "\tEND FAIL\t----\tverify\t\n"}) / "status.log"

    special_tasks.give_reason(path, "no ssh", 7)

    told = "INFO\t----\t----\ttimestamp=7\tjob_abort_reason=no ssh\tno ssh\n"
    assert path.read_text() == log + "\tEND FAIL\t----\tverify\tno ssh\n" + told


def test_a_log_that_is_a_link_leaves_what_it_leads_to_alone(files):
    root = files({"task/real": "END FAIL\t----\tverify\t\n"})
    link = root / "status.log"
    link.symlink_to(root / "task" / "real")

    special_tasks.give_reason(link, "no ssh", 7)

    assert "no ssh" in link.read_text()
    assert "no ssh" not in (root / "task" / "real").read_text()
