"""The same against a private OpenSSH server on a loopback port: what the simulation might have made too easy."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from autotest import errors
from autotest.host_info import HostInfo
from autotest.server.hosts import ssh

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
pytestmark = [
    pytest.mark.skipif(SSHD is None, reason="OpenSSH's sshd is not installed"),
    pytest.mark.skipif(os.geteuid() != 0, reason="a private sshd needs root"),
]


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostInfo]:
    """This machine behind a private sshd; every path of the host lies in a folder of its own."""
    folder = tmp_path_factory.mktemp("sshd")
    for name in ("host_key", "client_key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
    shutil.copy(folder / "client_key.pub", folder / "authorized_keys")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    (folder / "config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host_key\nPidFile {folder}/pid\nUsePAM no\n"
        f"AuthorizedKeysFile {folder}/authorized_keys\nStrictModes no\nPermitRootLogin prohibit-password\n"
    )
    Path("/run/sshd").mkdir(exist_ok=True)
    server = subprocess.Popen([str(SSHD), "-D", "-e", "-f", str(folder / "config")], stderr=subprocess.DEVNULL)
    try:
        _wait_for(port)
        key = (folder / "host_key.pub").read_text().split()
        (folder / "known_hosts").write_text(f"[127.0.0.1]:{port} {key[0]} {key[1]}\n")
        yield HostInfo(
            "openssh",
            attributes={
                "address": "127.0.0.1",
                "port": str(port),
                "key": str(folder / "client_key"),
                "known_hosts": str(folder / "known_hosts"),
                "client_dir": str(folder / "client"),
                "tmp_dirs": str(folder / "tmp"),
                "min_free_mb": "1",
            },
        )
    finally:
        server.terminate()
        server.wait()


def _wait_for(port: int) -> None:
    limit = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            assert time.monotonic() < limit, "sshd did not start"
            time.sleep(0.05)


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
    limit = time.monotonic() + 5
    while Path(f"/proc/{pid}").exists():
        assert time.monotonic() < limit
        time.sleep(0.02)


def test_a_command_that_ends_by_a_signal_is_a_lost_connection_or_a_status(host):
    with pytest.raises(errors.HostError, match="openssh"):
        host.run("kill -9 $$")
    assert host.run_output("echo alive") == "alive"
