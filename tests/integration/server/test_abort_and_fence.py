"""An abort reaches the DUT; a newer lease shuts out and kills what an older one left there."""

from __future__ import annotations

import os
import re
import signal
import threading
from pathlib import Path

import pytest
from nodes.waiting import until

from autotest import errors
from autotest.job_file import StepOutcome
from autotest.server import hosts
from autotest.server.launcher import Launcher

WAITING = "job.run_test('wait')\n"


@pytest.fixture
def launcher():
    launcher = Launcher()
    launcher.start()
    yield launcher
    launcher.close()


def in_background(launcher: Launcher, folder: Path, **rest) -> tuple[threading.Thread, list]:
    ends: list = []
    thread = threading.Thread(target=lambda: ends.append(launcher.run(folder, **rest)), daemon=True)
    thread.start()
    return thread, ends


def is_waiting(folder: Path) -> bool:
    log = folder / "status.log"
    return log.exists() and "START\twait" in log.read_text()


def clients(dut) -> list[int]:
    found = []
    for pid in dut.processes:
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            continue
        if b".pyz" in command:
            found.append(pid)
    return found


def test_an_abort_stops_the_client_on_the_dut_and_closes_the_log(dut, prepare, launcher):
    folder = prepare("run_test", dut.info, control_file=WAITING)
    thread, ends = in_background(launcher, folder)
    until(lambda: is_waiting(folder), 20, "the test waits")
    assert clients(dut)

    assert launcher.kill(folder)

    thread.join(5)
    assert (ends[0].exit_code, ends[0].cause) == (1, "killed")
    until(lambda: not clients(dut), 1, "no client runs on the DUT")
    log = (folder / "status.log").read_text()
    # The client's own last words, if they came home in time, call the killed test an ERROR.
    assert re.search(r"\tEND (ABORT|ERROR)\twait\twait\t", log), log
    assert log.splitlines()[-1].startswith("END ABORT\t----\t----\t")
    assert (folder / ".autoserv_execute").read_text().splitlines()[1:] == ["271", "1"]
    assert StepOutcome.read(folder).reason.endswith("it was stopped by SIGTERM")


def test_a_run_that_outruns_its_deadline_is_stopped_on_the_dut_as_well(dut, prepare, launcher):
    folder = prepare("run_test", dut.info, control_file=WAITING)
    thread, ends = in_background(launcher, folder, deadline_s=3.0)
    thread.join(15)

    assert ends[0].cause == "deadline"
    assert StepOutcome.read(folder).reason.endswith("it outran its limit of 3 s")
    assert clients(dut) == []


def test_a_newer_lease_kills_the_client_of_an_older_one_and_the_older_runner_stops(dut, prepare, launcher):
    folder = prepare("run_test", dut.info, token=4, control_file=WAITING)
    thread, ends = in_background(launcher, folder)
    until(lambda: is_waiting(folder), 20, "the test waits")

    newer = hosts.connect(dut.info, token=5)
    newer.take()

    thread.join(15)
    assert ends[0].exit_code == 1
    assert "is held by lease 5; lease 4 is stale" in StepOutcome.read(folder).reason
    assert clients(dut) == []
    assert newer.run_output("echo still here") == "still here"
    newer.close()


def test_a_stale_token_runs_nothing_and_an_equal_one_may_come_again(dut):
    older, newer, again = (hosts.connect(dut.info, token=token) for token in (6, 7, 7))
    older.take()
    newer.take()
    again.take()

    with pytest.raises(errors.StaleLease, match="held by lease 7; lease 6 is stale"):
        older.run(f"touch {dut.root}/mark")
    with pytest.raises(errors.StaleLease):
        older.take()

    assert not (dut.root / "mark").exists()
    for host in (older, newer, again):
        host.close()


def test_a_client_whose_autoserv_was_killed_is_found_by_the_next_lease(dut, prepare, launcher):
    folder = prepare("run_test", dut.info, token=8, control_file=WAITING)
    thread, ends = in_background(launcher, folder)
    until(lambda: is_waiting(folder), 20, "the test waits")
    pid = int((folder / ".autoserv_execute").read_text().split()[0])

    os.kill(pid, signal.SIGKILL)
    thread.join(5)
    assert (ends[0].signal, ends[0].cause) == (signal.SIGKILL, "ended")
    assert clients(dut)

    host = hosts.connect(dut.info, token=9)
    host.take()
    host.close()
    until(lambda: not clients(dut), 2, "no client runs on the DUT")
