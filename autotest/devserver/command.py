"""``autotest devserver run|list|evict``: the server, and what it keeps."""

from __future__ import annotations

import datetime
import json
import logging
import socket
import sys
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from autotest import errors, plurals
from autotest.devserver import config as configuration
from autotest.devserver import quota
from autotest.devserver.config import Config
from autotest.devserver.depot import Depot, Staged

_CONFIG = click.option(
    "--config",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    help=f"Default: ${configuration.VARIABLE}, or {configuration.PLACE}.",
)
_MB = 10**6


@click.group()
def devserver() -> None:
    """Stage builds from their archive, and serve their control files and images."""


@devserver.command()
@_CONFIG
@click.option("--port", type=click.IntRange(0, 65535), help="Instead of the configured one; 0: a free one.")
def run(file: Path | None, port: int | None) -> None:
    """Serve until Ctrl-C or SIGTERM. What was begun then goes on at the next start."""
    config = _load(file)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(message)s")
    # Imported now: FastAPI takes its time.
    import uvicorn

    from autotest.devserver.app import make_app
    from autotest.devserver.jobs import Jobs

    depot = Depot(config.folder)
    for build in depot.sweep():
        logging.info("%s was half staged; its remains are gone", build)
    jobs = Jobs(config, depot)
    listening = _listen(config.address, config.port if port is None else port)
    with listening:
        host, number = listening.getsockname()[:2]
        click.echo(f"http://{f'[{host}]' if ':' in host else host}:{number} serves {config.folder}")
        sys.stdout.flush()
        server = uvicorn.Server(
            uvicorn.Config(
                make_app(config, depot, jobs),
                log_config=None,
                access_log=False,
                timeout_graceful_shutdown=5,
                # A client that hangs up is no reason to keep a connection.
                timeout_keep_alive=30,
            )
        )
        server.run(sockets=[listening])


@devserver.command(name="list")
@_CONFIG
@click.option("--json", "as_json", is_flag=True, help="One JSON list.")
def list_builds(file: Path | None, as_json: bool) -> None:
    """The staged builds, the one that was used longest ago first."""
    config = _load(file)
    staged = Depot(config.folder).all()
    if as_json:
        click.echo(json.dumps([{**one.record.to_json(), "used_at": one.used_at} for one in staged]))
        return
    table = Table("build", "MB", "used", "staged", "sha256", box=None, pad_edge=False)
    for one in staged:
        table.add_row(*_row(one))
    if staged:
        Console().print(table)
    total = sum(one.record.bytes for one in staged)
    click.echo(f"{plurals.counted(len(staged), 'build')}, {total / _MB:,.0f} MB of {config.quota / _MB:,.0f}")


@devserver.command()
@_CONFIG
@click.argument("builds", nargs=-1)
@click.option("--to-gb", type=click.FloatRange(min=0), help="Least recently used ones until the rest is no more.")
@click.option("--dry-run", is_flag=True, help="Only say which would go.")
def evict(file: Path | None, builds: tuple[str, ...], to_gb: float | None, dry_run: bool) -> None:
    """Remove BUILDS, or those beyond --to-gb; one that is in use stays. They can be staged again."""
    if bool(builds) == (to_gb is not None):
        raise click.UsageError("name builds, or give --to-gb; not both")
    config = _load(file)
    depot = Depot(config.folder)
    chosen = builds if to_gb is None else quota.surplus(depot.all(), int(to_gb * 10**9))
    gone, used = quota.evict(depot, chosen, dry_run)
    for build in gone:
        click.echo(f"{'would evict' if dry_run else 'evicted'} {build}")
    if used:
        raise errors.RequestError(f"in use, and not evicted: {', '.join(used)}")


def _load(file: Path | None) -> Config:
    return configuration.load(configuration.find(file))


def _listen(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        return socket.create_server((address, port), family=family, backlog=512)
    except OSError as problem:
        raise errors.ConfigError(f"cannot listen on {address} port {port}: {problem.strerror}") from problem


def _row(one: Staged) -> tuple[str, str, str, str, str]:
    record = one.record
    times = (datetime.datetime.fromtimestamp(at, datetime.timezone.utc) for at in (one.used_at, record.staged_at))
    used, staged = (time.strftime("%Y-%m-%d %H:%M") for time in times)
    checked = "checked" if record.checked else "not checked"
    return record.build, f"{record.bytes / _MB:,.0f}", used, staged, f"{record.sha256[:12]} {checked}".strip()
