"""Processes of a DUT are found wherever they fled, and nobody else's are touched."""

from __future__ import annotations

import os
import subprocess
import time

import pytest

from autotest.sim import hunt


@pytest.fixture
def start():
    started = []

    def begin(mark: str, command: str = "sleep 60") -> subprocess.Popen[bytes]:
        environment = {**os.environ, hunt.MARK: mark}
        words = ["/bin/sh", "-c", f"{command} & echo $!; wait"]
        process = subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, start_new_session=True)
        process.child = int(process.stdout.readline())
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def test_a_daemon_in_a_session_of_its_own_is_killed(start, tmp_path):
    process = start(str(tmp_path / "dut1"), "setsid sleep 60")
    # A process in the middle of an exec shows no environment for a moment.
    last = time.monotonic() + 5
    while process.child not in hunt.processes(str(tmp_path)):
        assert time.monotonic() < last, "the daemon was never found"
    assert hunt.kill(str(tmp_path / "dut1")) >= 2
    assert hunt.processes(str(tmp_path)) == []
    assert process.wait(5) == -9


def test_a_neighbour_whose_name_begins_alike_is_left_alone(start, tmp_path):
    neighbour = start(str(tmp_path / "dut10"))
    hunt.kill(str(tmp_path / "dut1"))
    assert neighbour.poll() is None
    hunt.kill(str(tmp_path / "dut10"))


def test_a_process_without_the_mark_is_left_alone(tmp_path):
    with subprocess.Popen(["sleep", "60"], cwd=tmp_path) as process:
        assert hunt.kill(str(tmp_path)) == 0
        assert process.poll() is None
        process.kill()


def test_the_guardian_kills_what_is_left_when_its_input_ends(start, tmp_path):
    orphan = start(str(tmp_path / "duts/dut1"))
    subprocess.run(["python3", "-I", "-S", hunt.__file__, str(tmp_path / "duts")], input=b"", check=True, timeout=20)
    assert orphan.wait(5) == -9
