"""Metrics: what iterations and charts measured, over builds or any other field, and how it is spread."""

from __future__ import annotations

import dataclasses
import datetime
import math
import statistics
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from autotest import errors
from autotest.models.tko import IterationPerfValue, IterationResult, TestResult
from autotest.results.query import builds, charts, fields
from autotest.results.query.counts import natural
from autotest.results.query.fields import Ref
from autotest.results.query.questions import MOST_VALUES, Perf, number
from autotest.results.query.selection import Selection


@dataclasses.dataclass(frozen=True)
class Point:
    """All values at one *x*. *deviation* is that of a sample (n - 1), None for a single value."""

    x: str | None
    count: int
    mean: float
    median: float
    low: float
    high: float
    deviation: float | None


@dataclasses.dataclass(frozen=True)
class Series:
    """The points of one value of the field *by*, in natural order of x; the last builds in order of time."""

    name: str | None
    points: tuple[Point, ...]


@dataclasses.dataclass(frozen=True)
class Plot:
    """One metric over the field *x*; *places* are all values of x, in the order of the points."""

    metric: str
    x: str
    by: str
    places: tuple[str | None, ...]
    series: tuple[Series, ...]

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


@dataclasses.dataclass(frozen=True)
class Bin:
    """Values from *low* up to *high*, which only the last bin holds itself."""

    low: float
    high: float
    count: int


@dataclasses.dataclass(frozen=True)
class Histogram:
    """How the values of one series are spread, in bins of one width for all series."""

    name: str | None
    bins: tuple[Bin, ...]


@dataclasses.dataclass(frozen=True)
class Histograms:
    """One metric; a histogram for each value of the field *by*."""

    metric: str
    by: str
    series: tuple[Histogram, ...]

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


@dataclasses.dataclass(frozen=True)
class Names:
    """The metrics that results have, by name."""

    metrics: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def plot(question: Perf, now: datetime.datetime) -> Plot:
    """Answer with three queries, one more for labels and for the last builds.

    Raises BadCondition, NotFound (fields, labels, a metric that none of the results has), ValidationError, TooManyRows.
    The caller has a connection open.
    """
    x, by = fields.named(question.x), fields.several(question.by)
    selection = Selection(question, now)
    last = builds.keep_last(selection, question.last) if question.last else []
    time_of: dict[str | None, int] = {build: index for index, build in enumerate(last)} if str(x) == "build" else {}
    found: dict[str | None, dict[str | None, list[float]]] = {}
    for name, place, value in _measured(selection, question.metric, by, x):
        found.setdefault(name, {}).setdefault(place, []).append(value)

    def order(places: Iterable[str | None]) -> list[str | None]:
        return sorted(places, key=lambda place: (time_of.get(place, 0), natural(place)))

    series = tuple(
        Series(name, tuple(_point(place, points[place]) for place in order(points)))
        for name, points in sorted(found.items(), key=lambda item: natural(item[0]))
    )
    places = tuple(order({place for points in found.values() for place in points}))
    return Plot(question.metric, str(x), ",".join(map(str, by)), places, series)


def histograms(question: Perf, now: datetime.datetime) -> Histograms:
    """How the metric is spread, in ``question.bins`` bins; one histogram for each value of *by*. Queries and errors as
    :func:`plot`."""
    bins = number("bins", question.bins, 1, 200)
    by = fields.several(question.by)
    selection = Selection(question, now)
    if question.last:
        builds.keep_last(selection, question.last)
    found: dict[str | None, list[float]] = {}
    for name, _place, value in _measured(selection, question.metric, by, None):
        found.setdefault(name, []).append(value)
    low = min(min(values) for values in found.values())
    high = max(max(values) for values in found.values())
    ordered = sorted(found.items(), key=lambda item: natural(item[0]))
    series = tuple(Histogram(name, _bins(values, low, high, bins)) for name, values in ordered)
    return Histograms(question.metric, ",".join(map(str, by)), series)


