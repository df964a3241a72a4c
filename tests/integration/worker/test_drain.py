"""A drained lab: what runs there ends as if nothing was, what waits stays, and another lab takes it."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from nodes.settled import assert_settled

from autotest import api, cli
from autotest.states import EntryStatus


def test_a_drained_lab_ends_what_it_runs_and_takes_nothing_new_until_it_is_undrained(lab):
    gate = lab.gate()
    running = lab.job(gate.control, verify=True)
    gate.wait_for_run()
    api.drain_lab("desk", "new switch", by="ann")
    waiting = lab.job()
    api.verify_host("dut1")

    gate.open()
    lab.wait_for(running, EntryStatus.COMPLETED)
    lab.wait_until(lambda: not api.lab_work("desk"), "the lab is empty")

    shown = api.show_job(waiting)["entries"][0]
    assert shown["status"] == "Queued"
    assert shown["waits_for"] == (
        "1 host carries board:sim; none is free: dut1 (lab desk is drained by ann: new switch)"
    )
    (host,) = api.list_hosts()
    assert host["why_not_free"] == "lab desk is drained by ann: new switch"
    assert [task["state"] for task in api.show_host("dut1")["tasks"]] == ["waiting", "passed"]

    api.undrain_lab("desk")
    lab.wait_for(waiting, EntryStatus.COMPLETED)
    assert_settled(lab)


def test_a_drain_holds_over_a_restart_of_the_worker(lab):
    api.drain_lab("desk")
    lab.worker("run").kill()
    lab.worker("run").restart()
    job = lab.job()
    (entry,) = api.show_job(job)["entries"]
    assert (entry["status"], entry["lease"]) == ("Queued", None)
    api.undrain_lab("desk")
    lab.wait_for(job, EntryStatus.COMPLETED)
    assert_settled(lab)


@pytest.mark.lab(duts=2, labs={"left": ("dut1",), "right": ("dut2",)})
def test_another_lab_takes_what_a_drained_one_would_have(lab):
    api.drain_lab("left")
    jobs = lab.jobs(3)
    for job in jobs:
        lab.wait_for(job, EntryStatus.COMPLETED)
    assert {lab.entry(job).host.hostname for job in jobs} == {"dut2"}
    api.undrain_lab("left")
    assert_settled(lab)


def test_people_drain_from_the_command_line_and_wait(lab, monkeypatch):
    monkeypatch.setenv("LOGNAME", "ann")
    gate = lab.gate()
    job = lab.job(gate.control)
    gate.wait_for_run()
    refused = CliRunner().invoke(cli.main, ["worker", "drain", "desk", "--wait", "--timeout", "0.2"])
    assert refused.exit_code == 1
    assert f"lab desk still runs run_test on dut1, job {job} after 0.2 s; it stays drained" in refused.stderr

    gate.open()
    emptied = CliRunner().invoke(cli.main, ["worker", "drain", "desk", "--wait", "--timeout", "30"])
    assert emptied.exit_code == 0, emptied.output
    assert emptied.output.splitlines()[-1] == "desk is empty"
    (shown,) = json.loads(CliRunner().invoke(cli.main, ["worker", "labs", "--json"]).output)
    assert (shown["running"], shown["drained_by"]) == (0, "ann")
    api.undrain_lab("desk")
    assert_settled(lab)
