"""Host keys: pinned in known_hosts, or trusted at first sight and pinned from then on; never accepted blindly."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

import paramiko

from autotest import errors
from autotest.host_info import HostInfo

PINNED = "pinned"
TRUST_FIRST = "trust_first"


def apply(info: HostInfo, client: paramiko.SSHClient) -> None:
    """Load the known_hosts file of *info* into *client* and set its policy for a host that is not in there.

    Raises ConfigError for an unknown ``host_key_policy`` and for a known_hosts file that cannot be read.
    """
    hostname, path = info.hostname, known_hosts(info)
    policy = info.get("host_key_policy", PINNED)
    if policy not in (PINNED, TRUST_FIRST):
        raise errors.ConfigError(f"{hostname}: host_key_policy is {policy!r}; it must be {PINNED} or {TRUST_FIRST}")
    if path.exists():
        try:
            client.load_host_keys(str(path))
        except (OSError, paramiko.SSHException) as problem:
            raise errors.ConfigError(f"{hostname}: known_hosts file {path} cannot be read: {problem}") from problem
    client.set_missing_host_key_policy((_TrustFirst if policy == TRUST_FIRST else _Pinned)(hostname, path))


def known_hosts(info: HostInfo) -> Path:
    """The known_hosts file of *info*."""
    return Path(info.get("known_hosts", "~/.ssh/known_hosts")).expanduser()


class _Pinned(paramiko.MissingHostKeyPolicy):
    def __init__(self, hostname: str, path: Path):
        self._hostname = hostname
        self._path = path

    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:
        raise errors.HostKeyRejected(
            self._hostname,
            f"{self._hostname} shows an {key.get_name()} host key and {self._path} pins none for {hostname}; "
            "add it there, or set host_key_policy to trust_first",
        )


class _TrustFirst(paramiko.MissingHostKeyPolicy):
    def __init__(self, hostname: str, path: Path):
        self._hostname = hostname
        self._path = path

    def missing_host_key(self, client: paramiko.SSHClient, hostname: str, key: paramiko.PKey) -> None:
        """Pin *key*, unless somebody pinned another one since we looked."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with open(self._path, "a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            known = paramiko.HostKeys(str(self._path)).lookup(hostname)
            if known is not None:
                if known.get(key.get_name()) == key:
                    return
                raise errors.HostKeyRejected(self._hostname, changed(self._hostname, self._path))
            file.seek(0, os.SEEK_END)
            if file.tell() and not _ends_with_newline(file.fileno(), file.tell()):
                file.write(b"\n")
            file.write(f"{hostname} {key.get_name()} {key.get_base64()}\n".encode())
            file.flush()
            os.fsync(file.fileno())


def changed(hostname: str, path: Path) -> str:
    """What to tell people when a pinned key does not match."""
    return (
        f"{hostname} shows another host key than the one pinned in {path}; nothing was sent to it. "
        "If the machine was reinstalled, remove its line there"
    )


def _ends_with_newline(file: int, size: int) -> bool:
    return os.pread(file, 1, size - 1) == b"\n"
