"""The database is locked by somebody else."""

from __future__ import annotations

import subprocess
import sys

import pytest
from nodes.settled import assert_settled

from autotest.states import EntryStatus

_LOCKED_S = 10
_LOCK = """
import sqlite3, sys, time
database = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=30)
database.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
time.sleep(float(sys.argv[2]))
database.execute("COMMIT")
"""


@pytest.mark.slow
@pytest.mark.lab(duts=2)
def test_a_database_that_is_locked_for_ten_seconds_delays_and_loses_nothing(lab):
    gate = lab.gate()
    running = lab.job(gate.control)
    gate.wait_for_run()
    jobs = lab.jobs(4)
    arguments = [str(lab.settings.root_dir / "autotest.db"), str(_LOCKED_S)]
    with subprocess.Popen([sys.executable, "-c", _LOCK, *arguments], stdout=subprocess.PIPE, text=True) as locker:
        assert locker.stdout.readline() == "locked\n"
        gate.open()
        assert locker.wait(3 * _LOCKED_S) == 0
    assert_settled(lab)
    assert len(gate.runs) == 1
    assert {lab.status(job) for job in [running, *jobs]} == {EntryStatus.COMPLETED}
