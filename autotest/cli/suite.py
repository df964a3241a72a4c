"""`autotest suite`: create, run, wait, list, show, abort."""

from __future__ import annotations

import json
import sys
from typing import Any

import click

from autotest import api, errors
from autotest.cli import printing, suite_progress, suite_report
from autotest.cli.job import STATUSES, abort_jobs, words_to_dict
from autotest.results.summary import SuiteSummary

_ID = click.argument("job_id", metavar="ID", type=int)
_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object; progress goes to stderr.")
_COLOURS = {suite_report.PASSED: "green", suite_report.INFO: "cyan", suite_report.FAILED: "red"}


@click.group()
def suite() -> None:
    """Suites: many tests of one build on one board."""


def _creation_options(command: Any) -> Any:
    options = (
        click.argument("suite_name", metavar="SUITE"),
        click.option("-b", "--board", required=True, help="Run on hosts with the label board:BOARD."),
        click.option("-i", "--build", required=True, help="The staged build to test."),
        click.option("-p", "--pool", default="", help="Run on hosts with the label pool:POOL; default: any pool."),
        click.option(
            "-r", "--priority", default="Default", show_default=True, help="A name of the ladder, or a number."
        ),
        click.option("--label", "labels", multiple=True, help="Every test needs this label too; may be repeated."),
        click.option("-t", "--timeout-mins", type=click.IntRange(1), default=1440, show_default=True, help="In all."),
        click.option(
            "-x", "--max-runtime-mins", type=click.IntRange(1), default=1440, show_default=True, help="A test."
        ),
        click.option("--suite-args", default="{}", metavar="JSON", help="Kept with the suite: a JSON object."),
        click.option(
            "--keyval", "keyvals", multiple=True, metavar="KEY=VALUE", help="Kept with the suite; repeatable."
        ),
        click.option("--skip-check", is_flag=True, help="Create it even if no live host fits board and pool."),
        click.option("--owner", help="Whose suite it is; default: your login name."),
    )
    for option in reversed(options):
        command = option(command)
    return command


@suite.command()
@_creation_options
@click.option("--json", "as_json", is_flag=True, help='Print {"id": ...}.')
def create(as_json: bool, **arguments: Any) -> None:
    """Create the job of SUITE and return at once."""
    job_id = _create(arguments)
    if as_json:
        printing.as_json({"id": job_id})
    else:
        click.echo(f"Suite {arguments['suite_name']} is job {job_id}. Follow it: autotest suite wait {job_id}")


@suite.command()
@_creation_options
@click.option("--timeout", type=click.FloatRange(0), metavar="SECONDS", help="Give up waiting; the suite goes on.")
@_JSON
@click.pass_context
def run(ctx: click.Context, timeout: float | None, as_json: bool, **arguments: Any) -> None:
    """Create the job of SUITE, show its progress, print its results, and exit with its verdict:

    0 fine, 1 a test failed, 2 warnings, 3 the suite or the lab failed, 4 aborted or timed out.
    """
    job_id = _create(arguments)
    click.echo(f"Suite {arguments['suite_name']} is job {job_id}.", err=as_json)
    ctx.exit(_follow(job_id, timeout, as_json))


@suite.command()
@_ID
@click.option("--timeout", type=click.FloatRange(0), metavar="SECONDS", help="Give up waiting; the suite goes on.")
@_JSON
@click.pass_context
def wait(ctx: click.Context, job_id: int, timeout: float | None, as_json: bool) -> None:
    """Follow a suite to its end, as `suite run` does, with the same exit code."""
    ctx.exit(_follow(job_id, timeout, as_json))


