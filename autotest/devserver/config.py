"""Config: one dev server: where it keeps builds, where it may take them from, and how much."""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from autotest import errors
from autotest.archives.tree import Limits
from autotest.devserver import allowed

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

#: Looked for when the command names none.
VARIABLE = "AUTOTEST_DEVSERVER_CONFIG"
PLACE = "/etc/autotest/devserver.toml"
_GB = 10**9


@dataclasses.dataclass(frozen=True)
class Config:
    """One dev server. Sizes are in GB of 10^9 bytes."""

    #: Where it keeps what it staged; it belongs to the dev servers alone.
    folder: Path
    #: Builds come only from below these addresses: file:///folder, https://host/path, gs://bucket ...
    sources: tuple[str, ...]
    #: Where it listens. Whoever reaches it may read every build.
    address: str = "127.0.0.1"
    port: int = 8082
    #: Least recently used builds go when all together outgrow this.
    quota_gb: float = 100.0
    #: How many builds are fetched and unpacked at a time.
    stage_at_once: int = 2
    #: A build that takes longer is given up.
    stage_limit_mins: float = 100.0
    #: Refuse a bundle that comes with no sha256.
    require_checksum: bool = False
    #: What one bundle may become.
    largest_build_gb: float = 64.0
    most_members: int = 500_000
    #: Bytes that come out for each byte of the bundle.
    largest_ratio: float = 200.0

    @property
    def quota(self) -> int:
        """In bytes."""
        return int(self.quota_gb * _GB)

    @property
    def limits(self) -> Limits:
        """What one archive may become."""
        return Limits(int(self.largest_build_gb * _GB), self.most_members, self.largest_ratio)


def find(named: Path | None, environment: Mapping[str, str] = os.environ) -> Path:
    """The file to read: *named*, or $AUTOTEST_DEVSERVER_CONFIG, or /etc/autotest/devserver.toml."""
    return named or Path(environment.get(VARIABLE) or PLACE)


def load(path: Path) -> Config:
    """Read the configuration. Raises ConfigError, naming file and key."""
    try:
        with path.open("rb") as file:
            values = tomllib.load(file)
    except OSError as problem:
        raise errors.ConfigError(f"{path} cannot be read: {problem.strerror}; name one with --config") from problem
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise errors.ConfigError(f"{path} is not TOML: {problem}") from problem
    return parse(values, str(path))


def parse(values: Mapping[str, Any], where: str) -> Config:
    """The configuration that *values* are. Raises ConfigError, naming *where* and key."""
    fields = {field.name: field for field in dataclasses.fields(Config)}
    for name in values:
        if name not in fields:
            raise errors.ConfigError(f"{where}: unknown key {name!r}; known: {', '.join(sorted(fields))}")
    for name in ("folder", "sources"):
        if not values.get(name):
            raise errors.ConfigError(f"{where}: {name} is missing")
    typed = {name: _typed(name, value, fields[name].default, where) for name, value in values.items()}
    try:
        typed["sources"] = tuple(allowed.root(source) for source in typed["sources"])
    except errors.ValidationError as problem:
        raise errors.ConfigError(f"{where}: {problem}") from problem
    return Config(**typed)


_KINDS = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}


def _typed(name: str, value: Any, default: Any, where: str) -> Any:
    if name == "folder":
        if not isinstance(value, str):
            raise errors.ConfigError(f"{where}: folder must be a path, not {value!r}")
        return Path(value).expanduser().absolute()
    if name == "sources":
        if not isinstance(value, list) or not all(isinstance(source, str) for source in value):
            raise errors.ConfigError(f"{where}: sources must be a list of addresses, not {value!r}")
        return value
    wanted = type(default)
    if wanted is float and type(value) is int:
        value = float(value)
    if type(value) is not wanted:
        raise errors.ConfigError(f"{where}: {name} must be {_KINDS[wanted]}, not {value!r}")
    if wanted in (int, float) and not value > 0 and not (name == "port" and value == 0):
        raise errors.ConfigError(f"{where}: {name} must be more than 0, not {value!r}")
    return value
