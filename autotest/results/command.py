"""`autotest results`: show what is stored of a suite, a job or a folder, and parse folders without a database."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import json
import sys
from pathlib import Path
from typing import Any

import click
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from autotest import errors, settings
from autotest.models import database
from autotest.results import label_command, parser, query_command, summary
from autotest.results.compare.command import compare
from autotest.results.export.command import export
from autotest.results.importing.command import import_
from autotest.results.parsing import job_folders, vector_form
from autotest.results.parsing.records import JobResult
from autotest.results.perf.command import changes, plot
from autotest.results.retention.command import erase, prune, restore
from autotest.results.retention.restore import brought_back
from autotest.results.suite_rows import Row
from autotest.states import Outcome

_COLOURS = {
    Outcome.GOOD.value: "green",
    Outcome.TEST_NA.value: "dim",
    Outcome.WARN.value: "yellow",
    Outcome.RUNNING.value: "cyan",
    Outcome.NOSTATUS.value: "cyan",
}
_FAILED = "red"

#: Characters of a reason in a table.
_LONGEST_REASON = 2000


@click.group()
def results() -> None:
    """Results: of suites and jobs in the database, and of folders on disk."""


for _question in (*query_command.COMMANDS, label_command.label):
    results.add_command(_question)
for _judgement in (compare, changes, plot):
    results.add_command(_judgement)
for _keeping in (export, import_, prune, restore, erase):
    results.add_command(_keeping)


@results.command()
@click.argument("what", metavar="JOB_ID|SUITE_ID|TAG")
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of a table.")
def show(what: str, as_json: bool) -> None:
    """Show the results of a suite, a job or one stored folder, also while they run."""
    database.connect(settings.load().database_url)
    with database.connection():
        found = _find(what)
    if as_json:
        click.echo(json.dumps(to_json(found), indent=1))
    else:
        _print(found)


@results.command("parse")
@click.argument("folders", metavar="DIR...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--strict", is_flag=True, help="Repeat upstream's quirks instead of fixing them.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document a folder, each on a line of its own.")
@click.option("--full", is_flag=True, help="With --json: kernels, job record and oddities as well.")
def parse(folders: tuple[Path, ...], strict: bool, as_json: bool, full: bool) -> None:
    """Parse results folders and print their tests; nothing is stored.

    A folder that cannot be parsed is named on stderr, the others are still printed, and the exit code is 1.
    """
    if full and not as_json:
        raise click.UsageError("--full goes with --json")
    failed = 0
    for folder in folders:
        try:
            result = _parsed(brought_back(folder), strict)
        except errors.BadResultsFolder as problem:
            click.echo(f"autotest: {problem}", err=True)
            failed += 1
            continue
        if as_json:
            click.echo(json.dumps(vector_form.full(result) if full else vector_form.tests(result)))
        else:
            _console().print(_parsed_table(folder, vector_form.tests(result)))
            for oddity in result.oddities:
                click.echo(f"{folder}: {oddity}", err=True)
    if failed:
        raise SystemExit(1)


def _parsed(folder: Path, strict: bool) -> JobResult:
    """The folder's results. Raises BadResultsFolder, which names a job folder below it if there is one."""
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    try:
        with Progress(*columns, console=console, disable=not sys.stderr.isatty(), transient=True) as bar:
            task = bar.add_task(escape(ascii(folder.name)[1:-1]), total=_log_size(folder))
            return parser.read(folder, strict, lambda count: bar.advance(task, count))
    except errors.BadResultsFolder as problem:
        below = next((found.path for found in job_folders.of_tree(folder) if not found.problem), folder)
        if below == folder:
            raise
        raise errors.BadResultsFolder(f"{problem}; a job folder below it is {below}") from problem


def _log_size(folder: Path) -> int | None:
    """Bytes of the status log; None if nobody can tell."""
    for name in ("status.log", "status"):
        with contextlib.suppress(OSError):
            return (folder / name).stat().st_size
    return None


def to_json(found: summary.SuiteSummary | summary.JobSummary) -> dict[str, Any]:
    """A summary as JSON: times as ``YYYY-MM-DD HH:MM:SS`` in UTC, tables of rows as lists of objects."""
    data = {field.name: getattr(found, field.name) for field in dataclasses.fields(found)}
    data["rows"] = [_row_to_json(row) for row in found.rows]
    if isinstance(found, summary.SuiteSummary):
        judged = found.verdict
        data["return_code"] = judged.code if judged else None
        data["return_message"] = judged.message if judged else None
        data["verdict"] = judged.name if judged else None
    return data


def _row_to_json(row: Row) -> dict[str, Any]:
    data = {field.name: getattr(row, field.name) for field in dataclasses.fields(row) if field.name != "view"}
    data |= {"state": row.state, "experimental": row.view.is_experimental}
    return {key: _shown_time(value) if isinstance(value, datetime.datetime) else value for key, value in data.items()}


def _find(what: str) -> summary.SuiteSummary | summary.JobSummary:
    if not (what.isascii() and what.isdigit()):
        return summary.of_tag(what)
    job_id = int(what)
    return summary.of_suite(job_id) if summary.is_suite(job_id) else summary.of_job(job_id)


def _print(found: summary.SuiteSummary | summary.JobSummary) -> None:
    console = _console()
    table = _table("test", "status", "host", "job", "reason", "logs")
    for row in found.rows:
        status = row.status if row.entry_status in ("", "Completed", "Failed", "Aborted") else row.entry_status
        table.add_row(
            escape(_printable(row.name)) + (f" (retry {row.retry})" if row.retry else ""),
            _coloured(status, row.status),
            escape(row.hostname),
            str(row.job_id),
            escape(_printable(row.reason)),
            escape(_printable(row.log_folder)),
        )
    console.print(table)
    if not isinstance(found, summary.SuiteSummary):
        return
    for name, time in found.timings.items():
        console.print(f"{name.replace('_', ' ')}: {escape(time) or '-'}")
    counted = ", ".join(f"{count} {word}" for word, count in sorted(found.counts.items()))
    if found.verdict is None:
        console.print(f"suite {found.job_id} {escape(found.suite)}: {found.status}; so far {counted or 'no results'}")
    else:
        message = found.verdict.message or "All tests passed."
        console.print(f"suite {found.job_id} {escape(found.suite)}: {message} (code {found.verdict.code}) {counted}")


def _parsed_table(folder: Path, tests: list[dict[str, Any]]) -> Table:
    table = _table("test", "subdir", "status", "started", "finished", "reason")
    table.title = escape(ascii(str(folder))[1:-1])
    for test in tests:
        reason = test["reason"]
        if len(reason) > _LONGEST_REASON:
            reason = f"{reason[:_LONGEST_REASON]}... ({len(reason):,} characters; --json shows all)"
        texts = [test["testname"], test["subdir"], None, test["started_time"], test["finished_time"], reason]
        cells = [escape(_printable(text or "-")) for text in texts]
        cells[2] = _coloured(test["status"], test["status"])
        table.add_row(*cells)
    return table


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _console() -> Console:
    return Console(highlight=False, soft_wrap=False)


def _coloured(text: str, status: str) -> str:
    return f"[{_COLOURS.get(status, _FAILED)}]{escape(text)}[/]"


def _printable(text: str) -> str:
    """*text* from a log that may hold anything, without what would steer a terminal."""
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def _shown_time(value: datetime.datetime) -> str:
    return f"{value:%Y-%m-%d %H:%M:%S}"
