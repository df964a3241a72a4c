"""Every knob of the installation, typed, read once from a TOML file and the environment.

Looked for, first hit wins: ``$AUTOTEST_CONFIG``, ``./autotest.toml``, ``/etc/autotest/autotest.toml``; none is fine.
``$AUTOTEST_<FIELD>`` overrides a field. Secrets (a password inside a URL) are never shown: see :func:`shown`.
"""

from __future__ import annotations

import dataclasses
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from autotest import errors

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_PLACES = ("autotest.toml", "/etc/autotest/autotest.toml")


@dataclasses.dataclass(frozen=True)
class Settings:
    """One installation. Times are in seconds unless the name says otherwise."""

    #: Where everything is kept that has no place of its own: database, results, sockets, logs.
    root: Path = Path("~/.autotest")
    #: redis://, rediss:// or redis+socket:// address of the broker.
    broker: str = "redis://127.0.0.1:6379/0"
    #: sqlite:///PATH or mysql://USER:PASSWORD@HOST:PORT/NAME; empty means SQLite below root.
    database: str = ""
    #: Results folders; empty means below root.
    results: str = ""
    #: Staged builds, one folder a build, each with its own test_suites/ and control/; empty means below root.
    builds: str = ""
    #: Flower's address, for links; empty when none runs.
    flower: str = ""
    #: How long a lease lives without a sign of life.
    lease_length: float = 900.0
    #: How often a worker gives a sign of life.
    beat_every: float = 5.0
    #: A step that nobody began after so long is sent again, then its lease is taken back.
    step_due: float = 10.0
    #: How often the sweep looks for work that no message points to.
    sweep_every: float = 2.0
    #: An entry whose worker, child or DUT vanished is queued again so many times, then fails.
    max_requeues: int = 2
    #: Repairs of one host for one job (section 2.6).
    max_repair_limit: int = 2
    #: Provision attempts of one entry after the first (section 2.6).
    max_provision_retries: int = 0
    #: Parse attempts of one entry before it fails with the reason.
    max_parse_attempts: int = 5
    #: Limits of jobs that name none, minutes.
    job_timeout_mins: int = 1440
    job_max_runtime_mins: int = 1440
    #: Wall-clock limits of the steps that are not tests.
    verify_limit: float = 300.0
    repair_limit: float = 1800.0
    provision_limit: float = 3600.0
    #: Where this installation was read from, for messages.
    source: str = "defaults"

    @property
    def database_url(self) -> str:
        return self.database or f"sqlite:///{self.root_dir / 'autotest.db'}"

    @property
    def root_dir(self) -> Path:
        return self.root.expanduser().absolute()

    @property
    def results_dir(self) -> Path:
        return Path(self.results).expanduser().absolute() if self.results else self.root_dir / "results"

    @property
    def builds_dir(self) -> Path:
        return Path(self.builds).expanduser().absolute() if self.builds else self.root_dir / "builds"


def load(path: Path | None = None, environment: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings. Raises ConfigError, naming file and key."""
    chosen = path or _find(environment)
    values: dict[str, Any] = {}
    if chosen is not None:
        values = _read(chosen)
        values["source"] = str(chosen)
    for field in dataclasses.fields(Settings):
        override = environment.get(f"AUTOTEST_{field.name.upper()}")
        if override is not None and field.name != "source":
            values[field.name] = override
    return Settings(**{name: _typed(name, value, chosen) for name, value in values.items()})


def shown(url: str) -> str:
    """A URL without its password, fit for logs and messages."""
    return re.sub(r"(//[^:/@]*):[^@/]*@", r"\1:***@", url)


def _find(environment: Mapping[str, str]) -> Path | None:
    named = environment.get("AUTOTEST_CONFIG")
    if named:
        return Path(named)
    return next((Path(place) for place in _PLACES if Path(place).is_file()), None)


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            values = tomllib.load(file)
    except OSError as problem:
        raise errors.ConfigError(f"{path} cannot be read: {problem.strerror}") from problem
    except tomllib.TOMLDecodeError as problem:
        raise errors.ConfigError(f"{path} is not TOML: {problem}") from problem
    known = {field.name for field in dataclasses.fields(Settings)} - {"source"}
    for name in values:
        if name not in known:
            raise errors.ConfigError(f"{path}: unknown key {name!r}; known: {', '.join(sorted(known))}")
    return values


def _typed(name: str, value: Any, path: Path | None) -> Any:
    wanted = type(getattr(Settings, name))
    if wanted in (int, float) and isinstance(value, bool):
        raise errors.ConfigError(f"{path or 'environment'}: {name} must be a number, not {value!r}")
    try:
        if isinstance(getattr(Settings, name), Path):
            return Path(value)
        return wanted(value)
    except (TypeError, ValueError) as problem:
        raise errors.ConfigError(
            f"{path or 'environment'}: {name} must be {wanted.__name__}, not {value!r}"
        ) from problem
