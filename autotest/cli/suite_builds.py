"""`autotest suite report`: results by build and board."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Any

import click
from rich import box
from rich.table import Table
from rich.text import Text

from autotest import api
from autotest.cli import durations, printing
from autotest.states import Outcome

#: Characters that a column of results needs, and the name of a test.
_CELL, _NAME = 14, 30
_BAD = frozenset({Outcome.FAIL.value, Outcome.ERROR.value, Outcome.ABORT.value, Outcome.WARN.value})
_TOLD = 30


@click.command()
@click.option("-s", "--suite", "suites", multiple=True, help="Only this suite; may be repeated.")
@click.option("-i", "--build", "builds", multiple=True, help="Only this build; may be repeated.")
@click.option("-b", "--board", "boards", multiple=True, help="Only this board; may be repeated.")
@click.option("--since", type=durations.Duration(), help="Only suites created so long ago: 24h, 7d.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True, help="Suites, the newest first.")
@click.option("--test-na/--no-test-na", default=False, help="Show tests that no host could run too; default: not.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def report(
    suites: tuple[str, ...],
    builds: tuple[str, ...],
    boards: tuple[str, ...],
    since: datetime.timedelta | None,
    limit: int,
    test_na: bool,
    as_json: bool,
) -> None:
    """Show every test that could be scheduled, by build and board: the latest result of each.

    Against the build before on the same board: - is newly failing, + newly passing.
    """
    found = api.suite_report(suites, builds, boards, since, test_na, limit)
    if as_json:
        printing.as_json(found)
        return
    for table in found["tables"]:
        _print(table)
    if not found["tables"]:
        click.echo("No suites.")
    if found["more"]:
        click.echo(f"There are older suites: --limit (now {limit}), --since, --build", err=True)


def _print(table: dict[str, Any]) -> None:
    console = printing.console()
    room = max(1, (console.width - _NAME) // _CELL)
    shown = range(min(room, len(table["columns"])))
    grid = Table(
        box=box.SIMPLE_HEAD, pad_edge=False, title=f"suite {printing.plain(table['suite'])}", title_justify="left"
    )
    grid.add_column("test", overflow="fold")
    for place in shown:
        column = table["columns"][place]
        grid.add_column(f"{printing.plain(column['build'])}\n{printing.plain(column['board'])}", overflow="fold")
    for line in table["tests"]:
        trial = " (experimental)" if line["experimental"] else ""
        grid.add_row(printing.plain(line["test"]) + trial, *(_cell(line["cells"][place]) for place in shown))
    grid.add_section()
    grid.add_row("passed / ended", *(_share(table["counts"][place]) for place in shown), style="bold")
    console.print(grid)
    if len(table["columns"]) > room:
        click.echo(f"{len(table['columns']) - room} older columns do not fit: a wider terminal, --build or --json")
    if table["hidden_test_na"]:
        click.echo(f"not shown, since no host could run them: {table['hidden_test_na']} (--test-na shows them)")
    bad = list(_bad(table, shown))
    for text in bad[:_TOLD]:
        click.echo(text)
    if len(bad) > _TOLD:
        click.echo(f"and {len(bad) - _TOLD} more that did not pass: --json")
    click.echo()


def _cell(cell: dict[str, Any] | None) -> Text:
    if cell is None:
        return Text("")
    mark = {"regression": "- ", "fix": "+ "}.get(cell["change"], "")
    return Text(mark).append_text(printing.styled(cell["state"]))


def _share(counts: dict[str, int]) -> str:
    passed = counts.get(Outcome.GOOD.value, 0)
    retried = counts.get(printing.RETRIED, 0)
    ended = passed + retried + sum(counts.get(state, 0) for state in _BAD)
    return f"{passed} / {ended}" + (f", {retried} on retry" if retried else "")


def _bad(table: dict[str, Any], shown: range) -> Iterator[str]:
    """One line for each result that did not pass, of the newest build first."""
    for place in shown:
        column = table["columns"][place]
        for line in table["tests"]:
            cell = line["cells"][place]
            if cell is not None and cell["state"] in _BAD:
                where = printing.plain(f"{column['build']}, {column['board']}, job {cell['job_id']}")
                again = f" ({cell['change']})" if cell["change"] else ""
                reason = printing.plain(cell["reason"])
                yield f"{printing.plain(line['test'])} {cell['state']}{again} [{where}] {reason}"
