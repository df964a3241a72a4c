"""Query output: answers as tables that fit a terminal, and as CSV; texts from DUTs are made harmless."""

from __future__ import annotations

import csv
import datetime
import functools
import io
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from rich import box
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from autotest.results.csv_cells import harmless
from autotest.results.query import builds, history, metrics, qualification, spreadsheet, table
from autotest.results.query.counts import Counts

#: Wide enough that a table in a pipe is never folded.
_PIPE_WIDTH = 4000
#: A bar of a histogram at its longest; a heading of a matrix where it is folded.
_BAR, _HEADING = 30, 5
#: Blanks between two columns of a table.
_BETWEEN = 2
_STATUS_STYLES = {"GOOD": "green", "TEST_NA": "dim", "WARN": "yellow", "RUNNING": "cyan", "NOSTATUS": "cyan"}
_LETTERS = {"TEST_NA": "n", "RUNNING": "r", "NOSTATUS": "."}


def console() -> Console:
    """Where answers go; no folding where nobody looks."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else _PIPE_WIDTH)


def as_csv(answer: Any) -> str:
    """The answer as CSV, with a line of headings."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([_in_csv(value) for value in row] for row in lines(answer))
    return text.getvalue()


def _in_csv(value: Any) -> str:
    return harmless(value) if isinstance(value, str) else _cell(value)


@functools.singledispatch
def lines(answer: Any) -> Iterator[Sequence[Any]]:
    """The answer as a table: headings, then rows."""
    raise TypeError(f"{answer!r} has no rows")


@functools.singledispatch
def shown(answer: Any, width: int) -> Iterator[RenderableType]:
    """The answer for people, on a terminal of *width* characters."""
    headings, *rows = lines(answer)
    yield from _listed(headings, rows)


@lines.register
def _(answer: spreadsheet.Spreadsheet) -> Iterator[Sequence[Any]]:
    yield [*answer.row_fields, *(" ".join(map(_plain, header)) for header in answer.columns)]
    for row in answer.rows:
        yield [*row, *(answer.cell(row, column) or "" for column in answer.columns)]


@lines.register
def _(answer: table.Rows) -> Iterator[Sequence[Any]]:
    yield answer.columns
    yield from answer.rows


@lines.register
def _(answer: table.Groups) -> Iterator[Sequence[Any]]:
    yield [*answer.columns, "passed", "total", "incomplete", "results"]
    for row, counts in answer.rows:
        yield [*row, counts.passed, counts.total, counts.incomplete, sum(counts.by_status.values())]


@lines.register
def _(answer: history.TestHistory) -> Iterator[Sequence[Any]]:
    yield ["id", "status", "build", "board", "host", "tag", "started", "finished", "reason"]
    for run in answer.runs:
        yield [
            run.id,
            run.status,
            run.build,
            run.board,
            run.host,
            run.tag,
            run.started,
            run.finished,
            run.reason,
        ]


@lines.register
def _(answer: builds.LastBuilds) -> Iterator[Sequence[Any]]:
    yield ["build", "began", "suite", "board", "passed", "total", "incomplete"]
    for build in answer.builds:
        for suite, board, counts in build.by_suite:
            yield [build.build, build.began, suite, board, counts.passed, counts.total, counts.incomplete]


@lines.register
def _(answer: metrics.Plot) -> Iterator[Sequence[Any]]:
    yield [*([answer.by] if answer.by else []), answer.x, "values", "median", "mean", "deviation", "low", "high"]
    for series in answer.series:
        for at in series.points:
            numbers = [at.count, at.median, at.mean, at.deviation, at.low, at.high]
            yield [*([series.name] if answer.by else []), at.x, *numbers]


@lines.register
def _(answer: metrics.Histograms) -> Iterator[Sequence[Any]]:
    yield [*([answer.by] if answer.by else []), "from", "to", "values"]
    for series in answer.series:
        for each in series.bins:
            yield [*([series.name] if answer.by else []), each.low, each.high, each.count]


@lines.register
def _(answer: metrics.Names) -> Iterator[Sequence[Any]]:
    yield ["metric"]
    for name in answer.metrics:
        yield [name]


@lines.register
def _(answer: qualification.Machines) -> Iterator[Sequence[Any]]:
    yield ["host", "passed", "total", "rate"]
    for host, counts in answer.by_host.items():
        yield [host, counts.passed, counts.total, counts.rate]