@suite.command("list")
@click.option("--owner", help="Only this owner's.")
@click.option("--status", type=STATUSES, help="Only suites in this status.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True)
@click.option("--before", type=int, metavar="ID", help="Only suites older than this one.")
@click.option("--json", "as_json", is_flag=True, help="A JSON list instead of a table.")
def list_(owner: str | None, status: str | None, limit: int, before: int | None, as_json: bool) -> None:
    """List suites, newest first."""
    rows = printing.page(api.list_suites(limit + 1, before, owner, status), limit, as_json, "--before", "id")
    if as_json:
        printing.as_json(rows)
        return
    printing.table(
        ("id", "suite", "build", "board", "pool", "owner", "created (UTC)", "status", "entries"),
        (
            (
                row["id"],
                row["suite"],
                row["build"],
                row["board"],
                row["pool"],
                row["owner"],
                row["created_on"],
                row["status"],
                printing.counted(row["entries"]),
            )
            for row in rows
        ),
        "No suites.",
    )


@suite.command()
@_ID
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def show(job_id: int, as_json: bool) -> None:
    """Show how a suite stands now."""
    found = api.suite_summary(job_id)
    if as_json:
        printing.as_json(suite_report.as_dict(found))
        return
    click.echo(suite_report.headline(found))
    printing.table(
        ("test", "status", "host", "job", "reason"),
        (
            (
                row.name,
                row.entry_status if suite_report.is_running(row) else row.status,
                row.hostname,
                row.job_id,
                row.reason,
            )
            for row in found.rows
        ),
        "No results yet.",
    )


@suite.command()
@click.argument("job_ids", metavar="ID...", type=int, nargs=-1, required=True)
@click.option("--reason", default="", help="Kept with the entries.")
@click.option("--dry-run", is_flag=True, help="Only say what would be aborted.")
@click.option("--json", "as_json", is_flag=True, help="The entries as a JSON list.")
def abort(job_ids: tuple[int, ...], reason: str, dry_run: bool, as_json: bool) -> None:
    """Abort suites and all their jobs."""
    for job_id in job_ids:
        api.suite_summary(job_id)
    abort_jobs(job_ids, reason, dry_run, as_json)


def _create(arguments: dict[str, Any]) -> int:
    try:
        suite_args = json.loads(arguments["suite_args"])
    except ValueError as problem:
        raise errors.ValidationError({"--suite-args": f"not JSON: {problem}"}) from problem
    if not isinstance(suite_args, dict):
        raise errors.ValidationError({"--suite-args": f"must be a JSON object, not {arguments['suite_args']}"})
    return api.create_suite_job(
        arguments["suite_name"],
        arguments["board"],
        arguments["build"],
        arguments["pool"],
        check_hosts=not arguments["skip_check"],
        timeout_mins=arguments["timeout_mins"],
        max_runtime_mins=arguments["max_runtime_mins"],
        priority=arguments["priority"],
        suite_args=suite_args,
        child_dependencies=arguments["labels"],
        job_keyvals=words_to_dict(arguments["keyvals"], "--keyval"),
        owner=arguments["owner"],
    )


def _follow(job_id: int, timeout: float | None, as_json: bool) -> int:
    """Show progress until the suite ended, then its report. Returns the verdict's code."""
    try:
        with suite_progress.shown(printing.console(stderr=as_json)) as progress:
            found = api.wait_for_suite(job_id, timeout, progress=progress)
    except KeyboardInterrupt:
        _leave(job_id)
        raise
    if as_json:
        printing.as_json(suite_report.as_dict(found))
    else:
        _print_report(found)
    return found.verdict.code if found.verdict else 0


def _leave(job_id: int) -> None:
    click.echo(f"\nSuite job {job_id} goes on. Pick it up again: autotest suite wait {job_id}", err=True)
    if sys.stdin.isatty() and sys.stderr.isatty() and click.confirm("Abort it instead?", default=False, err=True):
        abort_jobs([job_id], "aborted with Ctrl-C", False, False)


def _print_report(found: SuiteSummary) -> None:
    click.echo()
    for line in suite_report.lines(found, api.results_dir()):
        for mark, colour in _COLOURS.items():
            if line.endswith(mark):
                line = line.removesuffix(mark) + click.style(mark, fg=colour)
        click.echo(line)
    click.echo()
    click.echo(suite_report.headline(found))
