"""``autotest worker check``: the dry run of a lab's configuration as a table, or as JSON, and an exit code."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.progress import Progress
from rich.text import Text

from autotest import settings
from autotest.worker import check as checks
from autotest.worker import lab_config, tables
from autotest.worker.check import Row

_STYLES = {"ok": "green", "warn": "yellow", "fail": "red"}
_FAILED = 1


@click.command()
@click.argument("config_path", metavar="CONFIG", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--jobs", type=click.IntRange(1, 200), default=8, show_default=True, help="Hosts looked at together.")
@click.option("--limit", type=click.FloatRange(1, 600), default=15.0, show_default=True, help="Seconds for a command.")
@click.option("--patience", default=5.0, show_default=True, help="Seconds to wait for the broker and the database.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of a table.")
@click.pass_context
def check(ctx: click.Context, config_path: Path, jobs: int, limit: float, patience: float, as_json: bool) -> None:
    """Look at everything that a lab worker with CONFIG would need; change nothing. Exit code 1 when something fails."""
    config = lab_config.load(config_path)
    logging.getLogger("paramiko").setLevel(logging.CRITICAL)
    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(f"lab {config.name}", total=len(config.hosts))
        rows = checks.everything(
            config, settings.load(), patience, limit, jobs, progress=lambda: progress.advance(task)
        )
    failed = [row for row in rows if row.level == "fail"]
    if as_json:
        findings = [row._asdict() for row in rows]
        click.echo(json.dumps({"lab": config.name, "ok": not failed, "findings": findings}, indent=1))
    else:
        _print(rows)
        click.echo(_verdict(config.name, rows))
    ctx.exit(_FAILED if failed else 0)


def _print(rows: Sequence[Row]) -> None:
    before = ""
    shown = []
    for row in rows:
        subject = "" if row.subject == before else row.subject
        before = row.subject
        shown.append((subject, row.check, Text(row.level, style=_STYLES[row.level]), row.text))
    tables.show(("what", "check", "", "fact"), shown)


def _verdict(lab: str, rows: Sequence[Row]) -> str:
    bad = list(dict.fromkeys(row.subject for row in rows if row.level == "fail"))
    warnings = sum(row.level == "warn" for row in rows)
    rest = f"; {warnings} warning{'s' if warnings > 1 else ''}" if warnings else ""
    return f"lab {lab}: not ready, see {', '.join(bad)}{rest}" if bad else f"lab {lab}: ready{rest}"
