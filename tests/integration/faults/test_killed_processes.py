"""Whatever process is killed with SIGKILL, every entry ends once and no DUT is held twice."""

from __future__ import annotations

import os
import signal

import pytest
from nodes.settled import assert_settled

from autotest.states import EntryStatus


def kill(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def test_a_killed_child_costs_one_attempt_and_its_client_dies_with_the_next_lease(lab):
    gate = lab.gate()
    job = lab.job(gate.control)
    left_over = gate.wait_for_run()
    (child,) = lab.worker("run").children()
    kill(child)
    # Nobody told the client: it runs on until a newer lease reaches the DUT.
    gate.wait_for_run(2)
    assert left_over not in lab.dut().processes
    gate.open()
    lab.wait_for(job, EntryStatus.COMPLETED)
    assert lab.entry(job).requeues == 1
    assert_settled(lab)


@pytest.mark.lab(max_requeues=1)
def test_an_entry_whose_child_dies_every_time_fails_with_that_reason(lab):
    gate = lab.gate()
    job = lab.job(gate.control)
    for number in (1, 2):
        gate.wait_for_run(number)
        (child,) = lab.worker("run").children()
        kill(child)
    lab.wait_for(job, EntryStatus.FAILED)
    assert "given up after 2 attempts" in lab.entry(job).reason
    gate.open()
    assert_settled(lab)


@pytest.mark.lab(duts=2)
def test_a_killed_fork_server_is_replaced_and_its_entries_run_again(lab):
    gates = [lab.gate(), lab.gate()]
    jobs = [lab.job(gate.control) for gate in gates]
    for gate in gates:
        gate.wait_for_run()
    worker = lab.worker("run")
    before = worker.fork_server()
    kill(before)
    for gate in gates:
        gate.wait_for_run(2)
        gate.open()
    for job in jobs:
        lab.wait_for(job, EntryStatus.COMPLETED)
    assert worker.fork_server() != before
    assert worker.container.status == "running"
    assert_settled(lab)


@pytest.mark.lab(duts=2)
def test_a_killed_worker_recovers_within_seconds_of_its_restart(lab):
    gates = [lab.gate(), lab.gate()]
    running = [lab.job(gate.control) for gate in gates]
    for gate in gates:
        gate.wait_for_run()
    queued = lab.jobs(3)
    worker = lab.worker("run")
    worker.kill()
    lab.wait_until(lambda: not worker.container.family(), "the fork server and the children died with their worker")
    worker.restart()
    seconds = lab.wait_until(lambda: all(len(gate.runs) == 2 for gate in gates), "both entries run again", seconds=15)
    print(f"both entries ran again {seconds:.2f} s after the worker was ready")
    for gate in gates:
        gate.open()
    for job in [*running, *queued]:
        lab.wait_for(job, EntryStatus.COMPLETED)
    assert_settled(lab)


def test_a_worker_that_is_told_to_stop_leaves_its_entries_to_its_successor(lab):
    gate = lab.gate()
    job = lab.job(gate.control)
    gate.wait_for_run()
    lab.worker("run").restart(force=True)
    gate.wait_for_run(2)
    gate.open()
    lab.wait_for(job, EntryStatus.COMPLETED)
    assert_settled(lab)


def test_a_results_worker_killed_in_the_middle_of_storing_loses_nothing(lab):
    results = lab.worker("results")
    lab.freeze(results)
    jobs = lab.jobs(3)
    for job in jobs:
        lab.wait_for(job, EntryStatus.PARSING)
    with lab.write_lock():
        results.container.kill("SIGCONT")
        lab.wait_until(lambda: any(lab.results(job).is_dir() for job in jobs), "a folder was accepted")
        results.kill()
    results.restart()
    for job in jobs:
        lab.wait_for(job, EntryStatus.COMPLETED)
    assert_settled(lab)


def test_a_suite_survives_its_worker(lab):
    gate = lab.gate()
    lab.installation.add_test("gated", f"job.run_test('gate', place={str(gate.place)!r})")
    suites = lab.worker("suites")
    suites.kill()
    suite = lab.suite()
    suites.restart()
    gate.wait_for_run()
    suites.kill()
    gate.open()
    lab.wait_until(lambda: lab.unfinished() == [suite], "only the suite itself is left")
    suites.restart()
    lab.wait_for(suite, EntryStatus.COMPLETED)
    assert_settled(lab)
