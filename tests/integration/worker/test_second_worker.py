"""Two workers for one lab: the second is told while the first lives, and follows it when it is dead."""

from __future__ import annotations

import os
import re

import pytest
from nodes.lab import Lab
from nodes.settled import assert_settled
from nodes.waiting import until
from nodes.workers import WorkerNode

from autotest import api
from autotest.states import EntryStatus

BEAT_S = 0.5


@pytest.fixture
def second(lab: Lab):
    """Starts a second worker for the lab; it is ended with the test."""
    here, started = lab.installation, []

    def start(*options: str) -> WorkerNode:
        node = WorkerNode("run", here.lab_files[0], here.settings_file, here.folder, lab.setup.app, "second-")
        node.container._argv += options
        node.container.start()
        started.append(node)
        return node

    yield start
    for node in started:
        node.teardown()


def ended(node: WorkerNode) -> int:
    """Wait until the worker ended. Returns its exit code."""
    until(lambda: node.container.status == "exited", 20, lambda: f"{node.name()} ends:\n{node.logs()[-2000:]}")
    return node.container._running.returncode


def test_the_second_worker_is_told_who_serves_the_lab_and_stops(lab, second):
    gate = lab.gate()
    job = lab.job(gate.control)
    gate.wait_for_run()
    first = lab.worker("run")

    told = second()

    assert ended(told) == 1
    said = told.logs().strip().splitlines()[-1]
    assert re.fullmatch(
        rf"autotest: lab desk is served by .+:{first.container.pid} since \d{{4}}-\S+ \S+ UTC \(incarnation 1\); stop "
        r"that worker, or start this one with --take-over",
        said,
    )
    assert first.container.status == "running"
    gate.open()
    lab.wait_for(job, EntryStatus.COMPLETED)
    assert len(gate.runs) == 1, "the first worker was not disturbed"
    assert_settled(lab)


def test_a_worker_that_is_told_to_take_over_does_and_the_first_gives_way(lab, second):
    gate = lab.gate()
    job = lab.job(gate.control)
    gate.wait_for_run()
    first = lab.worker("run")

    second("--take-over").ready()

    until(lambda: first.container.status == "exited", 15, "the first worker gives way")
    gate.wait_for_run(2)
    gate.open()
    lab.wait_for(job, EntryStatus.COMPLETED)
    (desk,) = api.list_labs()
    assert (desk["incarnation"], desk["alive"]) == (2, True)
    assert_settled(lab)


def test_a_worker_that_was_killed_is_followed_at_once(lab):
    first = lab.worker("run")
    first.kill()

    first.restart()

    assert "waiting up to" not in first.container.fresh_logs()
    lab.wait_for(lab.job(), EntryStatus.COMPLETED)
    assert_settled(lab)


def test_a_worker_that_ended_as_it_should_signs_off(lab):
    first = lab.worker("run")
    assert first.container.stop()
    (desk,) = api.list_labs()
    assert (desk["worker"], desk["alive"]) == ("", False)

    first.container.start()
    first.ready()

    (desk,) = api.list_labs()
    assert desk["worker"].endswith(f":{first.container.pid}")
    assert int(desk["worker"].rpartition(":")[2]) != os.getpid()
    lab.wait_for(lab.job(), EntryStatus.COMPLETED)
    assert_settled(lab)


@pytest.mark.slow
def test_a_worker_that_hangs_is_followed_after_six_beats(lab, second):
    first = lab.worker("run")
    lab.freeze(first)

    follower = second()
    follower.ready()

    assert "waiting up to 3 s for a sign of life" in follower.logs()
    assert "gave no sign of life: this worker takes lab desk over" in follower.logs()
    lab.wait_for(lab.job(), EntryStatus.COMPLETED)
    first.container.kill("SIGCONT")
    until(lambda: first.container.status == "exited", 15, "the first worker gives way")
    assert_settled(lab)
