"""``autotest worker labs``, ``drain`` and ``undrain``: who serves which lab, and a lab that runs empty."""

from __future__ import annotations

import json
import time
from typing import Any

import click

from autotest import api, errors
from autotest.worker import tables

_LOOK_EVERY_S = 0.5


@click.command()
@click.option("--json", "as_json", is_flag=True, help="A JSON list instead of a table.")
def labs(as_json: bool) -> None:
    """List the labs: who serves them, since when, what runs, and which are drained."""
    rows = api.list_labs()
    if as_json:
        click.echo(json.dumps(rows, indent=1))
        return
    if not rows:
        click.echo("No labs: no lab worker ever ran.")
        return
    tables.show(
        ("lab", "incarnation", "worker", "since (UTC)", "seen", "hosts", "running", "drained"),
        [
            (
                row["name"],
                row["incarnation"],
                row["worker"] or "none",
                row["started_on"],
                _seen(row),
                row["hosts"],
                row["running"] + row["waiting"],
                f"by {row['drained_by']}: {row['drain_reason'] or 'no reason given'}" if row["drained"] else "",
            )
            for row in rows
        ],
    )


@click.command()
@click.argument("lab", metavar="LAB")
@click.option("--reason", default="", help="Why, for the others.")
@click.option("--wait", is_flag=True, help="Return only when nothing runs in the lab any more.")
@click.option(
    "--timeout", type=click.FloatRange(min=0), help="With --wait: give up after so many seconds; exit code 1."
)
def drain(lab: str, reason: str, wait: bool, timeout: float | None) -> None:
    """Let a lab take no new work; what runs there goes on."""
    if timeout is not None and not wait:
        raise click.UsageError("--timeout goes with --wait")
    api.drain_lab(lab, reason)
    click.echo(f"{lab} is drained: it takes no new work. To undo: autotest worker undrain {lab}")
    if wait:
        _wait(lab, timeout)


@click.command()
@click.argument("lab", metavar="LAB")
def undrain(lab: str) -> None:
    """Let a drained lab take work again."""
    api.undrain_lab(lab)
    click.echo(f"{lab} takes work again")


def _wait(lab: str, timeout_s: float | None) -> None:
    """A claim that began before the drain may come to light one look later, so the lab must be idle twice."""
    end = None if timeout_s is None else time.monotonic() + timeout_s
    idle, told = 0, ""
    while True:
        work = api.lab_work(lab)
        idle = 0 if work else idle + 1
        if idle == 2:
            click.echo(f"{lab} is empty")
            return
        now = ", ".join(_line(row) for row in work)
        if now and now != told:
            click.echo(f"waiting for {now}")
            told = now
        if end is not None and time.monotonic() > end:
            raise errors.NotFinished(f"lab {lab} still runs {now} after {timeout_s:g} s; it stays drained")
        time.sleep(_LOOK_EVERY_S)


def _line(row: dict[str, Any]) -> str:
    whose = f", job {row['job_id']}" if row["job_id"] is not None else ""
    return tables.plain(f"{row['step']} on {row['hostname']}{whose}")


def _seen(row: dict[str, Any]) -> str:
    if row["seen_s"] is None:
        return "never"
    return f"{row['seen_s']:.0f} s ago" + ("" if row["alive"] else ", gone")
