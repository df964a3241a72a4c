"""MariaDB is killed or turned read-only under a running lab: what runs goes on, and everything ends once it is back."""

from __future__ import annotations

import signal

import pytest
from nodes.waiting import until

from autotest.models import database
from autotest.models.lab import Lease
from autotest.states import EntryStatus


def _end_of(lab, gate, running, waiting):
    gate.open()
    for job in (running, *waiting):
        lab.wait_for(job, EntryStatus.COMPLETED, seconds=60)
    assert len(gate.runs) == 1
    with database.connection():
        until(lambda: not Lease.select().where(Lease.released_at.is_null()).exists(), 30, "every lease is closed")


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_database_that_is_restarted_under_a_running_job_loses_nothing(lab, mariadb, number):
    gate = lab.gate()
    running = lab.job(gate.control, ["board:pi4"])
    gate.wait_for_run()
    mariadb.restart(number)
    _end_of(lab, gate, running, lab.jobs(3, ["board:pi4"]))


@pytest.mark.slow
def test_a_database_that_is_read_only_for_a_while_delays_and_loses_nothing(lab, mariadb):
    gate = lab.gate()
    running = lab.job(gate.control, ["board:pi4"])
    waiting = [lab.job(needs=["board:pi4", "camera"])]
    gate.wait_for_run()
    with mariadb.setting(read_only=1):
        until(lambda: "is read-only" in lab.worker("run").container.logs(), 30, "the worker says what is wrong")
    _end_of(lab, gate, running, waiting)
