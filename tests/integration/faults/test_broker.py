"""The broker forgets everything or dies, with 50 entries queued and 5 running."""

from __future__ import annotations

import pytest
from nodes.settled import assert_settled

from autotest.states import EntryStatus

#: 55 tests on 5 DUTs; the simulated DUTs share two cores with everything else.
ALL_DONE_S = 100.0


@pytest.fixture
def five_running(lab):
    gates = [lab.gate() for _ in range(5)]
    jobs = [lab.job(gate.control) for gate in gates]
    for gate in gates:
        gate.wait_for_run()
    lab.light_jobs(50)
    return gates, jobs


@pytest.mark.slow
@pytest.mark.lab(duts=5)
def test_a_broker_that_forgot_everything_is_told_again(lab, five_running):
    gates, _ = five_running
    with lab.broker.client() as client:
        client.flushall()
    for gate in gates:
        gate.open()
    assert_settled(lab, ALL_DONE_S)
    assert [len(gate.runs) for gate in gates] == [1] * 5, "a running test was disturbed"
    assert {lab.status(job) for job in lab.job_ids} == {EntryStatus.COMPLETED}


@pytest.mark.slow
@pytest.mark.lab(duts=5)
def test_a_broker_that_is_killed_disturbs_no_running_test(lab, five_running):
    gates, jobs = five_running
    lab.broker.kill()
    late = lab.job()
    for gate in gates:
        gate.open()
    for job in jobs:
        lab.wait_for(job, EntryStatus.PARSING)
    lab.broker.restart()
    seconds = lab.wait_for(jobs[0])
    print(f"the first result was stored {seconds:.2f} s after the broker came back")
    assert_settled(lab, ALL_DONE_S)
    assert [len(gate.runs) for gate in gates] == [1] * 5, "a running test was disturbed"
    assert lab.status(late) is EntryStatus.COMPLETED
    assert {lab.status(job) for job in lab.job_ids} == {EntryStatus.COMPLETED}
