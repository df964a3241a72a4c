"""The straight line of the design: what is asked for runs on a DUT that fits, and ends in results."""

from __future__ import annotations

import hashlib

import pytest
from nodes.settled import assert_settled

from autotest import api
from autotest.client import keyval
from autotest.models import database, tko
from autotest.models.afe import HostQueueEntry, Job, SpecialTask
from autotest.models.database import utc_now
from autotest.states import EntryStatus, Priority

#: An abort must work within 2 s; the rest is for a machine that is busy with other things.
ABORTED_WITHIN_S = 10.0


def results_of(job_id: int) -> dict[str, str]:
    """The tests of a job as TKO holds them: name and status, without the line about the job itself."""
    with database.connection():
        rows = (
            tko.TestResult.select(tko.TestResult.test, tko.Status.word)
            .join(tko.Status)
            .switch(tko.TestResult)
            .join(tko.TkoJob)
            .where(tko.TkoJob.afe_job_id == job_id)
        )
        return {name: word for name, word in rows.tuples() if not name.startswith(("SERVER_JOB", "CLIENT_JOB"))}


def children_of(suite: int) -> dict[str, int]:
    """The children of a suite: the test's name and the job's id."""
    with database.connection():
        rows = Job.select(Job.name, Job.id).where(Job.parent_job == suite).tuples()
        return {name.rpartition("/")[2]: job_id for name, job_id in rows}


@pytest.mark.lab(duts=2)
def test_a_suite_fans_out_and_its_results_come_back(lab):
    body = "job.run_test('{}'{})".format
    gate = lab.gate()
    gate.open()
    lab.installation.add_test("passes", body("quick", ""))
    lab.installation.add_test("fails", body("gate", f", place={str(gate.place)!r}, verdict='as it should'"))
    lab.installation.add_test("nowhere", body("quick", ""), needs="board:elsewhere")
    suite = lab.suite()
    lab.wait_for(suite, EntryStatus.COMPLETED)
    children = children_of(suite)
    assert sorted(children) == ["fails", "passes"]
    assert results_of(children["passes"]) == {"quick": "GOOD"}
    assert results_of(children["fails"]) == {"gate": "FAIL"}
    assert results_of(suite) == {"quick": "GOOD", "gate": "FAIL", "nowhere": "TEST_NA"}
    written = keyval.read(str(lab.results(suite)), strict=False)
    hashed = hashlib.md5(b"passes", usedforsecurity=False).hexdigest()
    assert written[hashed] == f"{children['passes']}-tester"
    assert_settled(lab)


def test_higher_priority_goes_first_then_the_older_one(lab):
    gate = lab.gate()
    first = lab.job(gate.control)
    gate.wait_for_run()
    asked = [Priority.DAILY, Priority.SUPER, Priority.DEFAULT, Priority.SUPER, 45, Priority.WEEKLY]
    waiting = [
        lab.job(priority=priority, needs=["board:sim", "pool:suites"] if number % 2 else ["board:sim"])
        for number, priority in enumerate(asked)
    ]
    gate.open()
    assert_settled(lab)
    served = sorted([first, *waiting], key=lambda job: lab.entry(job).started_on)
    assert served == [first, waiting[1], waiting[3], waiting[4], waiting[2], waiting[0], waiting[5]]


def test_an_abort_reaches_a_queued_job_at_once(lab):
    gate = lab.gate()
    running = lab.job(gate.control)
    gate.wait_for_run()
    queued = lab.job()
    api.abort_jobs([queued])
    seconds = lab.wait_for(queued, EntryStatus.ABORTED, seconds=ABORTED_WITHIN_S)
    print(f"a queued job was aborted after {seconds:.2f} s")
    gate.open()
    lab.wait_for(running, EntryStatus.COMPLETED)
    assert results_of(queued) == {}
    assert_settled(lab)


def test_an_abort_reaches_a_running_job_and_its_processes_on_the_dut(lab):
    gate = lab.gate()
    job = lab.job(gate.control)
    pid = gate.wait_for_run()
    assert pid in lab.dut().processes
    # What the DUT says reaches the lab a moment later; an abort before that would leave no trace of the test.
    lab.wait_until(lambda: "START\tgate" in lab.log(job), "the lab hears of the test")
    api.abort_jobs([job])
    on_dut = lab.wait_until(lambda: not lab.dut().processes, "the DUT is quiet", seconds=ABORTED_WITHIN_S)
    print(f"the DUT was quiet {on_dut:.2f} s after the abort")
    lab.wait_for(job, EntryStatus.ABORTED)
    # The client's own last words, if they came home in time, call the killed test an ERROR.
    assert results_of(job) in ({"gate": "ABORT"}, {"gate": "ERROR"})
    assert_settled(lab)


