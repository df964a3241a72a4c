"""Query output: answers as tables that fit a terminal, and as CSV; texts from DUTs are made harmless."""

from __future__ import annotations

import csv
import datetime
import functools
import io
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from autotest.results.csv_cells import harmless
from autotest.results.query import builds, charts, details, history, metrics, qualification, reasons, spreadsheet, table
from autotest.results.query.counts import Counts
from autotest.results.query.details import Metric, TestDetails

#: Wide enough that a table in a pipe is never folded.
_PIPE_WIDTH = 4000
#: A bar of a histogram at its longest; a heading of a matrix where it is folded.
_BAR, _HEADING = 30, 5
#: So many values of iterations are told.
_VALUES = 10
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
def _(answer: details.ManyDetails) -> Iterator[Sequence[Any]]:
    """A line for each fact, so that any number of names fits."""
    yield ["id", "what", "iteration", "name", "value"]
    for one in answer.results:
        for what, count, name, value in _facts(one):
            yield [one.facts["id"], what, count, name, value]


@lines.register
def _(answer: reasons.ReasonSummary) -> Iterator[Sequence[Any]]:
    yield ["results", "tests", "statuses", "newest", "reason"]
    for group in answer.groups:
        statuses = " ".join(f"{word}:{count}" for word, count in group.statuses.items())
        yield [group.results, group.tests, statuses, group.newest, group.text]


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
    totals = [_added(line) for line in cells]
    room, fitting = width - first - _BETWEEN - _width(["total"], totals, _HEADING), 0
    columns = [[line[index] for line in cells] for index in range(len(heads))]
    widths = [_width(head, column, len(" ".join(head))) for head, column in zip(heads, columns, strict=True)]
    if sum(widths) + _BETWEEN * len(widths) > room:
        widths = [_width(head, column, _HEADING) for head, column in zip(heads, columns, strict=True)]
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
def _(answer: reasons.ReasonSummary, width: int) -> Iterator[RenderableType]:
    rows = [
        [group.results, group.tests, group.newest, f"{group.text or 'no reason'} ({group.results}+)"]
        for group in answer.groups
    ]
    yield from _listed(["results", "tests", "newest", "reason"], rows)
    if rows:
        yield f"{answer.results} did not pass. `autotest results details NEWEST` shows one of them."
    if answer.more:
        yield "There are rarer reasons: --limit shows more."


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


def details_shown(one: TestDetails, whereabouts: str) -> Iterator[RenderableType]:
    """Every fact of one result for people; *whereabouts* says where its logs are."""
    facts = dict(one.facts)
    test, status, host = facts.pop("test"), facts.pop("status"), facts.pop("host")
    yield Text.assemble(Text(_plain(test), "bold"), " ", _styled(status), f" on {_plain(host)}")
    told = {name: value for name, value in facts.items() if value is not None and value != ""}
    told |= {"logs": whereabouts, "labels": ", ".join(one.labels)}
    told |= {"retries": one.retries, "retried as": one.retried_as}
    yield from _pairs("", told)
    yield from _pairs("attributes", one.attributes)
    yield from _pairs("attributes that people gave", one.given)
    yield from _pairs("job keyvals", one.keyvals)
    yield from _pairs("metrics", {_metric_name(each): _metric(each) for each in one.metrics})
    for title, kind in (("measured", "perf"), ("attributes of iterations", "attributes")):
        values: dict[str, list[Any]] = {}
        for iteration in one.iterations:
            for name, value in getattr(iteration, kind).items():
                values.setdefault(name, []).append(value)
        yield from _pairs(title, {name: _some(each) for name, each in values.items()})


def _facts(one: TestDetails) -> Iterator[tuple[str, int | None, str, Any]]:
    yield from (("field", None, name, value) for name, value in one.facts.items())
    yield from (("field", None, name, getattr(one, name)) for name in ("folder", "retries", "retried_as"))
    yield from (("label", None, name, None) for name in one.labels)
    yield from (("attribute", None, name, value) for name, value in one.attributes.items())
    yield from (("given attribute", None, name, value) for name, value in one.given.items())
    yield from (("job keyval", None, name, value) for name, value in one.keyvals.items())
    yield from (("metric", None, _metric_name(metric), metric.value) for metric in one.metrics)
    for iteration in one.iterations:
        yield from (("iteration attribute", iteration.number, *pair) for pair in iteration.attributes.items())
        yield from (("perf", iteration.number, *pair) for pair in iteration.perf.items())


def _metric_name(metric: Metric) -> str:
    return charts.name(metric.graph, metric.description)


def _metric(metric: Metric) -> str:
    value = "no number" if metric.value is None else f"{metric.value:.6g}"
    deviation = f" +- {metric.deviation:.3g}" if metric.deviation else ""
    better = "higher is better" if metric.higher_is_better else "lower is better"
    return f"{value}{deviation} {metric.units or ''}".rstrip() + f" ({better})"


def _pairs(title: str, pairs: Mapping[str, Any]) -> Iterator[RenderableType]:
    """Names and values below each other; what is empty is left out."""
    known = {name: value for name, value in pairs.items() if value not in (None, "")}
    if not known:
        return
    if title:
        yield Text(title, "bold")
    made = Table.grid(padding=(0, 2, 0, 0))
    made.add_column(style="dim", overflow="fold")
    made.add_column(overflow="fold")
    for name, value in known.items():
        made.add_row(Text(f"  {_plain(name)}"), _styled(value))
    yield made


def _some(values: Sequence[Any]) -> str:
    """The first values of the iterations, and how many there are of more."""
    first = ", ".join(f"{value:.6g}" if isinstance(value, float) else _plain(value) for value in values[:_VALUES])
    return first + (f" ... ({len(values)} iterations)" if len(values) > _VALUES else "")


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


def _width(head: Sequence[str], cells: Sequence[Counts | None], longest_head: int) -> int:
    """Of a column: as wide as its cells, and as its heading up to *longest_head*, where that is folded."""
    longest = max((len(str(counts)) for counts in cells if counts is not None), default=1)
    return max(longest, min(longest_head, len(" ".join(head))))


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
