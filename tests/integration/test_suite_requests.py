"""What a caller asked of a suite, in a whole installation: arguments, retries, reports, and an end in time."""

from __future__ import annotations

import datetime
import json

import pytest
from nodes.installation import BUILD
from nodes.lab import OWNER
from nodes.settled import assert_settled

from autotest import api
from autotest.models import database
from autotest.models.afe import Job
from autotest.states import EntryStatus

#: Fails the first time, wherever it runs.
_FLAKY = """
JOB_RETRIES = 1
BUG_TEMPLATE = {{"labels": ["net"]}}
assert args_dict["mark"] == mark and "mark=" + mark in args
verdict = "" if os.path.exists(mark) else "not yet"
open(mark, "w").close()
job.run_test("gate", place={place!r}, verdict=verdict)
"""


#: Of test_suites/control.provision, what runs.
_PROVISION = """
from autotest.suite import dynamic_suite
dynamic_suite.run_provision_suite(name="provision", **args_dict)
"""


def suite(lab, name="smoke", **arguments):
    lab.job_ids.append(api.create_suite_job(name, "sim", BUILD, pool="suites", owner=OWNER, **arguments))
    return lab.job_ids[-1]


@pytest.mark.lab(duts=2)
def test_a_flaky_test_runs_again_and_a_broken_one_is_reported(lab):
    gate = lab.gate()
    gate.open()
    place = str(gate.place)
    lab.installation.add_test("flaky", _FLAKY.format(place=place))
    lab.installation.add_test("broken", f"job.run_test('gate', place={place!r}, verdict='as it should')")

    job = suite(
        lab, job_retry=True, max_retries=1, file_bugs=True, test_args={"mark": str(lab.installation.folder / "mark")}
    )
    lab.wait_for(job, EntryStatus.COMPLETED)

    assert_settled(lab)
    found = api.suite_summary(job)
    rows = {row.job_id: (row.state, row.reason) for row in found.rows if not row.view.is_suite}
    # The flaky test's first result is not valid any more.
    assert sorted(state for state, _ in rows.values()) == ["FAIL", "RETRIED"]
    assert found.verdict is not None
    assert found.verdict.name == "test_failure"
    assert len(gate.runs) == 3
    path = lab.settings.results_dir / "bugs.jsonl"
    lab.wait_until(path.is_file, "the failure that stands is reported")
    (told,) = (json.loads(line) for line in path.read_text().splitlines())
    assert (told["fault"]["reason"], told["fault"]["suite_job_id"]) == ("as it should", job)


@pytest.mark.lab(duts=3)
def test_a_suite_that_provisions_tries_each_host_and_is_fine_with_as_many_as_it_must_have(lab):
    body = "job.record('FAIL' if '/dut2/' in os.getcwd() + '/' else 'GOOD', None, 'provision')"
    lab.installation.add_test("provision", body)
    lab.installation.add_test("other", "job.run_test('quick')")

    enough = suite(lab, "provision", control_file=_PROVISION, suite_args={"num_required": 2})
    lab.wait_for(enough, EntryStatus.COMPLETED)
    more = suite(lab, "provision", control_file=_PROVISION, suite_args={"num_required": 3})
    lab.wait_for(more, EntryStatus.COMPLETED)

    assert_settled(lab)
    for job, code in ((enough, 0), (more, 3)):
        found = api.suite_summary(job)
        ran = sorted((row.hostname, row.status) for row in found.rows if not row.view.is_suite)
        assert ran == [("dut1", "GOOD"), ("dut2", "FAIL"), ("dut3", "GOOD")]
        assert found.verdict is not None
        assert found.verdict.code == code


@pytest.mark.lab(duts=1)
def test_a_suite_ends_with_its_time_also_when_its_worker_does_not_move(lab):
    gate = lab.gate()
    lab.installation.add_test("endless", gate.control)
    lab.installation.add_test("waiting", "job.run_test('quick')")
    job = suite(lab, timeout_mins=60)
    gate.wait_for_run()
    worker = lab.worker("run")
    lab.freeze(worker)
    with database.connection():
        Job.update(created_on=database.utc_now() - datetime.timedelta(minutes=60)).where(Job.id == job).execute()

    lab.wait_for(job, EntryStatus.ABORTED)

    with database.connection():
        children = {row.name.rpartition("/")[2]: row.id for row in Job.select().where(Job.parent_job == job)}
    assert lab.status(children["waiting"]) is EntryStatus.ABORTED
    assert (lab.status(children["endless"]), lab.entry(children["endless"]).aborted) == (EntryStatus.RUNNING, True)
    worker.container.kill("SIGCONT")
    assert_settled(lab)
    found = api.suite_summary(job)
    told = {row.name.rpartition("/")[2]: (row.status, row.reason) for row in found.rows}
    assert told.get("waiting") == ("ABORT", "Timed out, did not run."), told
    # The client may have been frozen before its first word about the test came home.
    assert told.get("gate", told.get("endless_SERVER_JOB", ("", "")))[0] == "ABORT", told
    assert found.verdict is not None
    assert found.verdict.name == "suite_timeout"
