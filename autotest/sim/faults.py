"""Faults of simulated DUTs: what can go wrong, when it begins, and what ends it.

A fault is written as a TOML table in a scenario file, as ``KIND key=value ...`` on the command line, or as
``dut.fault("drop", bytes=100)`` in a test. The keys:

``kind``     one of KINDS below
``match``    only for commands whose text contains this; a fault of the whole machine begins when such a command starts
``after``    seconds until it begins, counted from now or from the start of the matching command (0)
``seconds``  slow: latency of every connection and command (0.5); reboot: how long it is down (its boot time);
             drop: how long the command runs before the cut
``bytes``    drop: how much output still arrives (0); flood: how much is written (1 GB); garbage: how much (4096)
``times``    how often it strikes before it is over (reboot: 1; others: no limit)
``until``    what ends it: reboot, power_cycle or forever
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from autotest import errors

#: Each kind: what it does, and what ends it unless the fault says otherwise.
KINDS: dict[str, tuple[str, str]] = {
    "refuse": ("the port is closed: connections are refused, open ones are cut", "forever"),
    "hang": ("connections are accepted and nothing is ever answered", "power_cycle"),
    "drop": ("the connection is closed in the middle of a command", "forever"),
    "reboot": ("goes down and comes back with a new boot id; its processes are gone", "reboot"),
    "full_disk": ("df shows no space and larger writes fail until somebody cleans the tmp_dirs", "forever"),
    "slow": ("every connection and command is late", "forever"),
    "dead": ("goes down and stays down", "power_cycle"),
    "garbage": ("commands answer random bytes", "forever"),
    "flood": ("commands write output without end", "forever"),
    "readonly": ("nothing in the root folder can be written", "reboot"),
    "fail_verify_once": ("python3 is broken", "reboot"),
}
#: These strike single commands; the others strike the whole machine.
OF_COMMANDS = frozenset({"drop", "garbage", "flood"})
ENDS = ("reboot", "power_cycle", "forever")


@dataclasses.dataclass(frozen=True)
class Fault:
    """One thing that goes wrong; see the module's text for the fields. Raises ConfigError for senseless values."""

    kind: str
    match: str = ""
    after: float = 0.0
    seconds: float | None = None
    bytes: int | None = None
    times: int | None = None
    until: str = ""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise errors.ConfigError(f"no fault is called {self.kind!r}; known: {', '.join(KINDS)}")
        if not self.until:
            object.__setattr__(self, "until", KINDS[self.kind][1])
        if self.until not in ENDS:
            raise errors.ConfigError(f"fault {self.kind}: until is {self.until!r}; it must be one of {', '.join(ENDS)}")
        for name in ("after", "seconds", "bytes", "times"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < float("inf"):
                raise errors.ConfigError(f"fault {self.kind}: {name} is {value}; it must not be negative")
        if self.after and self.kind in OF_COMMANDS:
            raise errors.ConfigError(f"fault {self.kind}: it strikes commands and knows no after")
        if self.kind == "reboot" and self.times is None:
            object.__setattr__(self, "times", 1)

    @property
    def latency(self) -> float:
        """Seconds that a slow DUT adds."""
        return 0.5 if self.seconds is None else self.seconds

    @property
    def volume(self) -> int:
        """Bytes of output: see ``bytes`` in the module's text."""
        default = {"flood": 1_000_000_000, "garbage": 4096}.get(self.kind, 0)
        return default if self.bytes is None else self.bytes


def from_table(table: Mapping[str, Any]) -> Fault:
    """A fault from a TOML table. Raises ConfigError, naming the key."""
    if not isinstance(table, Mapping):
        raise errors.ConfigError(f"a fault is a table with at least a kind, not {table!r}")
    if "kind" not in table:
        raise errors.ConfigError(f"a fault needs a kind: one of {', '.join(KINDS)}")
    fields = {field.name for field in dataclasses.fields(Fault)}
    for name in table:
        if name not in fields:
            raise errors.ConfigError(f"fault {table['kind']}: unknown key {name!r}; known: {', '.join(sorted(fields))}")
    return Fault(**{name: _typed(table["kind"], name, value) for name, value in table.items()})


def from_words(words: tuple[str, ...]) -> Fault:
    """A fault from ``("drop", "bytes=100")``. Raises ConfigError, naming the word."""
    table: dict[str, Any] = {"kind": words[0] if words else ""}
    for word in words[1:]:
        name, equals, value = word.partition("=")
        if not equals:
            raise errors.ConfigError(f"fault {table['kind']}: {word!r} is not key=value")
        table[name] = value
    for name in ("after", "seconds", "bytes", "times"):
        if name in table:
            table[name] = _number(table["kind"], name, table[name])
    return from_table(table)


def _number(kind: str, name: str, text: str) -> float | int:
    try:
        return int(text) if name in ("bytes", "times") else float(text)
    except ValueError as problem:
        raise errors.ConfigError(f"fault {kind}: {name} must be a number, not {text!r}") from problem


def _typed(kind: Any, name: str, value: Any) -> Any:
    wanted: tuple[type, ...] = (str,)
    if name in ("bytes", "times"):
        wanted = (int,)
    elif name in ("after", "seconds"):
        wanted = (int, float)
    if not isinstance(value, wanted) or isinstance(value, bool):
        raise errors.ConfigError(f"fault {kind}: {name} must be {wanted[-1].__name__}, not {value!r}")
    return value
