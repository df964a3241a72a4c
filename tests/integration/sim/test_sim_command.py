"""``autotest sim`` tells what is wrong without a traceback, and leaves no process behind."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from nodes.waiting import until
from sim_ssh import PATIENCE_S, connect, run

from autotest.host_info import HostInfo
from autotest.sim import hunt, scenario
from autotest.sim.command import sim

PROGRAM = "from autotest.sim.command import sim; sim()"


def ask(*words: object) -> Result:
    return CliRunner().invoke(sim, [str(word) for word in words])


@contextlib.contextmanager
def up(folder: Path, *words: str) -> Iterator[tuple[subprocess.Popen[str], list[HostInfo]]]:
    command = [sys.executable, "-c", PROGRAM, "up", "--json", "--dir", str(folder), *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            said = json.loads(process.stdout.readline())
            yield process, [HostInfo.from_json(host) for host in said["hosts"]]
        finally:
            process.kill()
            process.communicate()


def daemonize(host: HostInfo) -> None:
    with connect(host) as client:
        run(client, "setsid sleep 600 </dev/null >/dev/null 2>&1 &")


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["--duts", "0"], 2, "'--duts'"),
        (["--duts", "-3"], 2, "'--duts'"),
        (["--port", "70000"], 2, "'--port'"),
        (["--port", "65530", "--duts", "10"], 1, "port 65530 cannot be the first of 10"),
        (["--scenario", "/nowhere.toml"], 2, "/nowhere.toml cannot be read"),
        (["--dir", "/proc/fleet"], 1, "/proc/fleet cannot be written"),
        (["--dir", "/tmp/a,b"], 1, "cannot hold a fleet"),
    ],
)
def test_bad_input_is_told_and_nothing_starts(words, status, said):
    result = ask("up", *words)
    assert result.exit_code == status
    assert said in result.output
    assert "Traceback" not in result.output


def test_a_scenario_with_an_unknown_key_is_refused_by_name(tmp_path):
    (tmp_path / "s.toml").write_text("[[dut]]\nhostname = 'a'\ncolour = 'red'\n")
    result = ask("up", "--scenario", tmp_path / "s.toml")
    assert result.exit_code == 2
    assert "s.toml: [[dut]]: unknown key 'colour'" in result.output


def test_a_folder_with_foreign_duts_is_left_alone(tmp_path):
    (tmp_path / "duts").mkdir()
    (tmp_path / "duts/precious").write_text("x")
    assert ask("up", "--dir", tmp_path).exit_code == 1
    assert (tmp_path / "duts/precious").exists()


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_a_fleet_ends_with_its_processes(tmp_path, ending):
    with up(tmp_path / "fleet", "--duts", "2") as (process, hosts):
        daemonize(hosts[1])
        until(lambda: hunt.processes(str(tmp_path)), PATIENCE_S, "the daemon runs")
        process.send_signal(ending)
        assert process.wait(PATIENCE_S) == 0
    assert hunt.processes(str(tmp_path)) == []


def test_a_fleet_that_is_killed_takes_its_processes_along(tmp_path):
    with up(tmp_path / "fleet") as (process, hosts):
        daemonize(hosts[0])
        until(lambda: hunt.processes(str(tmp_path)), PATIENCE_S, "the daemon runs")
        os.kill(process.pid, signal.SIGKILL)
        until(lambda: not hunt.processes(str(tmp_path)), PATIENCE_S, "no process is left")


def test_a_refused_command_makes_the_fleet_fail_in_the_end(tmp_path):
    with up(tmp_path / "fleet") as (process, hosts):
        with connect(hosts[0]) as client:
            run(client, "poweroff now")
        process.terminate()
        _, said = process.communicate(timeout=PATIENCE_S)
        assert process.returncode == 1
    assert "dut1: poweroff now" in said


def test_the_demo_fleet_obeys_from_another_process(tmp_path):
    folder = tmp_path / "fleet"
    with up(folder, "--scenario", str(scenario.DEMO), "--duts", "9") as (_, hosts):
        assert [host.hostname for host in hosts][-2:] == ["x86box-4", "dut9"]
        assert ask("power", folder, "pi4-1", "off").output == "off\n"
        assert ask("fault", folder, "pi4-2", "slow", "seconds=2").exit_code == 0
        assert ask("heal", folder, "pi4-3").exit_code == 0
        seen = {dut["hostname"]: dut for dut in json.loads(ask("status", folder, "--json").output)}
        assert (seen["pi4-1"]["outlet"], seen["pi4-1"]["up"]) == ("off", False)
        assert seen["pi4-2"]["faults"] == ["slow"]
        assert seen["pi4-3"]["faults"] == []
        assert (seen["pi4-4"]["faults"], seen["pi4-4"]["up"]) == (["dead"], False)
        assert "pi4-4" in ask("status", folder).output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["power", "nobody", "on"], "no DUT is called 'nobody'; there are dut1"),
        (["fault", "dut1", "explode"], "no fault is called 'explode'"),
        (["fault", "dut1", "slow", "seconds=soon"], "seconds must be a number"),
        (["power", "dut1", "sideways"], "sideways"),
    ],
)
def test_a_running_fleet_refuses_what_makes_no_sense(tmp_path, words, said):
    with up(tmp_path / "fleet"):
        result = ask(words[0], tmp_path / "fleet", *words[1:])
    assert result.exit_code in (1, 2)
    assert said in result.output


def test_a_folder_without_a_fleet_is_told(tmp_path):
    result = ask("power", tmp_path, "dut1", "on")
    assert result.exit_code == 1
    assert "no fleet answers" in result.output
