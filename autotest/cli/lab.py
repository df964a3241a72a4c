"""`autotest lab`: what the lab team looks at: starvation."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any

import click

from autotest import api, plurals
from autotest.cli import durations, printing

_JOBS_SHOWN = 5
_HOSTS_SHOWN = 8
#: Label sets that do not starve and are listed without --all.
_SHOWN = 20


@click.group()
def lab() -> None:
    """The lab team's view of what was tried."""


@lab.command()
@click.option(
    "--since", type=durations.Duration(), default="24h", show_default=True, help="How far back: 90s, 30m, 24h, 7d."
)
@click.option(
    "--waiting", "patience", type=durations.Duration(), default="1h", show_default=True, help="From when on it starves."
)
@click.option("--all", "everything", is_flag=True, help="List every label set that was tried.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def starvation(since: datetime.timedelta, patience: datetime.timedelta, everything: bool, as_json: bool) -> None:
    """What was tried, by label set; which of it starves, and which of that is new.

    A job starves when it waits longer than --waiting for a machine, or was aborted after such a wait without having
    run. New is what did not starve in the period of the same length before.
    """
    found = api.starvation(since, patience)
    if as_json:
        printing.as_json(found)
        return
    groups = found["label_sets"]
    starving = [group for group in groups if group["starving"]]
    for group in starving:
        _tell(group)
    click.echo(_summary(groups, starving, since, patience))
    shown = groups if everything else groups[: max(_SHOWN, len(starving))]
    printing.table(
        ("labels", "tried", "ran", "wait", "starved", "longest wait", "hosts", "free"),
        (_cells(group) for group in shown),
        "Nothing was tried.",
    )
    if len(shown) < len(groups):
        click.echo(f"and {len(groups) - len(shown)} label sets that do not starve: --all")
    _tell_not_applicable(found["not_applicable"])


def _summary(
    groups: Sequence[Any], starving: Sequence[dict[str, Any]], since: datetime.timedelta, patience: datetime.timedelta
) -> str:
    new = sum(group["new"] for group in starving)
    jobs = sum(group["starved"] for group in starving)
    text = f"Last {durations.shown(since.total_seconds())}: "
    if not starving:
        return f"{text}nothing waited longer than {durations.shown(patience.total_seconds())} for a machine."
    entries = plurals.counted(jobs, "entry", "entries")
    return (
        f"{text}{len(starving)} of {len(groups)} label sets starve, {new} of them newly; {entries} without a "
        f"machine for {durations.shown(patience.total_seconds())} or more."
    )


def _tell(group: dict[str, Any]) -> None:
    """One label set that starves: its hosts and what keeps them, and the jobs."""
    head = click.style("NEWLY STARVES", fg="red", bold=True) if group["new"] else click.style("STARVES", fg="yellow")
    click.echo(f"{head}  {printing.plain(_labels(group))}: {_how_many(group)}")
    click.echo(f"  why: {printing.plain(group['why'])}")
    for host in group["hosts"][:_HOSTS_SHOWN] if len(group["hosts"]) > 1 else ():
        click.echo(f"    {host['hostname']}: {printing.plain(host['why_not_free'] or 'free')}")
    _rest(len(group["hosts"]) - _HOSTS_SHOWN, "more host", "more hosts", "    ")
    for job in group["jobs"][:_JOBS_SHOWN]:
        ended = f"aborted at {job['aborted_on']} UTC after" if job["aborted_on"] else "waits for"
        name, waited = printing.plain(job["name"]), durations.shown(job["waited_s"])
        click.echo(f"  job {job['id']} {name} ({printing.plain(job['owner'])}): {ended} {waited}")
    _rest(group["starved"] - _JOBS_SHOWN, "more entry", "more entries", "  ")
    click.echo()


def _how_many(group: dict[str, Any]) -> str:
    entries = plurals.counted(group["starved"], "entry", "entries")
    longest = durations.shown(group["longest_wait_s"])
    return f"{entries}, longest wait {longest}, {group['waiting']} wait now"


def _rest(count: int, one: str, more: str, indent: str) -> None:
    if count > 0:
        click.echo(f"{indent}and {plurals.counted(count, one, more)} (--json)")


def _cells(group: dict[str, Any]) -> tuple[object, ...]:
    longest = group["longest_wait_s"]
    return (
        ("NEW " if group["new"] else "") + _labels(group),
        group["tried"],
        group["ran"],
        group["waiting"],
        group["starved"],
        "" if longest is None else durations.shown(longest),
        len(group["hosts"]),
        sum(not host["why_not_free"] for host in group["hosts"]),
    )


def _labels(group: dict[str, Any]) -> str:
    return f"host {group['host']}" if group["host"] else ", ".join(group["labels"]) or "(any host)"


def _tell_not_applicable(reasons: Sequence[dict[str, Any]]) -> None:
    if reasons:
        click.echo("Not applicable (TEST_NA), by reason:")
    for row in reasons:
        click.echo(f"  {row['tests']:>5} x {printing.plain(row['reason'])}")