def test_a_job_that_outruns_its_limit_is_aborted_with_its_processes(lab):
    gate = lab.gate()
    with_limit = lab.job(gate.control)
    gate.wait_for_run()
    with database.connection():
        # No limit is shorter than a minute, so time has to pass here.
        long_ago = utc_now().replace(year=2001)
        Job.update(created_on=long_ago).where(Job.id == with_limit).execute()
    lab.wait_for(with_limit, EntryStatus.ABORTED)
    assert "timeout" in lab.entry(with_limit).reason
    assert_settled(lab)


def test_a_host_is_verified_before_the_job(lab):
    job = lab.job(verify=True)
    lab.wait_for(job, EntryStatus.COMPLETED)
    with database.connection():
        tasks = [(task.task, task.success) for task in SpecialTask.select()]
    assert tasks == [("Verify", True)]
    assert_settled(lab)


@pytest.mark.parametrize("fault", ["fail_verify_once", "dead"])
def test_a_host_that_fails_verify_is_repaired_and_runs_the_job(lab, fault):
    lab.dut().fault(fault)
    job = lab.job(verify=True)
    lab.wait_for(job, EntryStatus.COMPLETED)
    with database.connection():
        tasks = [(task.task, task.success) for task in SpecialTask.select().order_by(SpecialTask.id)]
    assert tasks == [("Verify", False), ("Repair", True), ("Verify", True)]
    assert_settled(lab)


def test_people_may_ask_for_a_verify(lab):
    api.verify_host("dut1")
    assert_settled(lab)
    with database.connection():
        (task,) = SpecialTask.select()
    assert (task.task, task.success) == ("Verify", True)


@pytest.mark.lab(duts=2)
def test_a_locked_host_gets_no_work_until_it_is_unlocked(lab):
    api.lock_host("dut1", "somebody looks at it")
    bound = lab.job(hosts=["dut1"])
    free = lab.jobs(3)
    for job in free:
        lab.wait_for(job, EntryStatus.COMPLETED)
        assert lab.entry(job).host.hostname == "dut2"
    assert lab.status(bound) is EntryStatus.QUEUED
    api.unlock_host("dut1")
    lab.wait_for(bound, EntryStatus.COMPLETED)
    assert_settled(lab)


@pytest.mark.lab(duts={"pi1": {"board:pi4"}, "pi2": {"board:pi4", "camera"}, "box1": {"board:x86"}})
def test_each_job_runs_on_a_host_that_carries_its_labels(lab):
    wanted = {"pi1": ["board:pi4"], "pi2": ["board:pi4", "camera"], "box1": ["board:x86"]}
    made = {job: name for name, needs in wanted.items() for job in lab.jobs(3, needs)}
    assert_settled(lab)
    for job, name in made.items():
        hostname = lab.entry(job).host.hostname
        assert hostname == name or (name, hostname) == ("pi1", "pi2")


@pytest.mark.lab(duts={"pi1": {"board:pi4", "camera"}, "pi2": {"board:pi4"}})
def test_a_worker_takes_nothing_that_its_free_hosts_cannot_run(lab):
    gate = lab.gate()
    holds_camera = lab.job(gate.control, ["camera"])
    gate.wait_for_run()
    wants_camera = lab.jobs(2, ["camera"], Priority.SUPER)
    others = lab.jobs(3, ["board:pi4"])
    for job in others:
        lab.wait_for(job, EntryStatus.COMPLETED)
        assert lab.entry(job).host.hostname == "pi2"
    (queue,) = api.list_queues()
    assert (queue["labels"], queue["entries"]) == (["camera"], 2)
    assert queue["depth"] >= 1
    assert {lab.status(job) for job in wants_camera} == {EntryStatus.QUEUED}
    gate.open()
    assert_settled(lab)
    assert {lab.entry(job).host.hostname for job in [holds_camera, *wants_camera]} == {"pi1"}


@pytest.mark.lab(duts=2, labs={"desk": ("dut1",)})
def test_a_queue_that_no_worker_serves_keeps_its_work_and_says_so(lab):
    info = lab.dut("dut2").info
    api.add_host(info.hostname, info.labels, info.attributes)
    bound = lab.job(hosts=["dut2"])
    for job in lab.jobs(2):
        lab.wait_for(job, EntryStatus.COMPLETED)
        assert lab.entry(job).host.hostname == "dut1"
    assert lab.status(bound) is EntryStatus.QUEUED
    (queue,) = api.list_queues()
    assert (queue["host"], queue["entries"]) == ("dut2", 1)
    assert queue["depth"] >= 1
    assert not queue["served"]
    assert "in no lab" in queue["why"]
    api.abort_jobs([bound])
    assert_settled(lab)
    with database.connection():
        assert HostQueueEntry.get(HostQueueEntry.job == bound).started_on is None