def relative(drawn: Plot, to: str) -> Plot:
    """The same in per cent: of each series' ``first`` point, or of the series called *to* at the same x.

    What has nothing to be compared with, or with 0, is left out. Raises NotFound for a series that is not there.
    """
    if to == "first":
        base_of = {
            one.name: dict.fromkeys((point.x for point in one.points), one.points[0].mean) for one in drawn.series
        }
    else:
        chosen = [one for one in drawn.series if one.name == to]
        if not chosen:
            raise errors.NotFound(
                f"no series is called {to!r}; series: {', '.join(str(one.name) for one in drawn.series)}"
            )
        means = {point.x: point.mean for point in chosen[0].points}
        base_of = {one.name: means for one in drawn.series}
    return dataclasses.replace(
        drawn, series=tuple(Series(one.name, _scaled(one.points, base_of[one.name])) for one in drawn.series)
    )


def names(question: Perf, now: datetime.datetime) -> Names:
    """The metrics that the results have: three queries, one more for labels."""
    selection = Selection(question, now)
    query = selection.query((), IterationResult.attribute)
    query = query.join_from(TestResult, IterationResult, on=(IterationResult.test == TestResult.test_idx))
    found = {name for (name,) in query.distinct().tuples() if name is not None}
    of_charts = charts.joined(selection.query((), *charts.NAME)).distinct().tuples()
    return Names(tuple(sorted(found.union(charts.name(*pair) for pair in of_charts))))


def _measured(
    selection: Selection, metric: str, by: Sequence[Ref], x: Ref | None
) -> Iterator[tuple[str | None, str | None, float]]:
    """(series, x, value) of each iteration that measured *metric*, and of charts of results without such iterations."""
    refs = (*by, x) if x else tuple(by)
    query = selection.query(refs, TestResult.test_idx, IterationResult.value)
    query = query.join_from(TestResult, IterationResult, on=(IterationResult.test == TestResult.test_idx))
    query = query.where(IterationResult.attribute == metric, IterationResult.value.is_null(False))
    rows = list(query.limit(MOST_VALUES + 1).tuples())
    known = {row[-2] for row in rows}
    query = charts.joined(selection.query(refs, TestResult.test_idx, IterationPerfValue.value))
    query = query.where(charts.named([metric])).limit(MOST_VALUES + 1)
    rows += [row for row in query.tuples() if row[-2] not in known]
    if len(rows) > MOST_VALUES:
        raise errors.TooManyRows(
            f"more than {MOST_VALUES:,} values; narrow them with a condition or to the last builds"
        )
    if not rows:
        raise errors.NotFound(f"none of these results measured {metric!r}; `autotest results perf` lists what they did")
    for *places, _test_idx, value in rows:
        texts = [_text(selection.shown(ref, place)) for ref, place in zip(refs, places, strict=True)]
        names_of = texts[: len(by)]
        name = ", ".join(text or "-" for text in names_of) if len(by) > 1 else names_of[0] if by else None
        yield name, texts[-1] if x else None, value


def _point(x: str | None, values: list[float]) -> Point:
    mean = math.fsum(values) / len(values)
    deviation = statistics.stdev(values, mean) if len(values) > 1 else None
    return Point(x, len(values), mean, statistics.median(values), min(values), max(values), deviation)


def _bins(values: list[float], low: float, high: float, count: int) -> tuple[Bin, ...]:
    width = (high - low) / count or 1.0
    counts = [0] * count
    for value in values:
        counts[min(int((value - low) / width), count - 1)] += 1
    return tuple(Bin(low + index * width, low + (index + 1) * width, each) for index, each in enumerate(counts))


def _scaled(points: Sequence[Point], base_of: dict[str | None, float]) -> tuple[Point, ...]:
    scaled = []
    for point in points:
        base = base_of.get(point.x)
        if base:
            share = 100 / base
            low, high = sorted((point.low * share, point.high * share))
            deviation = None if point.deviation is None else abs(point.deviation * share)
            scaled.append(Point(point.x, point.count, point.mean * share, point.median * share, low, high, deviation))
    return tuple(scaled)


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
