"""Each fault of a simulated DUT looks from outside as it is described, and ends when it says so."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

import paramiko
import pytest
from nodes.waiting import until
from sim_ssh import PATIENCE_S, connect
from sim_ssh import run as run_all

from autotest.sim import fleet
from autotest.sim.faults import Fault
from autotest.sim.scenario import DutSpec


def run(client: paramiko.SSHClient, command: str) -> tuple[int, bytes]:
    return run_all(client, command)[:2]


@pytest.fixture
def lab(tmp_path) -> Iterator[fleet.Fleet]:
    with fleet.running(tmp_path / "fleet", [DutSpec("dut1", boot_seconds=0.05)]) as running:
        yield running


@pytest.fixture
def dut(lab) -> fleet.Handle:
    return lab.dut("dut1")


@pytest.fixture
def client(dut) -> Iterator[paramiko.SSHClient]:
    with connect(dut.info) as connected:
        yield connected


def test_refuse_cuts_connections_and_takes_no_new_ones_until_healed(dut, client):
    dut.fault("refuse")
    until(lambda: not client.get_transport().is_active(), PATIENCE_S, "the connection is gone")
    with pytest.raises(OSError, match="Unable to connect"):
        connect(dut.info)
    dut.heal()
    with connect(dut.info) as again:
        assert run(again, "echo well") == (0, b"well\n")


def test_hang_accepts_and_never_answers_until_power_cycled(dut, client):
    dut.fault("hang")
    _, stdout, _ = client.exec_command("echo hello", timeout=0.3)
    with pytest.raises(TimeoutError):
        stdout.read()
    address = (dut.info.get("address"), int(dut.info.get("port")))
    with socket.create_connection(address, timeout=0.3) as wire, pytest.raises(TimeoutError):
        wire.recv(1)
    dut.power_cycle()
    until(lambda: dut.is_up, PATIENCE_S, "it is up")
    with connect(dut.info) as again:
        assert run(again, "echo well") == (0, b"well\n")


def test_drop_closes_after_so_many_bytes_once_and_only_for_its_command(dut, client):
    dut.fault("drop", match="collect", bytes=100, times=1)
    assert run(client, "echo other") == (0, b"other\n")
    assert run(client, "head -c 5000 /dev/zero; : collect") == (-1, b"\0" * 100)
    until(lambda: not client.get_transport().is_active(), PATIENCE_S, "the connection is gone")
    with connect(dut.info) as again:
        assert run(again, "echo collect") == (0, b"collect\n")


def test_drop_closes_after_so_many_seconds(dut, client):
    dut.fault("drop", seconds=0.1)
    assert run(client, "echo begun; sleep 60") == (-1, b"begun\n")


def test_drop_without_output_closes_at_the_end_of_the_command(dut, client):
    dut.fault("drop")
    assert run(client, "true") == (-1, b"")


def test_a_reboot_in_the_middle_of_a_command_kills_it(dut, client):
    boot_id = dut.boot_id
    dut.fault("reboot", match="test", after=0.1, seconds=0.1)
    assert run(client, "echo test; sleep 60") == (-1, b"test\n")
    until(lambda: dut.is_up and dut.boot_id != boot_id, PATIENCE_S, "it has booted again")
    assert dut.processes == []
    with connect(dut.info) as again:
        assert run(again, "echo test") == (0, b"test\n")


def test_a_dead_dut_is_cured_by_power_and_by_nothing_less(dut):
    dut.fault("dead")
    until(lambda: not dut.is_up, PATIENCE_S, "it is down")
    dut.reboot()
    with pytest.raises(OSError, match="Unable to connect"):
        connect(dut.info)
    dut.power_cycle()
    until(lambda: dut.is_up, PATIENCE_S, "it is up")
    with connect(dut.info) as again:
        assert run(again, "echo well") == (0, b"well\n")


def test_a_dut_that_is_dead_for_good_stays_so(tmp_path):
    spec = DutSpec("wreck", boot_seconds=0.01, faults=(Fault("dead", until="forever"),))
    with fleet.running(tmp_path / "wreck", [spec, DutSpec("dut2", boot_seconds=0.1)]) as lab:
        lab.dut("wreck").power_cycle()
        lab.dut("dut2").power_cycle()
        until(lambda: lab.dut("dut2").is_up, PATIENCE_S, "dut2 is up")
        assert not lab.dut("wreck").is_up
        with pytest.raises(OSError, match="Unable to connect"):
            connect(lab.hosts[0])


def test_a_dut_that_fails_verify_once_is_well_after_a_reboot(dut, client):
    dut.fault("fail_verify_once")
    assert run(client, "python3 -V")[0] == 127
    boot_id = dut.boot_id
    run(client, dut.info.get("reboot_command"))
    until(lambda: dut.is_up and dut.boot_id != boot_id, PATIENCE_S, "it has booted again")
    with connect(dut.info) as again:
        assert run(again, "python3 -V")[0] == 0


def test_a_full_disk_shows_in_df_and_is_cured_by_cleaning(dut, client):
    dut.fault("full_disk")
    free = "df -P . | tail -n 1 | awk '{print $4}'"
    assert run(client, free) == (0, b"0\n")
    assert run(client, "head -c 1000000 /dev/zero > big")[0] != 0
    for folder in dut.info.get("tmp_dirs").split(","):
        run(client, f"rm -rf {folder}/*")
    assert int(run(client, free)[1]) > 0
    assert run(client, "head -c 1000000 /dev/zero > big")[0] == 0


def test_a_readonly_dut_takes_no_file_until_rebooted(dut, client):
    dut.fault("readonly")
    assert run(client, "touch new")[0] != 0
    dut.reboot()
    until(lambda: dut.is_up, PATIENCE_S, "it is up")
    with connect(dut.info) as again:
        assert run(again, "touch new")[0] == 0


def test_a_slow_dut_is_late_by_its_latency(dut, client):
    dut.fault("slow", seconds=0.4)
    begin = time.monotonic()
    assert run(client, "echo late") == (0, b"late\n")
    assert time.monotonic() - begin >= 0.4


def test_garbage_is_answered_in_place_of_the_output(dut, client):
    dut.fault("garbage", bytes=5000)
    status, out = run(client, "echo hello")
    assert (status, len(out)) == (0, 5000)
    assert b"hello" not in out


def test_a_flood_waits_for_whoever_does_not_read(dut, client):
    dut.fault("flood", match="follow", times=1)
    _, stdout, _ = client.exec_command("follow", timeout=PATIENCE_S)
    assert stdout.channel.recv(5) == b"flood"
    assert run(client, "echo meanwhile") == (0, b"meanwhile\n")
    stdout.channel.close()
    assert run(client, "follow; true") == (0, b"")
