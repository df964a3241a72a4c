"""Special tasks: their folders have names that can be read, and one can become the result of a job."""

from __future__ import annotations

import datetime
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autotest.results import parser, special_tasks
from autotest.results.special_tasks import TaskFolder
from autotest.states import TaskKind

QUEUED = datetime.datetime(2026, 3, 1, tzinfo=datetime.timezone.utc)
FINISHED = QUEUED + datetime.timedelta(minutes=5)


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
            "task/status.log": "FAIL\t----\tverify\ttimestamp=5\tno ssh\n",
            "task/keyval": "status_version=1\nhostname=h1\n",
            "task/debug/log": "x",
            "job/debug/log": "kept",
        }
    )
    (root / "task" / "link").symlink_to("/etc/passwd")
    os.mkfifo(root / "task" / "pipe")

    for _ in range(2):
        special_tasks.adopt(root / "task", root / "job", QUEUED, FINISHED)

    result = parser.read(root / "job")
    assert [(test.name, test.status.value, test.reason) for test in result.tests[1:]] == [("verify", "FAIL", "no ssh")]
    assert (result.job.queued_time, result.job.finished_time) == (QUEUED, FINISHED)
    assert (root / "job" / "debug" / "log").read_text() == "kept"
    assert (root / "job" / "link").is_symlink()
    assert not (root / "job" / "pipe").exists()
