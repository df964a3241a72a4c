"""A DUT dies, vanishes, floods or babbles during a test: the entry ends with a reason and the worker lives."""

from __future__ import annotations

import pytest
from nodes.settled import assert_settled

from autotest.models import database
from autotest.models.afe import Host
from autotest.states import EntryStatus


def test_a_dut_that_dies_during_the_test_fails_the_entry_and_is_repaired(lab):
    gate = lab.gate()
    job = lab.job(gate.control)
    gate.wait_for_run()
    lab.dut().fault("dead")
    lab.wait_for(job, EntryStatus.FAILED)
    assert "dut1" in lab.entry(job).reason
    gate.open()
    assert_settled(lab)
    with database.connection():
        assert Host.get(Host.hostname == "dut1").status == "Ready", "the power cycle of the repair brought it back"
    again = lab.job()
    lab.wait_for(again, EntryStatus.COMPLETED)
    assert_settled(lab)


def test_a_dut_that_drops_the_connection_and_returns_goes_on_with_the_test(lab):
    gate = lab.gate()
    job = lab.job(gate.control)
    gate.wait_for_run()
    log = lab.attempt(job) / "status.log"
    lab.dut().fault("refuse")
    lab.wait_until(lambda: "disconnected" in log.read_text(), "the worker noticed")
    lab.dut().heal()
    gate.open()
    lab.wait_for(job, EntryStatus.COMPLETED)
    assert len(gate.runs) == 1
    assert_settled(lab)


@pytest.mark.parametrize("fault", ["flood", "garbage"])
def test_nonsense_from_a_dut_fails_the_entry_and_leaves_the_worker_alone(lab, fault):
    lab.dut().fault(fault, match=" follow ", times=1)
    gate = lab.gate()
    job = lab.job(gate.control)
    lab.wait_for(job, EntryStatus.FAILED)
    assert "dut1" in lab.entry(job).reason
    again = lab.job()
    lab.wait_for(again, EntryStatus.COMPLETED)
    assert_settled(lab)
    assert lab.worker("run").container.status == "running"
