"""Verifiers for any Linux DUT: ssh, disk, writable, python."""

from __future__ import annotations

import re
import shlex
import shutil
import socket
import subprocess

from autotest import errors
from autotest.server.hosts.remote import RemoteHost
from autotest.server.repair import strategy

_LIMIT_S = 60.0
_PING_LIMIT_S = 5.0
OLDEST_PYTHON = (3, 6)
# Below zero once root has used what is kept back for it.
_KILOBYTES = re.compile(r"-?[0-9]{1,18}")


class SshUp(strategy.Verifier):
    """The DUT takes commands; the first one raises the fence of the lease."""

    tag = "ssh"
    description = "host answers ssh"

    def verify(self, host: RemoteHost) -> None:
        """Raises VerifyFailed, saying whether name, ping or ssh failed."""
        try:
            host.take()
        except errors.HostUnreachable as problem:
            raise errors.VerifyFailed(host.hostname, _diagnosis(host, problem)) from problem


class DiskSpace(strategy.Verifier):
    """There is room where the client and the tests write."""

    tag = "disk"
    description = "enough free disk space"

    def verify(self, host: RemoteHost) -> None:
        """Raises VerifyFailed when one of the places has less than ``min_free_mb`` left."""
        wanted = host.limit("min_free_mb", 700)
        for place in places(host):
            look = f"mkdir -p -- {shlex.quote(place)} 2>/dev/null; df -Pk -- {shlex.quote(place)}"
            said = host.run_output(look, timeout_s=_LIMIT_S)
            free = free_mb(said)
            if free is None:
                raise errors.VerifyFailed(
                    host.hostname, f"{host.hostname}: df of {place} cannot be read: {said[-80:]!r}"
                )
            if free < wanted:
                raise errors.VerifyFailed(
                    host.hostname, f"Not enough free space on {place} - {free:.0f} MB free, want {wanted:.0f} MB"
                )


class Writable(strategy.Verifier):
    """The places where the client and the tests write can be written."""

    tag = "writable"
    description = "file systems are writable"

    def verify(self, host: RemoteHost) -> None:
        """Raises VerifyFailed, naming the first place that cannot."""
        for place in places(host):
            probe = shlex.quote(f"{place}/.autotest-writable")
            attempt = f"mkdir -p -- {shlex.quote(place)} && echo 1 >{probe} && rm -f {probe}"
            result = host.run(attempt, _LIMIT_S, ignore_status=True)
            if result.exit_status:
                said = (result.stderr.strip().splitlines() or ["no reason given"])[-1]
                raise errors.VerifyFailed(host.hostname, f"Can't create a file in {place}: {said}")


class PythonWorks(strategy.Verifier):
    """The DUT has a Python that can run the client."""

    tag = "python"
    description = "python runs the client"

    def verify(self, host: RemoteHost) -> None:
        """Raises VerifyFailed when there is none, when it is broken, or older than 3.6."""
        command = f"{shlex.quote(host.python)} -c 'import sys, json, zipfile; print(\"%d.%d\" % sys.version_info[:2])'"
        result = host.run(command, _LIMIT_S, ignore_status=True, keep=65536)
        version = re.fullmatch(r"(\d{1,3})\.(\d{1,3})\s*", result.stdout)
        if result.exit_status or not version:
            said = (result.stderr.strip().splitlines() or [f"exit status {result.exit_status}"])[-1]
            raise errors.VerifyFailed(host.hostname, f"{host.python} does not work: {said}")
        if (int(version[1]), int(version[2])) < OLDEST_PYTHON:
            raise errors.VerifyFailed(host.hostname, f"{host.python} is {version[0].strip()}; the client needs 3.6")


def free_mb(df: str) -> float | None:
    """The megabytes that are free, as ``df -Pk`` of one place says in its last line; None when that is no such line."""
    columns = df.rstrip().rpartition("\n")[2].split()
    if len(columns) < 6 or not _KILOBYTES.fullmatch(columns[3]):
        return None
    return int(columns[3]) * 1024 / 1_000_000


def places(host: RemoteHost) -> list[str]:
    """Where client and tests write on the DUT."""
    return list(dict.fromkeys([*tmp_dirs(host), host.client_dir]))


def tmp_dirs(host: RemoteHost) -> list[str]:
    """The temporary folders of the DUT."""
    return [place.strip() for place in host.info.get("tmp_dirs", "/tmp,/var/tmp").split(",") if place.strip()]


def _diagnosis(host: RemoteHost, problem: errors.HostError) -> str:
    if host.info.get("bastion"):
        # From here, neither its name nor a ping says anything of a DUT behind another machine.
        return f"No answer to ssh from {host.hostname}\n{problem}"
    address = host.info.get("address", host.hostname)
    try:
        socket.getaddrinfo(address, None)
    except OSError as reason:
        return f"Unable to look up {host.hostname} in DNS: {reason}"
    silent = not _answers_ping(address)
    return f"No answer to {'ping' if silent else 'ssh'} from {host.hostname}\n{problem}"


def _answers_ping(address: str) -> bool:
    program = shutil.which("ping")
    if program is None:
        return True
    try:
        command = [program, "-c", "1", "-W", "2", address]
        return subprocess.run(command, capture_output=True, timeout=_PING_LIMIT_S, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False
