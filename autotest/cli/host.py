"""`autotest host`: list, show, add, lock, unlock, verify, repair."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from autotest import api
from autotest.cli import printing
from autotest.cli.job import words_to_dict
from autotest.states import HostStatus

_HOSTS = click.argument("hostnames", metavar="HOST...", nargs=-1, required=True)
_DRY_RUN = click.option("--dry-run", is_flag=True, help="Only say what would be done.")
_STATUSES = click.Choice([status.value for status in HostStatus], case_sensitive=False)


@click.group()
def host() -> None:
    """Hosts: the machines of the labs."""


@host.command("list")
@click.option("--label", "labels", multiple=True, help="Only hosts with this label; may be repeated.")
@click.option("--status", type=_STATUSES, help="Only hosts in this status.")
@click.option("--lab", help="Only hosts of this lab.")
@click.option("--locked/--unlocked", default=None, help="Only hosts that are, or are not, locked.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=200, show_default=True)
@click.option("--after", metavar="HOST", help="Only hosts behind this one in order of name.")
@click.option("--json", "as_json", is_flag=True, help="A JSON list instead of a table.")
def list_(
    labels: tuple[str, ...],
    status: str | None,
    lab: str | None,
    locked: bool | None,
    limit: int,
    after: str | None,
    as_json: bool,
) -> None:
    """List hosts, and why each takes no new work."""
    found = api.list_hosts(limit + 1, after, labels, status, lab, locked)
    rows = printing.page(found, limit, as_json, "--after", "hostname")
    if as_json:
        printing.as_json(rows)
        return
    printing.table(
        ("host", "status", "lab", "labels", "not free because"),
        ((row["hostname"], row["status"], row["lab"], " ".join(row["labels"]), row["why_not_free"]) for row in rows),
        "No hosts.",
    )


@host.command()
@click.argument("hostname", metavar="HOST")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def show(hostname: str, as_json: bool) -> None:
    """Show one host: labels, status, lock, lease and tasks."""
    found = api.show_host(hostname)
    if as_json:
        printing.as_json(found)
        return
    printing.facts(
        {
            "host": found["hostname"],
            "status": found["status"],
            "reason": found["status_reason"],
            "takes work": "yes" if not found["why_not_free"] else f"no, {found['why_not_free']}",
            "labels": ", ".join(found["labels"]),
            "lab": found["lab"] and f"{found['lab']}, {_seen(found['worker_silent_s'])}",
            "locked": None
            if not found["locked"]
            else f"by {found['locked_by']} since {found['lock_time']} UTC: {found['lock_reason']}",
            "lease": found["lease"] and _lease_line(found["lease"]),
            "protection": found["protection"] or None,
            "attributes": ", ".join(f"{key}={value}" for key, value in found["attributes"].items()),
        }
    )
    printing.table(
        ("task", "kind", "state", "requested by", "requested (UTC)", "started", "finished"),
        (
            (
                task["id"],
                task["task"],
                task["state"],
                task["requested_by"],
                task["time_requested"],
                task["time_started"],
                task["time_finished"],
            )
            for task in found["tasks"]
        ),
        "No tasks yet.",
    )


@host.command()
@click.argument("hostname", metavar="HOST")
@click.option("--label", "labels", multiple=True, help="A label that it carries; may be repeated.")
@click.option("--attribute", "attributes", multiple=True, metavar="KEY=VALUE", help="How to reach it; may be repeated.")
@click.option("--platform", help="The label that is its platform.")
@click.option("--protection", type=click.IntRange(0, 4), default=0, show_default=True, help="How far a repair may go.")
@click.option("--lab", help="The lab whose worker reaches it.")
@click.option("--json", "as_json", is_flag=True, help="Print the host as JSON.")
def add(
    hostname: str,
    labels: tuple[str, ...],
    attributes: tuple[str, ...],
    platform: str | None,
    protection: int,
    lab: str | None,
    as_json: bool,
) -> None:
    """Add a host to the inventory. (The worker of a lab adds the hosts of its own configuration.)"""
    api.add_host(hostname, labels, words_to_dict(attributes, "--attribute"), platform, protection, lab)
    if as_json:
        printing.as_json(api.show_host(hostname))
        return
    rest = "" if lab else "; it belongs to no lab yet, so no worker reaches it"
    click.echo(f"{hostname} is in the inventory{rest}")


@host.command()
@_HOSTS
@click.option("--reason", required=True, help="Why, for the others.")
@_DRY_RUN
def lock(hostnames: tuple[str, ...], reason: str, dry_run: bool) -> None:
    """Keep new work off hosts; what runs there goes on."""

    def one(hostname: str) -> str:
        api.lock_host(hostname, reason)
        return f"{hostname} is locked"

    _each(hostnames, one, dry_run, "lock")


@host.command()
@_HOSTS
@_DRY_RUN
def unlock(hostnames: tuple[str, ...], dry_run: bool) -> None:
    """Let hosts take work again."""

    def one(hostname: str) -> str:
        api.unlock_host(hostname)
        return f"{hostname} is unlocked"

    _each(hostnames, one, dry_run, "unlock")


@host.command()
@_HOSTS
@_DRY_RUN
def verify(hostnames: tuple[str, ...], dry_run: bool) -> None:
    """Ask for a Verify of hosts as soon as they are free."""
    _each(hostnames, lambda name: _asked(name, "Verify", api.verify_host(name)), dry_run, "verify")


@host.command()
@_HOSTS
@_DRY_RUN
def repair(hostnames: tuple[str, ...], dry_run: bool) -> None:
    """Ask for a Repair of hosts as soon as they are free. A repair may reboot or power-cycle a host."""
    _each(hostnames, lambda name: _asked(name, "Repair", api.repair_host(name)), dry_run, "repair")


def _each(hostnames: tuple[str, ...], action: Callable[[str], str], dry_run: bool, verb: str) -> None:
    """Act on each host. Every name is looked up first, so that a wrong one stops all."""
    known = [api.show_host(name) for name in hostnames]
    for found in known:
        if dry_run:
            rest = f" ({found['why_not_free']})" if found["why_not_free"] else ""
            click.echo(f"would {verb} {found['hostname']}: {found['status']}{printing.plain(rest)}")
        else:
            click.echo(action(found["hostname"]))


def _asked(hostname: str, kind: str, task_id: int) -> str:
    found = api.show_host(hostname)
    hindrance = found["why_not_free"]
    later = f"; not yet: {printing.plain(hindrance)}" if hindrance and not hindrance.startswith("waits for") else ""
    return f"{kind} of {hostname} is task {task_id}{later}"


def _seen(silent_s: float | None) -> str:
    return "no worker seen yet" if silent_s is None else f"worker seen {silent_s:.0f} s ago"


def _lease_line(lease: dict[str, Any]) -> str:
    whose = f"job {lease['job_id']}" if lease["job_id"] is not None else "a task of its own"
    doing = "runs" if lease["running"] else "is due to run"
    return f"token {lease['token']} for {whose} since {lease['since']} UTC; {doing} {lease['step']}"
