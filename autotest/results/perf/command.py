"""`autotest results changes` and `plot`: where measurements changed over builds, as a list and as a picture."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

from autotest import errors, plurals
from autotest.models import database
from autotest.results import query_options, query_output
from autotest.results.perf import figure, listing, pictures, series
from autotest.results.perf.series import Change, Series
from autotest.results.query import conditions
from autotest.results.query.questions import Question

_F = TypeVar("_F", bound=Callable[..., Any])
_OPTIONS = (
    query_options.WHERE,
    click.option("--test", metavar="NAME", help="One test; * and ? stand for any text, any character."),
    click.option("--board", metavar="BOARD", help="One board."),
    click.option("--suite", metavar="SUITE", help="One suite."),
    click.option("--metric", "metrics", multiple=True, metavar="NAME", help="A metric; may be given several times."),
    click.option(
        "--last", type=click.IntRange(1, series.LONGEST), default=100, show_default=True, help="The last N builds."
    ),
    click.option("--higher-is-better", "higher", multiple=True, metavar="METRIC", help="Metrics that should grow."),
    click.option("--lower-is-better", "lower", multiple=True, metavar="METRIC", help="Metrics that should shrink."),
    click.option(
        "--min-change",
        type=click.FloatRange(0),
        default=1.0,
        show_default=True,
        metavar="PERCENT",
        help="Smaller changes do not matter.",
    ),
)


def _options(command: _F) -> _F:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@click.command("changes")
@_options
@click.option("--json", "as_json", is_flag=True, help="One JSON object, with the series.")
def changes(min_change: float, as_json: bool, **asked: Any) -> None:
    """Show which measurements changed over the last builds, and between which builds.

    A series is one metric of one test on one board. `better` and `worse` need to know which way a metric should go:
    from the options, from the result's attribute `perf-direction.METRIC` (up or down), or from its chart.
    """
    found = [(one, series.changes(one, min_change)) for one in _read(**asked)]
    if as_json:
        data = [{**one.to_json(), "changes": [change.to_json() for change in made]} for one, made in found]
        click.echo(json.dumps({"series": data}))
    else:
        _print(found)


@click.command("plot")
@_options
@pictures.option(required=True)
def plot(min_change: float, output: Path, **asked: Any) -> None:
    """Draw measurements over the last builds, their changes marked, into a .svg or .png file."""
    found = _read(**asked)
    drawn = figure.of_series([(one, series.changes(one, min_change)) for one in found])
    pictures.write(drawn, output)
    click.echo(f"{output}: {len(found)} series")


def condition(where: str, **equal: str | None) -> str:
    """*where* and, of each field that is given, one value; of ``test`` also a pattern."""
    parts = [f"({where})"] if where.strip() else []
    for name, value in equal.items():
        if value is not None:
            is_pattern = name == "test" and ("*" in value or "?" in value)
            parts.append(f"{name} {'~' if is_pattern else '='} {conditions.quoted(value)}")
    return " and ".join(parts)


def _read(
    where: str,
    test: str | None,
    board: str | None,
    suite: str | None,
    metrics: Sequence[str],
    last: int,
    higher: Sequence[str],
    lower: Sequence[str],
) -> list[Series]:
    question = Question(condition(where, test=test, board=board, suite=suite))
    with query_options.opened():
        found = series.read(question, metrics, last, database.utc_now())
        if not found:
            raise errors.NotFound("none of these results measured anything; `autotest results perf` lists the metrics")
        return series.directed(found, higher, lower)


def _print(found: Sequence[tuple[Series, Sequence[Change]]]) -> None:
    console = query_output.console()
    rows = [
        (
            change.test,
            change.board,
            change.metric,
            change.effect.value,
            listing.percent(change.percent),
            f"{change.before:.6g} -> {change.after:.6g}",
            change.last_before,
            change.first_after,
            f"{change.confidence:.1f} %",
            change.builds_after,
        )
        for _one, made in found
        for change in made
    ]
    headings = ["test", "board", "metric", "", "by", "level", "after build", "by build", "sure", "builds since"]
    if rows:
        console.print(listing.table(headings, rows))
    changed = sum(bool(made) for _one, made in found)
    console.print(f"{changed} of {len(found)} series changed.")
    short = sum(len(one.points) < 2 * series.SHORTEST_LEVEL for one, _made in found)
    if short:
        console.print(
            f"{plurals.counted(short, 'has', 'have')} fewer than {2 * series.SHORTEST_LEVEL} builds: too few to tell a "
            "change from chance."
        )
    if any(change.effect.value == "changed" for _one, made in found for change in made):
        console.print("Whether `changed` is for the better nobody said: --higher-is-better or --lower-is-better do.")
