"""The same against a private OpenSSH server on a loopback port: what the simulation might have made too easy."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from nodes.waiting import until
from servers.openssh import OpenSSH

from autotest import errors
from autotest.host_info import HostInfo
from autotest.server.hosts import ssh


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostInfo]:
    """This machine behind a private sshd."""
    dut = OpenSSH("openssh", ["board:sim"], tmp_path_factory.mktemp("sshd"))
    dut.server.start()
    try:
        yield dut.info
    finally:
        dut.remove()


@pytest.fixture
def host(machine: HostInfo) -> Iterator[ssh.SSHHost]:
    with contextlib.closing(ssh.SSHHost(machine)) as host:
        yield host


def test_verify_and_a_client_test_pass(machine, run):
    assert run("verify", machine).outcome.ok
    done = run("run_test", machine, control_file="job.run_test('pas')\n", token=2)

    assert done.outcome.ok, done.outcome
    assert "»END GOOD pas" in done.lines
    assert (done.folder / "pas/results/seen").exists()


def test_megabytes_both_ways_do_not_block(host):
    data = bytes(range(256)) * 16384

    result = host.execute("tee /dev/stderr", timeout_s=60, stdin=data)

    assert (result.stdout, result.stderr) == (data, data)


def test_a_flood_is_cut(host):
    with pytest.raises(errors.OutputFlood, match="openssh wrote more than"):
        host.run("yes", timeout_s=60)
    assert host.run_output("echo alive") == "alive"


def test_a_command_past_its_limit_is_killed(host, tmp_path):
    with pytest.raises(errors.CommandTimeout):
        host.run(f"echo $$ >{tmp_path}/pid; sleep 1000", timeout_s=1)

    pid = (tmp_path / "pid").read_text().strip()
    until(lambda: not Path(f"/proc/{pid}").exists(), 5, "the command is gone")


def test_a_command_that_ends_by_a_signal_is_a_lost_connection_or_a_status(host):
    with pytest.raises(errors.HostError, match="openssh"):
        host.run("kill -9 $$")
    assert host.run_output("echo alive") == "alive"
