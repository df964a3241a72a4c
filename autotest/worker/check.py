"""Check: a dry run of everything that a lab worker needs: broker, database and each host. Nothing is changed."""

from __future__ import annotations

import concurrent.futures
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from autotest import errors, settings
from autotest.models import database, schema
from autotest.models.afe import Host
from autotest.models.lab import Lab
from autotest.scheduler import floor, labs
from autotest.server import inspection
from autotest.server.inspection import Finding, Level
from autotest.settings import Settings
from autotest.worker import broker_facts
from autotest.worker.lab_config import LabConfig

#: The first that knows HELLO, with which redis-py begins every session.
_OLDEST_BROKER = (6, 0)


class Row(NamedTuple):
    """One finding about *subject*: ``broker``, ``database`` or a host by name."""

    subject: str
    check: str
    level: Level
    text: str


def everything(
    config: LabConfig,
    installed: Settings,
    patience_s: float,
    limit_s: float,
    at_once: int,
    progress: Callable[[], None] = lambda: None,
) -> list[Row]:
    """Look at all, *at_once* hosts at a time. Each command to a host has *limit_s*, broker and database *patience_s*.

    *progress* is called in this thread after each host.
    """
    rows = [Row("broker", *found) for found in broker(installed, patience_s)]
    rows += [Row("database", *found) for found in ledger(config, installed, patience_s)]
    full = floor.reason(installed)
    rows.append(Row("results disk", "room", "fail" if full else "ok", full or str(installed.results_dir)))
    with concurrent.futures.ThreadPoolExecutor(at_once, thread_name_prefix="check") as pool:
        looks = {host.hostname: pool.submit(inspection.inspect, host, limit_s) for host in config.hosts}
        for _ in concurrent.futures.as_completed(looks.values()):
            progress()
    for hostname, look in looks.items():
        rows += [Row(hostname, *found) for found in look.result()]
    if not config.hosts:
        rows.append(Row(f"lab {config.name}", "hosts", "warn", "the file names no host"))
    return rows


def broker(installed: Settings, patience_s: float) -> Iterator[Finding]:
    """Whether the broker answers, and may hold the queues of a lab."""
    yield from _secret("broker_password_file", installed.broker_password_file)
    try:
        facts = broker_facts.wait_until_reachable(installed, patience_s)
    except (errors.BrokerUnreachable, ValueError) as problem:
        yield Finding("reachable", "fail", str(problem))
        return
    yield Finding("reachable", "ok", settings.shown(installed.broker))
    if facts.version is None:
        yield Finding("version", "warn", "INFO is not allowed to our user: version, policy and file are not known")
        return
    numbers = tuple(int(part) if part.isdigit() else 0 for part in facts.version.split(".")[:2])
    yield Finding("version", "ok" if numbers >= _OLDEST_BROKER else "fail", facts.version)
    reason = broker_facts.evicts(facts)
    if reason:
        yield Finding("maxmemory-policy", "fail", reason)
    elif facts.policy != "noeviction":
        fact = f"{facts.policy}: harmless as long as maxmemory is not set; set it to noeviction"
        yield Finding("maxmemory-policy", "warn", fact)
    else:
        yield Finding("maxmemory-policy", "ok", "noeviction")
    if facts.append_only:
        yield Finding("appendonly", "ok", "yes")
    else:
        fact = "no: a broker that restarts is empty, and everything waits for the sweep; set appendonly yes"
        yield Finding("appendonly", "warn", fact)


def ledger(config: LabConfig, installed: Settings, patience_s: float) -> Iterator[Finding]:
    """Whether the database answers, has every migration, can be written, and has room for this lab."""
    yield from _secret("database_password_file", installed.database_password_file)
    address = settings.shown(installed.database_url)
    parts = urlsplit(installed.database_url)
    if parts.scheme == "sqlite" and not Path(unquote(parts.path[1:])).is_file():
        # Connecting would make it.
        yield Finding("reachable", "fail", f"{address} is not there; run: autotest db migrate")
        return
    try:
        database.connect(installed.database_url)
        database.wait_until_reachable(patience_s)
        yield Finding("reachable", "ok", address)
        with database.connection():
            schema.require_current()
            yield Finding("migrated", "ok", "every migration is applied")
            _try_to_write()
            yield Finding("writable", "ok", "yes")
            yield from _lab(config)
    except errors.DatabaseUnreachable as problem:
        yield Finding("usable", "fail", str(problem))
    except errors.ConfigError as problem:
        yield Finding("migrated", "fail", str(problem))


def _secret(name: str, file: str) -> Iterator[Finding]:
    if not file:
        return
    path = Path(file).expanduser()
    try:
        mode = stat.S_IMODE(os.stat(path).st_mode)
    except OSError as problem:
        yield Finding(name, "fail", f"{path}: {problem.strerror}")
        return
    if mode & 0o077:
        yield Finding(name, "fail", f"{path} is open to others (mode {mode:03o}); chmod 600 {path}")
    else:
        yield Finding(name, "ok", f"{path}, mode {mode:03o}")


def _try_to_write() -> None:
    """Take the write lock and change no row."""
    with database.transaction():
        Lab.update(drained=Lab.drained).where(Lab.id == 0).execute()


def _lab(config: LabConfig) -> Iterator[Finding]:
    lab = Lab.get_or_none(Lab.name == config.name)
    if lab is None:
        yield Finding("lab", "ok", f"{config.name} is new")
    elif lab.drained:
        yield Finding("lab", "warn", f"{config.name} is drained by {labs.drain_of(lab)}")
    else:
        yield Finding("lab", "ok", f"{config.name}, incarnation {lab.incarnation}")
    names = [host.hostname for host in config.hosts]
    elsewhere = (
        Host.select(Host.hostname, Lab.name)
        .join(Lab)
        .where(Host.hostname.in_(names), ~Host.invalid, Lab.name != config.name)
        .order_by(Host.hostname)
        .tuples()
    )
    for hostname, other in elsewhere:
        yield Finding("lab", "fail", f"{hostname} belongs to lab {other}; remove it there first")
