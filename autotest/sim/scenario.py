"""Scenario files: which simulated DUTs there are, what labels they carry, and what goes wrong with them.

A scenario is TOML. Every key is optional except ``hostname``; an unknown key is refused::

    [defaults]                       # for every DUT that does not say otherwise
    labels = ["pool:suites"]         # added to the labels of each DUT
    platform = "pi4"
    boot_seconds = 0.3               # from power or reboot to the first answer

    [[dut]]
    hostname = "pi4-{n}"             # {n} counts from 1 when count is given
    count = 4
    labels = ["board:pi4", "bluetooth"]
    protection = 0                   # as in a worker configuration
    faults = [{kind = "drop", match = "collect", bytes = 100, times = 1}]

    [dut.attributes]                 # further HostInfo attributes
    repair = "generic"

The kinds and keys of faults are described in :mod:`autotest.sim.faults`.
"""

from __future__ import annotations

import dataclasses
import re
import sys
from pathlib import Path
from typing import Any

from autotest import errors
from autotest.sim import faults
from autotest.sim.faults import Fault

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

#: The scenario of the demo: eight DUTs of two boards.
DEMO = Path(__file__).with_name("demo.toml")

_HOSTNAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62})")
_LABEL = re.compile(r"[^\s,\"\\\x00-\x1f\x7f]+")


@dataclasses.dataclass(frozen=True)
class DutSpec:
    """One simulated DUT on paper. *boot_seconds* is the time from power to the first answer."""

    hostname: str
    labels: frozenset[str] = frozenset({"pool:suites", "board:sim"})
    platform: str | None = None
    protection: int = 0
    boot_seconds: float = 0.3
    faults: tuple[Fault, ...] = ()
    attributes: dict[str, str] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        if not _HOSTNAME.fullmatch(self.hostname):
            raise errors.ConfigError(f"hostname {self.hostname!r} must be letters, digits, dots, dashes or underscores")
        for label in self.labels:
            if not _LABEL.fullmatch(label):
                raise errors.ConfigError(f"{self.hostname}: label {label!r} holds a comma, a quote or white space")
        if not 0 <= self.boot_seconds < 3600:
            raise errors.ConfigError(f"{self.hostname}: boot_seconds is {self.boot_seconds}; it must be 0 to 3600")


def plain(count: int, first: int = 1) -> list[DutSpec]:
    """*count* healthy DUTs called dut1, dut2 ..."""
    return [DutSpec(f"dut{number}") for number in range(first, first + count)]


def load(path: Path) -> list[DutSpec]:
    """The DUTs of a scenario file. Raises ConfigError, naming file and key."""
    try:
        data = tomllib.loads(path.read_bytes().decode("utf-8"))
    except OSError as problem:
        raise errors.ConfigError(f"{path} cannot be read: {problem.strerror}") from problem
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise errors.ConfigError(f"{path} is not TOML: {problem}") from problem
    try:
        return parse(data)
    except errors.ConfigError as problem:
        raise errors.ConfigError(f"{path}: {problem}") from problem


def parse(data: dict[str, Any]) -> list[DutSpec]:
    """The DUTs of a scenario that was read already. Raises ConfigError, naming the key."""
    _known("the scenario", data, {"defaults", "dut"})
    defaults = data.get("defaults", {})
    _known("[defaults]", defaults, {"labels", "platform", "protection", "boot_seconds", "attributes"})
    tables = data.get("dut", [])
    if not isinstance(tables, list) or not tables:
        raise errors.ConfigError("there is no [[dut]]; add at least one")
    specs = [spec for table in tables for spec in _duts(table, defaults)]
    names = [spec.hostname for spec in specs]
    for name in names:
        if names.count(name) > 1:
            raise errors.ConfigError(f"hostname {name!r} is given twice")
    return specs


def _duts(table: Any, defaults: dict[str, Any]) -> list[DutSpec]:
    fields = {field.name for field in dataclasses.fields(DutSpec)}
    _known("[[dut]]", table, fields | {"count"})
    pattern = _get("[[dut]]", table, "hostname", str, None)
    if pattern is None:
        raise errors.ConfigError("[[dut]] has no hostname")
    count = _get(pattern, table, "count", int, None)
    if count is not None and not 1 <= count <= 10_000:
        raise errors.ConfigError(f"{pattern}: count is {count}; it must be 1 to 10000")
    if count is not None and "{n}" not in pattern:
        raise errors.ConfigError(f"{pattern}: a hostname with a count needs {{n}}, so that each DUT has its own name")
    merged = {**defaults, **table}
    labels = frozenset(_strings(pattern, defaults, "labels") + _strings(pattern, table, "labels"))
    attributes = {**_attributes(pattern, defaults), **_attributes(pattern, table)}
    common = DutSpec(
        hostname=pattern.replace("{n}", "1"),
        labels=labels,
        platform=_get(pattern, merged, "platform", str, None),
        protection=_get(pattern, merged, "protection", int, 0),
        boot_seconds=float(_get(pattern, merged, "boot_seconds", (int, float), DutSpec.boot_seconds)),
        faults=tuple(_faults(pattern, table)),
        attributes=attributes,
    )
    if count is None:
        return [dataclasses.replace(common, hostname=pattern)]
    return [dataclasses.replace(common, hostname=pattern.replace("{n}", str(n))) for n in range(1, count + 1)]


def _faults(hostname: str, table: dict[str, Any]) -> list[Fault]:
    listed = _get(hostname, table, "faults", list, [])
    try:
        return [faults.from_table(fault) for fault in listed]
    except errors.ConfigError as problem:
        raise errors.ConfigError(f"{hostname}: {problem}") from problem


def _attributes(hostname: str, table: dict[str, Any]) -> dict[str, str]:
    found = _get(hostname, table, "attributes", dict, {})
    for key, value in found.items():
        if not isinstance(value, (str, int, float)):
            raise errors.ConfigError(f"{hostname}: attribute {key} must be a string or a number, not {value!r}")
    return {key: str(value) for key, value in found.items()}


def _strings(hostname: str, table: dict[str, Any], key: str) -> list[str]:
    found = _get(hostname, table, key, list, [])
    for value in found:
        if not isinstance(value, str):
            raise errors.ConfigError(f"{hostname}: {key} must be a list of strings, and holds {value!r}")
    return found


def _get(hostname: str, table: dict[str, Any], key: str, wanted: type | tuple[type, ...], default: Any) -> Any:
    value = table.get(key, default)
    if value is default:
        return default
    if not isinstance(value, wanted) or isinstance(value, bool):
        name = wanted.__name__ if isinstance(wanted, type) else "a number"
        raise errors.ConfigError(f"{hostname}: {key} must be {name}, not {value!r}")
    return value


def _known(place: str, table: Any, keys: set[str]) -> None:
    if not isinstance(table, dict):
        raise errors.ConfigError(f"{place} must be a table, not {table!r}")
    for key in table:
        if key not in keys:
            raise errors.ConfigError(f"{place}: unknown key {key!r}; known: {', '.join(sorted(keys))}")
