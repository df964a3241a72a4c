"""What the tests of the simulated fleet share: an SSH client, and how patient they are."""

from __future__ import annotations

import contextlib
from typing import Any

import paramiko

from autotest.host_info import HostInfo

PATIENCE_S = 20.0


def connect(host: HostInfo, **changes: Any) -> paramiko.SSHClient:
    client = paramiko.SSHClient()
    client.load_host_keys(host.get("known_hosts"))
    client.set_missing_host_key_policy(paramiko.RejectPolicy())
    wanted: dict[str, Any] = {"username": host.get("user"), "key_filename": host.get("key"), "timeout": 10, **changes}
    client.connect(host.get("address"), int(host.get("port")), allow_agent=False, look_for_keys=False, **wanted)
    return client


def run(client: paramiko.SSHClient, command: str, given: bytes = b"") -> tuple[int, bytes, bytes]:
    stdin, stdout, stderr = client.exec_command(command, timeout=PATIENCE_S)
    # A command that ended meanwhile takes no more.
    with contextlib.suppress(OSError):
        stdin.write(given)
        stdin.channel.shutdown_write()
    out = stdout.read()
    return stdout.channel.recv_exit_status(), out, stderr.read()
