"""A worker that was away for longer than its lease changes nothing when it comes back."""

from __future__ import annotations

import pytest
from nodes.settled import assert_settled

from autotest import api
from autotest.states import EntryStatus

LEASE_S = 3.0


@pytest.mark.slow
@pytest.mark.lab(duts=2, labs={"left": ("dut1",), "right": ("dut2",)}, lease_length=LEASE_S)
def test_a_worker_frozen_beyond_its_lease_loses_the_entry_to_another_lab(lab):
    api.lock_host("dut2", "so that the other one gets the job")
    gate = lab.gate()
    job = lab.job(gate.control)
    gate.wait_for_run()
    frozen = lab.worker("run", "left")
    lab.freeze(frozen)
    api.unlock_host("dut2")
    gate.wait_for_run(2)
    assert lab.entry(job).host.hostname == "dut2"
    gate.open()
    lab.wait_for(job, EntryStatus.COMPLETED)
    frozen.container.kill("SIGCONT")
    assert_settled(lab)
    assert lab.entry(job).host.hostname == "dut2"
    assert frozen.container.status == "running"


@pytest.mark.slow
@pytest.mark.lab(lease_length=LEASE_S)
def test_a_frozen_worker_that_was_replaced_gives_way(lab):
    gate = lab.gate()
    job = lab.job(gate.control)
    first = gate.wait_for_run()
    frozen = lab.worker("run")
    lab.freeze(frozen)
    with lab.another_worker():
        gate.wait_for_run(2)
        assert first not in lab.dut().processes, "the fence of the new lease killed the old client"
        frozen.container.kill("SIGCONT")
        lab.wait_until(lambda: frozen.container.status == "exited", "the old worker gives way")
        gate.open()
        lab.wait_for(job, EntryStatus.COMPLETED)
        assert_settled(lab)
