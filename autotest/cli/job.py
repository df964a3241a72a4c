"""`autotest job`: create, list, show, abort, priority; and the label queues in which entries wait."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from autotest import api, control_file, errors, plurals
from autotest.cli import printing
from autotest.states import EntryStatus

STATUSES = click.Choice([status.value for status in EntryStatus], case_sensitive=False)
_BLOCKED_SHOWN = 12
#: So many fit into the one line that says why an entry waits.
_BLOCKED_TOLD = 3


@click.group()
def job() -> None:
    """Jobs: one control file on some hosts."""


@job.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("-m", "--machine", "machines", multiple=True, metavar="HOST", help="Run on this host; may be repeated.")
@click.option("--label", "labels", multiple=True, help="Run on any host with all of these; may be repeated.")
@click.option("--build", default="", help="Staged build whose tests the control file runs.")
@click.option("--name", help="The job's name; default: the control file's NAME.")
@click.option("--priority", default="Default", show_default=True, help="A name of the ladder, or a number.")
@click.option("--owner", help="Whose job it is; default: your login name.")
@click.option("--json", "as_json", is_flag=True, help='Print {"id": ...}.')
def create(
    file: Path,
    machines: tuple[str, ...],
    labels: tuple[str, ...],
    build: str,
    name: str | None,
    priority: str,
    owner: str | None,
    as_json: bool,
) -> None:
    """Create a job from the control file FILE; its DEPENDENCIES are added to the labels, and as many hosts as its
    SYNC_COUNT says run it together."""
    found = control_file.read(file)
    job_id = api.create_job(
        name or found.name or file.name,
        found.text,
        "server" if found.is_server_side else "client",
        hosts=machines,
        dependencies=sorted({*labels, *found.dependencies}),
        priority=priority,
        run_verify=found.run_verify,
        build=build,
        owner=owner,
        synch_count=found.sync_count if found.sync_count > 1 else 0,
    )
    if as_json:
        printing.as_json({"id": job_id})
    else:
        click.echo(f"Job {job_id} is created. Look at it: autotest job show {job_id}")


@job.command("list")
@click.option("--suite", "parent", type=int, metavar="ID", help="Only the jobs of this suite.")
@click.option("--owner", help="Only this owner's.")
@click.option("--status", type=STATUSES, help="Only jobs with an entry in this status.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True)
@click.option("--before", type=int, metavar="ID", help="Only jobs older than this one.")
@click.option("--json", "as_json", is_flag=True, help="A JSON list instead of a table.")
def list_(
    parent: int | None, owner: str | None, status: str | None, limit: int, before: int | None, as_json: bool
) -> None:
    """List jobs, newest first; suites have their own list."""
    rows = printing.page(api.list_jobs(limit + 1, before, owner, status, parent), limit, as_json, "--before", "id")
    if as_json:
        printing.as_json(rows)
        return
    printing.table(
        ("id", "name", "owner", "priority", "created (UTC)", "suite", "entries"),
        (
            (
                row["id"],
                row["name"],
                row["owner"],
                row["priority"],
                row["created_on"],
                row["parent_job_id"],
                printing.counted(row["entries"]),
            )
            for row in rows
        ),
        "No jobs.",
    )


@job.command()
@click.argument("job_id", metavar="ID", type=int)
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def show(job_id: int, as_json: bool) -> None:
    """Show a job: where each entry stands, and why one that waits has no host yet."""
    found = api.show_job(job_id)
    if as_json:
        printing.as_json(found)
        return
    printing.facts(
        {
            "job": found["id"],
            "name": found["name"],
            "owner": found["owner"],
            "priority": found["priority"],
            "created": f"{found['created_on']} UTC",
            "suite": found["parent_job_id"],
            "labels": ", ".join(found["labels"]),
            "limits": f"{found['timeout_mins']} min in all, {found['max_runtime_mins']} min on a host",
            "keyvals": ", ".join(f"{key}={value}" for key, value in found["keyvals"].items()),
        }
    )
    for entry in found["entries"]:
        _show_entry(entry)


@job.command()
@click.argument("job_ids", metavar="ID...", type=int, nargs=-1, required=True)
@click.option("--reason", default="", help="Kept with the entries.")
@click.option("--dry-run", is_flag=True, help="Only say what would be aborted.")
@click.option("--json", "as_json", is_flag=True, help="The entries as a JSON list.")
def abort(job_ids: tuple[int, ...], reason: str, dry_run: bool, as_json: bool) -> None:
    """Abort jobs, and the children of suites among them."""
    abort_jobs(job_ids, reason, dry_run, as_json)


@job.command()
@click.argument("job_ids", metavar="ID...", type=int, nargs=-1, required=True)
@click.argument("priority", metavar="N|NAME")
@click.option("--json", "as_json", is_flag=True, help="The jobs as a JSON list.")
def priority(job_ids: tuple[int, ...], priority: str, as_json: bool) -> None:
    """Give jobs, and the unfinished jobs of suites among them, another priority: a number, or a name of the ladder
    (Weekly, Daily, PostBuild, Default, Build, PFQ, CQ, Super). Higher goes first; what runs is not interrupted."""
    found = api.prioritize_jobs(job_ids, priority)
    if as_json:
        printing.as_json(found)
        return
    for row in found:
        click.echo(f"job {row['id']} {printing.plain(row['name'])} has priority {priority}")
    if not found:
        click.echo("Nothing to change: every job has ended.")


@job.command()
@click.option("--json", "as_json", is_flag=True, help="A JSON list instead of a table.")
def queues(as_json: bool) -> None:
    """List the label queues that hold entries, and why one is not served."""
    rows = api.list_queues()
    if as_json:
        printing.as_json(rows)
        return
    printing.table(
        ("labels", "waiting", "priority", "since (UTC)", "hosts", "free", "messages", "why"),
        (
            (
                row["host"] or ", ".join(row["labels"]),
                row["entries"],
                row["priority"],
                row["waiting_since"],
                row["hosts"],
                row["free"],
                "?" if row["depth"] is None else row["depth"],
                ("" if row["served"] else "NOT SERVED: ") + row["why"],
            )
            for row in rows
        ),
        "No entry waits.",
    )


def abort_jobs(job_ids: Sequence[int], reason: str, dry_run: bool, as_json: bool) -> None:
    """Abort, or with *dry_run* only say what an abort would end, and print the entries."""
    found = api.abortable(job_ids)
    if not dry_run:
        done = set(api.abort_jobs(job_ids, reason=reason))
        found = [row for row in found if row["id"] in done]
    if as_json:
        printing.as_json(found)
        return
    for row in found:
        where = f" on {row['hostname']}" if row["hostname"] else ""
        verb = "would abort" if dry_run else "aborted"
        click.echo(f"{verb} {printing.plain(row['name'])}, job {row['job_id']}{where} ({row['status']})")
    if not found:
        click.echo("Nothing to abort: every entry has ended, or was aborted before.")


def _show_entry(entry: dict[str, Any]) -> None:
    click.echo()
    lease = entry["lease"]
    printing.facts(
        {
            "entry": entry["id"],
            "status": entry["status"],
            "aborted": "yes" if entry["aborted"] and entry["status"] != EntryStatus.ABORTED.value else None,
            "host": entry["host"],
            "reason": entry["reason"],
            "requeued": plurals.counted(entry["requeues"], "time") if entry["requeues"] else None,
            "started": entry["started_on"],
            "finished": entry["finished_on"],
            "results": entry["results"],
            "lease": lease and _lease_line(lease),
            "waits for": entry["waits_for"],
        }
    )
    blocked = (entry["waiting"] or {}).get("blocked", {})
    for name, why in list(blocked.items())[:_BLOCKED_SHOWN] if len(blocked) > _BLOCKED_TOLD else ():
        click.echo(f"  {name}: {printing.plain(why)}")
    if len(blocked) > _BLOCKED_SHOWN:
        rest = plurals.counted(len(blocked) - _BLOCKED_SHOWN, "more host")
        click.echo(f"  and {rest} (all of them: --json)")


def _lease_line(lease: dict[str, Any]) -> str:
    doing = "runs" if lease["running"] else "is due to run"
    return f"token {lease['token']} since {lease['since']} UTC; {doing} {lease['step']}"


def words_to_dict(words: Sequence[str], option: str) -> dict[str, str]:
    """``KEY=VALUE`` words as a dict. Raises ValidationError, naming *option* and the word."""
    pairs = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals or not key:
            raise errors.ValidationError({option: f"{word!r} is not KEY=VALUE"})
        pairs[key] = value
    return pairs
