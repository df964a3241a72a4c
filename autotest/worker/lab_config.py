"""worker_configs/<lab>.toml: the hosts of one lab and how to reach them.

name = "desk"                      # the lab; one worker at a time serves it
slots = 24                         # steps at a time; default: hosts + 4

[defaults]                         # attributes of every host (see host_info.py)
user = "root"
key = "~/.ssh/lab_ed25519"
known_hosts = "/etc/autotest/known_hosts"

[[host]]
hostname = "rack1-host3"
labels = ["board:pi4", "pool:suites", "bluetooth"]
platform = "pi4"                   # optional
protection = 0                     # optional, 0 to 4
address = "10.0.1.3"               # any attribute
port = 22
"""

from __future__ import annotations

import dataclasses
import re
import sys
from pathlib import Path
from typing import Any

from autotest import errors
from autotest.host_info import HostInfo
from autotest.states import Protection
from autotest.suite import arguments

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

#: Attributes that the lab side understands; anything else is a typing mistake.
ATTRIBUTES = frozenset(
    {
        "address",
        "port",
        "user",
        "key",
        "known_hosts",
        "host_key_policy",
        "bastion",
        "bastion_port",
        "bastion_user",
        "client_dir",
        "python",
        "boot_id_file",
        "reboot_command",
        "tmp_dirs",
        "min_free_mb",
        "down_limit",
        "boot_limit",
        "disconnect_limit",
        "power",
        "provisioner",
        "repair",
    }
)
#: What begins so belongs to a driver, which knows its own attributes.
_DRIVERS = ("power_", "provision_", "stub_")
_PATHS = frozenset({"key", "known_hosts"})
_PORTS = frozenset({"port", "bastion_port"})
_NUMBERS = frozenset({"min_free_mb", "down_limit", "boot_limit", "disconnect_limit"})
_HOSTNAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,253}")
_LAB = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_SPARE_SLOTS = 4


@dataclasses.dataclass(frozen=True)
class LabConfig:
    """One lab: *slots* steps may run at a time."""

    name: str
    hosts: tuple[HostInfo, ...]
    slots: int


def load(path: Path) -> LabConfig:
    """Read a lab's configuration. Raises ConfigError, naming file, key and value."""
    try:
        with path.open("rb") as file:
            data = tomllib.load(file)
    except OSError as problem:
        raise errors.ConfigError(f"{path} cannot be read: {problem.strerror}") from problem
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise errors.ConfigError(f"{path} is not TOML: {problem}") from problem
    _only(path, "", data, {"name", "slots", "defaults", "host"})
    name = data.get("name")
    if not isinstance(name, str) or not _LAB.fullmatch(name):
        raise errors.ConfigError(f"{path}: name must be letters, digits, '-' and '_', not {name!r}")
    defaults = _attributes(path, "defaults", data.get("defaults", {}), set())
    tables = data.get("host", [])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise errors.ConfigError(f"{path}: hosts are written as [[host]] tables")
    hosts: dict[str, HostInfo] = {}
    for number, table in enumerate(tables, 1):
        host = _host(path, f"host {number}", table, defaults)
        if host.hostname in hosts:
            raise errors.ConfigError(f"{path}: host {host.hostname} is there twice")
        hosts[host.hostname] = host
    slots = data.get("slots", len(hosts) + _SPARE_SLOTS)
    if not isinstance(slots, int) or isinstance(slots, bool) or slots < 1:
        raise errors.ConfigError(f"{path}: slots must be a number above 0, not {slots!r}")
    return LabConfig(name, tuple(hosts.values()), slots)


def _host(path: Path, where: str, table: dict[str, Any], defaults: dict[str, str]) -> HostInfo:
    hostname = table.get("hostname")
    if not isinstance(hostname, str) or not _HOSTNAME.fullmatch(hostname):
        raise errors.ConfigError(f"{path}: {where}: hostname {hostname!r} is not a host name")
    where = f"host {hostname}"
    own = {"hostname", "labels", "platform", "protection"}
    labels = table.get("labels", [])
    if not isinstance(labels, list) or not all(isinstance(label, str) and label.strip() for label in labels):
        raise errors.ConfigError(f"{path}: {where}: labels must be a list of texts, not {labels!r}")
    platform = table.get("platform")
    if platform is not None and not isinstance(platform, str):
        raise errors.ConfigError(f"{path}: {where}: platform must be a text, not {platform!r}")
    for key, names in (("labels", labels), ("platform", [platform] if platform else [])):
        bad = [name for name in names if not arguments.is_label(name)]
        if bad:
            raise errors.ConfigError(
                f"{path}: {where}: {key}: {bad[0]!r:.60} is not a label of 1 to 255 printable characters without comma"
            )
    protection = table.get("protection", 0)
    if type(protection) is not int or protection not in list(Protection):
        raise errors.ConfigError(f"{path}: {where}: protection must be 0 to 4, not {protection!r}")
    attributes = {**defaults, **_attributes(path, where, table, own)}
    return HostInfo(hostname, frozenset(labels), attributes, platform, int(protection))


def _attributes(path: Path, where: str, table: Any, own: set[str]) -> dict[str, str]:
    if not isinstance(table, dict):
        raise errors.ConfigError(f"{path}: {where} must be a table")
    _only(path, where, table, ATTRIBUTES | own)
    found = {}
    for key, value in table.items():
        if key in own:
            continue
        if isinstance(value, bool) or not isinstance(value, (str, int)):
            raise errors.ConfigError(f"{path}: {where}: {key} must be a text or a number, not {value!r}")
        if key in _PORTS and not (str(value).isdecimal() and 0 < int(value) < 65536):
            raise errors.ConfigError(f"{path}: {where}: {key} must be 1 to 65535, not {value!r}")
        if key in _NUMBERS and not (str(value).isascii() and str(value).isdecimal()):
            raise errors.ConfigError(f"{path}: {where}: {key} must be a number, not {value!r}")
        if key == "bastion" and value and not _HOSTNAME.fullmatch(str(value)):
            raise errors.ConfigError(
                f"{path}: {where}: bastion must be a host name, not {value!r}; user and port are bastion_user and "
                "bastion_port"
            )
        if key == "host_key_policy" and value not in ("pinned", "trust_first"):
            raise errors.ConfigError(f"{path}: {where}: host_key_policy must be pinned or trust_first, not {value!r}")
        found[key] = str(Path(str(value)).expanduser()) if key in _PATHS else str(value)
    return found


def _only(path: Path, where: str, table: dict[str, Any], known: set[str] | frozenset[str]) -> None:
    for key in table:
        if key not in known and not (where and key.startswith(_DRIVERS)):
            place = f"{where}: " if where else ""
            raise errors.ConfigError(f"{path}: {place}unknown key {key!r}; known: {', '.join(sorted(known))}")
