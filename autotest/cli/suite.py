"""`autotest suite`: create, run, wait, list, show, report, abort."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from autotest import api
from autotest.cli import (
    printing,
    suite_builds,
    suite_codes,
    suite_follow,
    suite_junit,
    suite_options,
    suite_output,
    suite_preflight,
)
from autotest.cli.job import STATUSES, abort_jobs
from autotest.cli.suite_codes import SuiteCommand
from autotest.results.summary import SuiteSummary

_ID = click.argument("job_id", metavar="ID", type=int)


@click.group()
def suite() -> None:
    """Suites: many tests of one build on one board."""


suite.add_command(suite_builds.report)


def _report_options(command: Any) -> Any:
    options = (
        click.option("--timeout", type=click.FloatRange(0), metavar="SECONDS", help="Give up waiting; it goes on."),
        click.option("--plain", is_flag=True, help="The lines of run_suite, also on a terminal."),
        click.option("--json", "as_json", is_flag=True, help="One JSON object; progress goes to stderr."),
        click.option("--json-dump", is_flag=True, help="Add run_suite's line #JSON_START#...#JSON_END#."),
        click.option("--junit", type=click.Path(dir_okay=False, path_type=Path), help="Write JUnit XML to this file."),
    )
    for option in reversed(options):
        command = option(command)
    return command


@suite.command(cls=SuiteCommand)
@suite_options.creation
@click.option("--json", "as_json", is_flag=True, help='Print {"id": ...}.')
def create(as_json: bool, **given: Any) -> None:
    """Create the job of SUITE and return at once. Exit codes: those of `suite run`, as far as it comes to them."""
    _created(suite_preflight.create(given), given["suite_name"], as_json)


@suite.command(cls=SuiteCommand)
@suite_options.creation
@click.option("-c", "--create-and-return", is_flag=True, help="Return as soon as the suite is created.")
@click.option("-m", "--mock-job-id", type=int, metavar="ID", help="Report on this suite instead of a new one.")
@_report_options
@click.pass_context
def run(ctx: click.Context, create_and_return: bool, mock_job_id: int | None, **given: Any) -> None:
    """Create the job of SUITE, show its progress, print its results, and exit with its verdict:

    0 fine, 1 a test failed, 2 warnings or passed on retry only, 3 the suite or the lab failed, 4 aborted or timed out,
    5 no host has the labels, 6 options that make no sense, 130 detached with Ctrl-C.
    """
    report = {name: given.pop(name) for name in ("timeout", "plain", "as_json", "json_dump", "junit")}
    _check_place(report["junit"])
    job_id = mock_job_id if mock_job_id is not None else suite_preflight.create(given)
    if create_and_return or given["no_wait"]:
        _created(job_id, given["suite_name"], report["as_json"])
        return
    words = f"Suite {given['suite_name']} is job {job_id}; if this terminal closes: autotest suite wait {job_id}"
    click.echo(words, err=report["as_json"])
    ctx.exit(_follow(job_id, **report))


@suite.command(cls=SuiteCommand)
@_ID
@_report_options
@click.pass_context
def wait(ctx: click.Context, job_id: int, **report: Any) -> None:
    """Follow a suite to its end, whoever created it, as `suite run` does and with the same exit codes."""
    _check_place(report["junit"])
    ctx.exit(_follow(job_id, **report))


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
@click.argument("test")
@click.option("--limit", type=click.IntRange(1, 10_000), default=10, show_default=True, help="Hosts that are told.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def explain(job_id: int, test: str, limit: int, as_json: bool) -> None:
    """Tell host by host which labels are missing for TEST of a suite, the nearest hosts first."""
    found = api.explain_test_na(job_id, test, limit)
    if as_json:
        printing.as_json(found)
        return
    machines = f"{found['sync_count']} hosts at once with " if found["sync_count"] > 1 else ""
    click.echo(f"{test} needs {machines}{', '.join(sorted(found['needs'])) or 'any host'}")
    click.echo(found["reason"] or "Hosts of the inventory can run it.")
    rows = ((host["hostname"], ", ".join(host["lacks"]) or "nothing") for host in found["hosts"])
    printing.table(("host", "lacks"), rows, "The inventory is empty.")


@suite.command()
@_ID
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def show(job_id: int, as_json: bool) -> None:
    """Show how a suite stands now."""
    found = api.suite_summary(job_id)
    if as_json:
        printing.as_json(suite_output.as_dict(found))
        return
    click.echo(suite_output.headline(found))
    printing.table(
        ("test", "status", "host", "job", "reason"),
        (
            (
                row.name + (" (experimental)" if row.view.is_experimental else ""),
                row.entry_status if suite_output.is_running(row) else row.state,
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


def _created(job_id: int, suite_name: str, as_json: bool) -> None:
    if as_json:
        printing.as_json({"id": job_id})
    else:
        click.echo(f"Suite {suite_name} is job {job_id}. Follow it: autotest suite wait {job_id}")


def _check_place(junit: Path | None) -> None:
    """Hours later would be too late to find out that the report has no place."""
    if junit is not None and not junit.absolute().parent.is_dir():
        raise click.BadParameter(f"the folder of {junit} does not exist", param_hint="--junit")


def _follow(job_id: int, timeout: float | None, plain: bool, as_json: bool, json_dump: bool, junit: Path | None) -> int:
    """Show progress until the suite ended, then its report. Returns the verdict's code."""
    found = suite_follow.to_the_end(job_id, timeout, quiet=as_json)
    if junit is not None:
        suite_junit.write(found, api.results_dir(), junit)
    if as_json:
        printing.as_json(suite_output.as_dict(found))
    else:
        _print_report(found, plain)
    if json_dump:
        click.echo(suite_output.dump(found, api.results_dir()), err=as_json)
    return found.verdict.code if found.verdict else suite_codes.OK


def _print_report(found: SuiteSummary, plain: bool) -> None:
    console = printing.console()
    console.print()
    if console.is_terminal and not plain:
        console.print(suite_output.screen(found, api.results_dir()))
    else:
        for line in suite_output.coloured(suite_output.lines(found, api.results_dir())):
            console.print(line, soft_wrap=True)
        console.print()
    click.secho(suite_output.headline(found), fg=suite_output.verdict_colour(found) or None, bold=console.is_terminal)
