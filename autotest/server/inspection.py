"""Inspection: what a lab would find at a host, looked at without changing anything: no fence, no file, no switching.

Nothing is pinned either: where the policy is trust_first, the known_hosts file is copied, and the copy thrown away.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import os
import re
import shlex
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal, NamedTuple

import paramiko

from autotest import errors, plugins
from autotest.client import encoding
from autotest.host_info import HostInfo
from autotest.server.hosts import host_keys, login, remote, ssh
from autotest.server.power import base
from autotest.server.repair import verifiers

Level = Literal["ok", "warn", "fail"]
#: A label's column.
_LABEL_LENGTH = 255
_KEEP = 65536
_DRIVERS = {"repair": "autotest.repair", "provisioner": "autotest.provision"}
_NEAREST = 'd={place}; while [ ! -e "$d" ]; do d=$(dirname -- "$d"); done; '


class Finding(NamedTuple):
    """What was looked at, how it is, and the fact."""

    check: str
    level: Level
    text: str


def inspect(info: HostInfo, limit_s: float) -> list[Finding]:
    """Look at one host; each command has *limit_s*. Raises nothing: what goes wrong is a finding."""
    found = [labels(info), key_file(info), *drivers(info)]
    with contextlib.ExitStack() as stack:
        seen = stack.enter_context(_unpinned(info))
        host = stack.enter_context(contextlib.closing(ssh.SSHHost(seen)))
        reached = _attempt("ssh", lambda: _ssh(host, info, limit_s))
        found.append(reached)
        if reached.level != "fail":
            found.append(host_key(info))
            found += [_attempt(name, functools.partial(look, host, limit_s)) for name, look in _ON_THE_DUT]
    found.append(_attempt("power", lambda: _power(info)))
    return found


def labels(info: HostInfo) -> Finding:
    """Whether control files and suites can ask for this host."""
    for label in sorted(info.labels):
        if "," in label or label != label.strip() or not label.isprintable():
            return Finding("labels", "fail", f"{label!r} holds a comma, or white space where nobody can ask for it")
        if len(label) > _LABEL_LENGTH:
            return Finding("labels", "fail", f"{label[:40]!r}... has more than {_LABEL_LENGTH} characters")
    boards = sorted(label for label in info.labels if label.startswith("board:"))
    if len(boards) != 1:
        fact = f"several boards: {', '.join(boards)}" if boards else "no board: label, so that no suite finds it"
        return Finding("labels", "warn", fact)
    return Finding("labels", "ok", ", ".join(sorted(info.labels)))


def key_file(info: HostInfo) -> Finding:
    """Whether the private key is there for us, and for us alone."""
    if not info.get("key"):
        return Finding("key", "ok", "none named: an agent, or the keys in ~/.ssh")
    path = Path(info.get("key")).expanduser()
    try:
        status = path.stat()
        path.open("rb").close()
    except OSError as problem:
        return Finding("key", "fail", f"{path} cannot be read: {problem.strerror}")
    mode = stat.S_IMODE(status.st_mode)
    if mode & 0o077:
        return Finding("key", "fail", f"{path} is open to others (mode {mode:03o}); chmod 600 {path}")
    return Finding("key", "ok", f"{path}, mode {mode:03o}")


def drivers(info: HostInfo) -> Iterator[Finding]:
    """Whether what the attributes repair and provisioner name is installed."""
    for attribute, group in _DRIVERS.items():
        name = info.get(attribute)
        if name:
            yield _attempt(attribute, functools.partial(_driver, attribute, group, name))


def host_key(info: HostInfo) -> Finding:
    """Whether the keys of the host, and of its bastion, are pinned."""
    path = host_keys.known_hosts(info)
    known = paramiko.HostKeys(str(path)) if path.exists() else paramiko.HostKeys()
    places = [(info.get("address", info.hostname), login.port_of(info, "port"))]
    if info.get("bastion"):
        places.append((info.get("bastion"), login.port_of(info, "bastion_port")))
    names = [address if port == 22 else f"[{address}]:{port}" for address, port in places]
    missing = [name for name in names if known.lookup(name) is None]
    if missing:
        return Finding("host key", "warn", f"{', '.join(missing)}: the first step will pin it in {path}")
    return Finding("host key", "ok", f"pinned in {path}")


def _driver(attribute: str, group: str, name: str) -> Finding:
    plugins.one_of(group, name)
    return Finding(attribute, "ok", f"{name} is installed")


def _ssh(host: ssh.SSHHost, info: HostInfo, limit_s: float) -> Finding:
    user = _say(host, "id -un", limit_s)
    way = f" through {info.get('bastion')}" if info.get("bastion") else ""
    level: Level = "ok" if user == info.get("user", "root") else "warn"
    return Finding("ssh", level, f"user {user} at {info.get('address', info.hostname)}{way}")


def _python(host: ssh.SSHHost, limit_s: float) -> Finding:
    command = f"{shlex.quote(host.python)} -c 'import sys, json, zipfile; print(\"%d.%d\" % sys.version_info[:2])'"
    said = _say(host, command, limit_s)
    version = re.fullmatch(r"(\d{1,3})\.(\d{1,3})", said)
    if version is None or (int(version[1]), int(version[2])) < verifiers.OLDEST_PYTHON:
        return Finding("python", "fail", f"{host.python} is {said[:80]!r}; the client needs 3.6 or newer")
    return Finding("python", "ok", f"{host.python} is {said}")


def _client_dir(host: ssh.SSHHost, limit_s: float) -> Finding:
    look = _NEAREST.format(place=shlex.quote(host.client_dir)) + '[ -d "$d" ] && [ -w "$d" ] || exit 1; echo "$d"'
    nearest = _say(host, look, limit_s)
    rest = "" if nearest == host.client_dir else f", to be made in {nearest}"
    return Finding("client_dir", "ok", f"{host.client_dir} can be written{rest}")


def _disk(host: ssh.SSHHost, limit_s: float) -> Finding:
    wanted, free = host.limit("min_free_mb", 700), {}
    for place in verifiers.places(host):
        said = _say(host, _NEAREST.format(place=shlex.quote(place)) + 'df -Pk -- "$d"', limit_s)
        found = verifiers.free_mb(said)
        if found is None:
            return Finding("disk", "fail", f"df of {place} cannot be read: {said[-80:]!r}")
        free[place] = found
    least = min(free, key=lambda place: free[place])
    level: Level = "ok" if free[least] >= wanted else "fail"
    return Finding("disk", level, f"{free[least]:.0f} MB free on {least}, want {wanted:.0f} MB")


_ON_THE_DUT: tuple[tuple[str, Callable[[ssh.SSHHost, float], Finding]], ...] = (
    ("python", _python),
    ("client_dir", _client_dir),
    ("disk", _disk),
)


def _power(info: HostInfo) -> Finding:
    if not info.get("power"):
        return Finding("power", "ok", "no outlet on record: a host that hangs waits for a person")
    state = base.of(info).get()
    if state is None:
        return Finding("power", "warn", f"{info.get('power')} cannot tell whether it is on or off")
    return Finding("power", "ok", f"{info.get('power')} says {state}")


def _attempt(check: str, look: Callable[[], Finding]) -> Finding:
    try:
        return look()
    except errors.AutotestError as problem:
        return Finding(check, "fail", str(problem))
    except Exception as problem:
        # A driver from outside may raise anything; the other hosts are still looked at.
        return Finding(check, "fail", f"{type(problem).__name__}: {problem}")


def _say(host: ssh.SSHHost, command: str, limit_s: float) -> str:
    """The output of an unfenced command. Raises CommandFailed."""
    result = host.execute(f"sh -c {shlex.quote(command)}", timeout_s=limit_s, connect_s=limit_s, keep=_KEEP)
    if result.exit_status:
        said = (encoding.to_text(result.stderr).strip().splitlines() or ["no reason given"])[-1]
        raise errors.CommandFailed(
            host.hostname, f"{remote.shorten(command, 60)} ended with {result.exit_status}: {said}"
        )
    return encoding.to_text(result.stdout).strip()


@contextlib.contextmanager
def _unpinned(info: HostInfo) -> Iterator[HostInfo]:
    if info.get("host_key_policy", host_keys.PINNED) != host_keys.TRUST_FIRST:
        yield info
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = os.path.join(folder, "known_hosts")
        with contextlib.suppress(FileNotFoundError):
            shutil.copyfile(host_keys.known_hosts(info), copy)
        yield dataclasses.replace(info, attributes={**info.attributes, "known_hosts": copy})
