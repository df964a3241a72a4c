"""Several DUTs run one test together: what they exchange, where their results lie, and what a kill leaves of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from nodes.installation import BUILD
from nodes.lab import OWNER
from nodes.settled import assert_settled

from autotest import api
from autotest.models import database, tko
from autotest.models.afe import Host, HostQueueEntry, Job
from autotest.states import ControlType, EntryStatus

PAIRTEST = (Path(__file__).parents[2] / "control" / "pairtest" / "control").read_text()
ABORTED_WITHIN_S = 10.0


def stored(job_id: int) -> dict[str, list[tuple[str, str]]]:
    """The tests that TKO holds of a job, without the lines about the job itself, by the folder below the job's own."""
    with database.connection():
        found: dict[str, list[tuple[str, str]]] = {
            row.tag.partition("/")[2]: [] for row in tko.TkoJob.select().where(tko.TkoJob.afe_job_id == job_id)
        }
        rows = (
            tko.TestResult.select(tko.TkoJob.tag, tko.TestResult.test, tko.Status.word)
            .join(tko.TkoJob)
            .switch(tko.TestResult)
            .join(tko.Status)
            .where(tko.TkoJob.afe_job_id == job_id)
            .order_by(tko.TestResult.test_idx)
        )
        for tag, test, word in rows.tuples():
            if not test.startswith(("SERVER_JOB", "CLIENT_JOB")):
                found[tag.partition("/")[2]].append((test, word))
    return found


@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.lab(duts=3)
def test_machines_exchange_what_they_made_up(lab, count):
    job = lab.group(count, PAIRTEST, verify=True)
    lab.wait_for(job, EntryStatus.COMPLETED)
    assert_settled(lab)
    assert lab.statuses(job) == ["Completed"] * count
    results = lab.results(job)
    assert results.name == "group0"
    names = (results / ".machines").read_text().split()
    assert len(set(names)) == count
    assert all((results / name / "debug" / "autoserv.DEBUG").is_file() for name in names)
    log = (results / "status.log").read_text()
    assert "END GOOD\tpairtest\tpairtest" in log, log
    found = stored(job)
    assert found.pop("group0") == [("pairtest", "GOOD")]
    assert set(found) == {f"group0/{name}" for name in names}
    assert all("it read the secret of" in (results / name / "status.log").read_text() for name in names)


@pytest.mark.lab(duts=2)
def test_a_client_test_runs_on_both_machines_at_once_and_each_has_its_result(lab):
    gate = lab.gate()
    job = lab.group(2, gate.control, ControlType.CLIENT)
    gate.wait_for_run(2)
    assert lab.statuses(job) == ["Running", "Running"]
    gate.open()
    lab.wait_for(job, EntryStatus.COMPLETED)
    assert_settled(lab)
    found = stored(job)
    assert found["group0/dut1"] == found["group0/dut2"] == [("gate", "GOOD")]


@pytest.mark.lab(duts=2)
def test_a_worker_killed_in_the_middle_costs_a_group_one_attempt(lab):
    gate = lab.gate()
    job = lab.group(2, gate.control, ControlType.CLIENT)
    gate.wait_for_run(2)
    left_over = set(gate.runs)
    worker = lab.worker("run")
    worker.kill()
    lab.wait_until(lambda: not worker.container.family(), "the children died with their worker")
    worker.restart()
    gate.wait_for_run(4)
    assert not left_over & {*lab.dut("dut1").processes, *lab.dut("dut2").processes}
    gate.open()
    lab.wait_for(job, EntryStatus.COMPLETED)
    assert lab.statuses(job) == ["Completed", "Completed"]
    assert lab.entry(job).requeues == 1
    assert_settled(lab)
    assert set(stored(job)) == {"group0/dut1", "group0/dut2", "group0"}


@pytest.mark.lab(duts=2)
def test_an_abort_reaches_every_machine_of_a_group(lab):
    gate = lab.gate()
    job = lab.group(2, gate.control, ControlType.CLIENT)
    gate.wait_for_run(2)
    api.abort_jobs([job])
    quiet = lab.wait_until(
        lambda: not (lab.dut("dut1").processes or lab.dut("dut2").processes), "both are quiet", ABORTED_WITHIN_S
    )
    print(f"both DUTs were quiet {quiet:.2f} s after the abort")
    lab.wait_for(job, EntryStatus.ABORTED)
    assert lab.statuses(job) == ["Aborted", "Aborted"]
    assert_settled(lab)


@pytest.mark.lab(duts=2)
def test_a_machine_that_fails_its_verify_is_repaired_and_the_group_runs(lab):
    lab.dut("dut2").fault("fail_verify_once")
    job = lab.group(2, PAIRTEST, verify=True)
    lab.wait_for(job, EntryStatus.COMPLETED)
    assert_settled(lab)


@pytest.mark.lab(duts=2)
def test_groups_and_singles_share_the_machines_and_all_come_to_an_end(lab):
    jobs = [*lab.jobs(4), lab.group(2, "job.record('GOOD', None, 'both')")]
    jobs += [lab.group(2, "job.record('GOOD', None, 'named')", hosts=["dut1", "dut2"]), *lab.jobs(4)]
    for job in jobs:
        lab.wait_for(job, EntryStatus.COMPLETED)
    assert_settled(lab)


@pytest.mark.lab(duts=4)
def test_a_suite_with_a_limit_runs_its_groups_and_singles_on_no_more_machines(lab):
    gate = lab.gate()
    body = f"job.run_test('gate', place={str(gate.place)!r})"
    lab.installation.add_test("pair", f"SYNC_COUNT = 2\n{body}")
    lab.installation.add_test("five", f"SYNC_COUNT = 5\n{body}")
    for name in ("one", "two"):
        lab.installation.add_test(name, body)
    suite = api.create_suite_job("smoke", "sim", BUILD, pool="suites", owner=OWNER, num=3, check_hosts=False)
    lab.job_ids.append(suite)
    gate.wait_for_run(2)
    lab.wait_until(lambda: len(_at_work(suite)) > 1, "machines of the suite are at work")
    other = lab.job()
    lab.wait_for(other, EntryStatus.COMPLETED)
    assert len(_at_work(suite)) <= 3
    waiting = [
        entry for job in _children(suite) for entry in api.show_job(job)["entries"] if entry["status"] == "Queued"
    ]
    assert any("of the 3 machines that it may (num)" in entry["waits_for"] for entry in waiting), waiting
    gate.open()
    lab.wait_for(suite, EntryStatus.COMPLETED)
    assert_settled(lab)
    assert sorted(Path(name).name for name in _children(suite).values()) == ["one", "pair", "two"]
    assert ("five", "TEST_NA") in [row for rows in stored(suite).values() for row in rows]


def _children(suite: int) -> dict[int, str]:
    with database.connection():
        return dict(Job.select(Job.id, Job.name).where(Job.parent_job == suite).tuples())


def _at_work(suite: int) -> list[str]:
    """The machines that the suite's jobs hold."""
    with database.connection():
        rows = Host.select(Host.hostname).join(HostQueueEntry, on=(HostQueueEntry.host == Host.id)).join(Job)
        held = rows.where(Job.parent_job == suite, HostQueueEntry.active == True)  # noqa: E712 - an SQL expression
        return [name for (name,) in held.tuples()]
