"""A simulated DUT answers a real SSH client as a machine would."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import paramiko
import pytest
from nodes.waiting import until
from sim_ssh import PATIENCE_S, connect, run

from autotest import errors
from autotest.host_info import HostInfo
from autotest.sim import fleet, scenario
from autotest.sim.scenario import DutSpec


@pytest.fixture
def lab(tmp_path) -> Iterator[fleet.Fleet]:
    specs = [DutSpec("dut1", boot_seconds=0.05), DutSpec("dut2", boot_seconds=0.05)]
    with fleet.running(tmp_path / "fleet", specs) as running:
        yield running


@pytest.fixture
def client(lab) -> Iterator[paramiko.SSHClient]:
    with connect(lab.hosts[0]) as connected:
        yield connected


def test_a_command_has_its_own_output_errors_and_exit_status(client):
    assert run(client, "echo out; echo err >&2; exit 3") == (3, b"out\n", b"err\n")


def test_a_command_that_does_not_exist_ends_with_127(client):
    assert run(client, "no_such_program")[0] == 127


def test_a_command_that_a_signal_killed_has_no_exit_status(client):
    assert run(client, "kill -TERM $$")[0] == -1


def test_any_bytes_pass_both_ways(client):
    data = bytes(range(256)) * 5000
    assert run(client, "cat", data) == (0, data, b"")


def test_a_command_that_does_not_read_its_input_still_ends(client):
    assert run(client, "exit 4", b"x" * 500_000)[0] == 4


def test_fifty_megabytes_arrive_whole(client):
    size = 50_000_000
    _, stdout, _ = client.exec_command(f"head -c {size} /dev/zero | tr '\\0' 'x'; echo end >&2", timeout=PATIENCE_S)
    met = hashlib.sha256()
    while chunk := stdout.channel.recv(1 << 20):
        met.update(chunk)
    assert met.digest() == hashlib.sha256(b"x" * size).digest()


def test_a_command_lives_in_the_root_folder_of_its_dut(lab, client):
    root = lab.dut("dut1").root
    assert run(client, "pwd; echo $HOME; cat proc/boot_id")[1].decode().split() == [
        str(root), str(root), lab.dut("dut1").boot_id,
    ]  # fmt: skip
    assert Path(lab.hosts[0].get("client_dir")).is_dir()


def test_commands_run_side_by_side_on_one_connection(lab, client):
    waiting = client.exec_command("read line; echo $line")
    assert run(client, "echo first")[1] == b"first\n"
    waiting[0].write(b"second\n")
    assert waiting[1].read() == b"second\n"


def test_no_terminal_password_or_foreign_key_is_accepted(lab, client):
    with pytest.raises(paramiko.SSHException):
        client.exec_command("true", get_pty=True)
    with pytest.raises(paramiko.SSHException):
        connect(lab.hosts[0], key_filename=None, password="root")
    with pytest.raises(paramiko.SSHException):
        connect(lab.hosts[0], key_filename=None, pkey=paramiko.RSAKey.generate(2048))
    with pytest.raises(paramiko.SSHException):
        connect(lab.hosts[0], username="mallory")


def test_each_dut_has_a_host_key_of_its_own(lab):
    lines = Path(lab.hosts[0].get("known_hosts")).read_text().splitlines()
    assert len({line.split()[2] for line in lines}) == 2


def test_the_reboot_command_gives_a_new_boot_id_and_kills_daemons(lab, client):
    dut, boot_id = lab.dut("dut1"), lab.dut("dut1").boot_id
    run(client, "setsid sh -c 'sleep 600 & sleep 601' </dev/null >/dev/null 2>&1 & echo started")
    until(lambda: len(dut.processes) >= 2, PATIENCE_S, "both daemons run")
    assert run(client, lab.hosts[0].get("reboot_command"))[0] == 0
    until(lambda: dut.is_up and dut.boot_id != boot_id, PATIENCE_S, "it has booted again")
    assert dut.processes == []
    assert not client.get_transport().is_active()
    with connect(lab.hosts[0]) as again:
        assert run(again, "cat proc/boot_id")[1].decode().strip() == dut.boot_id
    assert lab.decoys == []


def test_a_reboot_leaves_the_neighbour_alone(lab):
    with connect(lab.hosts[1]) as neighbour:
        reading = neighbour.exec_command("read line; echo $line")
        lab.dut("dut1").reboot()
        reading[0].write(b"still here\n")
        assert reading[1].read() == b"still here\n"


def test_a_process_that_hides_its_environment_dies_with_the_power(lab, client):
    _, stdout, _ = client.exec_command("echo $$; exec env -i sleep 600")
    pid = int(stdout.readline())
    lab.dut("dut1").power_off()
    until(lambda: not Path(f"/proc/{pid}").exists(), PATIENCE_S, "the process is gone")


def test_dangerous_commands_are_refused_and_told(lab, client):
    assert run(client, "reboot -f")[0] == 1
    assert run(client, "exec /sbin/poweroff")[0] == 126
    assert lab.decoys == ["dut1: reboot -f", "dut1: exec /sbin/poweroff"]
    assert lab.dut("dut2").decoys == []


def test_the_outlet_switches_the_dut(lab, client):
    dut, boot_id = lab.dut("dut1"), lab.dut("dut1").boot_id
    dut.power_off()
    with pytest.raises(OSError, match="Unable to connect"):
        connect(lab.hosts[0])
    dut.power_on()
    until(lambda: dut.is_up, PATIENCE_S, "it is up")
    with connect(lab.hosts[0]) as again:
        assert run(again, "echo hello")[1] == b"hello\n"
    assert dut.boot_id != boot_id


def test_the_power_command_of_a_host_obeys(lab):
    def outlet(state: str) -> str:
        words = lab.hosts[1].get("power_command").format(state=state).split()
        return subprocess.run(words, check=True, capture_output=True, text=True, timeout=PATIENCE_S).stdout.strip()

    assert outlet("status") == "on"
    assert outlet("off") == "off"
    assert not lab.dut("dut2").is_up
    assert outlet("cycle") == "on"
    until(lambda: lab.dut("dut2").is_up, PATIENCE_S, "dut2 is up")


def test_the_papers_of_a_fleet_describe_its_hosts(lab):
    config = scenario.tomllib.loads((lab.folder / "lab.toml").read_text())
    for host, table in zip(lab.hosts, config["host"], strict=True):
        own = {key: str(value) for key, value in table.items() if key not in ("hostname", "labels")}
        assert table["hostname"] == host.hostname
        assert set(table["labels"]) == host.labels
        assert {**config["defaults"], **own} == host.attributes
    papers = json.loads((lab.folder / "fleet.json").read_text())
    assert [HostInfo.from_json(host) for host in papers["hosts"]] == lab.hosts


def test_a_folder_holds_one_fleet_at_a_time(lab):
    with pytest.raises(errors.FleetError, match="runs in"), fleet.running(lab.folder, scenario.plain(1)):
        pytest.fail("a second fleet started")


def test_a_taken_port_is_named_and_leaves_nothing_open(lab, tmp_path):
    port = int(lab.hosts[0].get("port"))
    with (
        pytest.raises(errors.FleetError, match=f"port {port} "),
        fleet.running(tmp_path / "other", scenario.plain(1), port),
    ):
        pytest.fail("two DUTs share a port")
    with fleet.running(tmp_path / "other", scenario.plain(1)) as other, connect(other.hosts[0]) as client:
        assert run(client, "echo free")[1] == b"free\n"


def test_sixty_duts_answer_in_one_process_of_modest_size(tmp_path):
    program = (
        "import sys, pathlib\n"
        "from autotest.sim import fleet, scenario\n"
        "with fleet.running(sys.argv[1], scenario.plain(60)) as lab:\n"
        "    print('up', flush=True)\n"
        "    sys.stdin.read()\n"
        "    print(pathlib.Path('/proc/self/status').read_text())\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "fleet")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "up\n"
        hosts = [HostInfo.from_json(host) for host in json.loads((tmp_path / "fleet/fleet.json").read_text())["hosts"]]
        clients = [connect(host) for host in hosts]
        assert [run(client, "echo $HOME")[1].decode().strip() for client in clients] == [
            str(tmp_path / "fleet/duts" / host.hostname) for host in hosts
        ]
        status, _ = process.communicate(timeout=PATIENCE_S)
        for client in clients:
            client.close()
    peak_kb = int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1])
    assert peak_kb < 150_000