@shown.register
def _(answer: spreadsheet.Spreadsheet, width: int) -> Iterator[RenderableType]:
    """The last columns that fit, and what all of them add up to."""
    heads = [[_plain(value) for value in header] for header in answer.columns]
    cells = [[answer.cell(row, column) for column in answer.columns] for row in answer.rows]
    first = min(width // 3, max((len(_joined(row)) for row in answer.rows), default=0))
    widths = [_width(head, [line[index] for line in cells]) for index, head in enumerate(heads)]
    totals = [_added(line) for line in cells]
    room, fitting = width - first - _BETWEEN - _width(["total"], totals), 0
    while fitting < len(widths) and (room := room - widths[-1 - fitting] - _BETWEEN) >= 0:
        fitting += 1
    start = len(widths) - max(fitting, 1)
    made = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    made.add_column(" ".join(answer.row_fields), overflow="fold", width=max(first, 4))
    for head, size in zip(heads[start:], widths[start:], strict=True):
        made.add_column(Text(" ".join(head)), overflow="fold", width=size, justify="right")
    made.add_column("total", justify="right", overflow="fold")
    for row, line, total in zip(answer.rows, cells, totals, strict=True):
        made.add_row(Text(_joined(row)), *map(_counted, line[start:]), _counted(total))
    if start > 0:
        yield f"{start} columns before these are not shown; a wider terminal, --csv or --json shows them."
    yield made if answer.rows else "No results."


@shown.register
def _(answer: history.TestHistory, width: int) -> Iterator[RenderableType]:
    strip = "".join(_LETTERS.get(run.status, run.status[0]) for run in answer.runs)
    yield Text(f"{_plain(answer.test)}: {answer.counts} passed; newest first: {strip}")
    since = answer.failing_since
    if since is not None:
        yield Text(f"not passed since {_plain(since.build or since.tag)}, {_cell(since.finished) or 'no date'}", "red")
    rows = [[run.status, run.build, run.board, run.host, run.finished, run.reason] for run in answer.runs]
    yield from _listed(["status", "build", "board", "host", "finished", "reason"], rows)
    if answer.more:
        yield "There are older runs: --limit shows more."


@shown.register
def _(answer: table.Rows, width: int) -> Iterator[RenderableType]:
    headings, *rows = lines(answer)
    yield from _listed(headings, rows)
    if answer.more:
        yield "There are more: --limit and --offset show them."


@shown.register
def _(answer: builds.LastBuilds, width: int) -> Iterator[RenderableType]:
    rows = [
        [build.build if first else "", _cell(build.began) if first else "", suite, board, counts, _percent(counts)]
        for build in answer.builds
        for first, (suite, board, counts) in _firsts(build.by_suite)
    ]
    yield from _listed(["build", "began", "suite", "board", "passed", "%"], rows)


@shown.register
def _(answer: metrics.Histograms, width: int) -> Iterator[RenderableType]:
    most = max(each.count for series in answer.series for each in series.bins)
    rows = [
        [
            *([series.name] if answer.by else []),
            f"{each.low:.6g} - {each.high:.6g}",
            each.count,
            "#" * -(-each.count * _BAR // most),
        ]
        for series in answer.series
        for each in series.bins
    ]
    yield from _listed([*([answer.by] if answer.by else []), answer.metric, "values", ""], rows)


@shown.register
def _(answer: qualification.Machines, width: int) -> Iterator[RenderableType]:
    rows = [
        [each.name, len(each.hosts), ", ".join(each.hosts[:10]) + (" ..." if len(each.hosts) > 10 else "")]
        for each in answer.bins
        if each.hosts
    ]
    yield from _listed(["passed", "machines", ""], rows)


def _listed(headings: Sequence[Any], rows: Sequence[Sequence[Any]]) -> Iterator[RenderableType]:
    if not rows:
        yield "No results."
        return
    made = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    for number, heading in enumerate(headings):
        is_number = all(isinstance(row[number], (int, float, Counts)) or row[number] is None for row in rows)
        made.add_column(Text(_plain(heading)), overflow="fold", justify="right" if is_number else "left")
    for row in rows:
        made.add_row(*(_counted(value) if isinstance(value, Counts) else _styled(value) for value in row))
    yield made


def _firsts(members: Sequence[Any]) -> Iterator[tuple[bool, Any]]:
    return ((number == 0, member) for number, member in enumerate(members))


def _styled(value: Any) -> Text:
    text = f"{value:.6g}" if isinstance(value, float) else _plain(_cell(value))
    failed = "red" if text in ("FAIL", "ERROR", "ABORT") else ""
    return Text(text, _STATUS_STYLES.get(text, failed))


def _counted(counts: Counts | None) -> Text:
    if counts is None:
        return Text("")
    rate = counts.rate
    return Text(str(counts), "dim" if rate is None else "green" if rate == 100 else "yellow" if rate >= 75 else "red")


def _added(line: Sequence[Counts | None]) -> Counts:
    added: dict[str, int] = {}
    for counts in line:
        for word, count in counts.by_status.items() if counts else ():
            added[word] = added.get(word, 0) + count
    return Counts(added)


def _width(head: Sequence[str], cells: Sequence[Counts | None]) -> int:
    longest = max((len(str(counts)) for counts in cells if counts is not None), default=1)
    return max(longest, min(_HEADING, max(map(len, head), default=1)))


def _percent(counts: Counts) -> str:
    return "" if counts.rate is None else f"{counts.rate:.0f}"


def _joined(header: Sequence[str | None]) -> str:
    return " ".join(map(_plain, header))


def _cell(value: Any) -> Any:
    """A value as text, or as the number that it is; what is not there is empty."""
    if isinstance(value, datetime.datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    if isinstance(value, tuple):
        return " ".join(str(_cell(each)) for each in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else value if isinstance(value, (int, float)) else str(value)


def _plain(value: Any) -> str:
    """On one line, without what would steer a terminal; ``-`` for what is not there."""
    text = "-" if value is None else str(value)
    return "".join(char if char.isprintable() else " " if char in "\n\t" else "\ufffd" for char in text)
