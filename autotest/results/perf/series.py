"""Series: one metric of one test on one board over builds, and what changed between which builds."""

from __future__ import annotations

import dataclasses
import datetime
import math
import statistics
from collections.abc import Iterable, Sequence
from typing import Any

from autotest.results.perf import build_order, changepoints, directions, values
from autotest.results.perf.directions import Direction, Effect
from autotest.results.perf.values import Source, Value
from autotest.results.query import builds
from autotest.results.query.counts import natural
from autotest.results.query.questions import Question, number
from autotest.results.query.selection import Selection

#: No series is longer (builds): finding changes takes time that grows with the square.
LONGEST = 500
#: A change has so many builds on either side.
SHORTEST_LEVEL = changepoints.SHORTEST


@dataclasses.dataclass(frozen=True)
class Point:
    """One build: *value* is the median over its runs of each run's median; *low* and *high* are of all values."""

    build: str
    value: float
    runs: int
    count: int
    low: float
    high: float


@dataclasses.dataclass(frozen=True)
class Change:
    """The level of a series changed after *last_before* and by *first_after*, two builds that were measured.

    *before* and *after* are medians of the levels, *percent* of *before* (None where that is 0), *confidence* in per
    cent, *builds_after* how many builds have the new level so far.
    """

    test: str | None
    board: str | None
    metric: str
    last_before: str
    first_after: str
    before: float
    after: float
    percent: float | None
    effect: Effect
    confidence: float
    builds_after: int

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


@dataclasses.dataclass(frozen=True)
class Series:
    """Points in the order of builds. *newest* is the last result that measured, which may say which way is better."""

    test: str | None
    board: str | None
    metric: str
    points: tuple[Point, ...]
    newest: Source
    direction: Direction | None = None

    @property
    def name(self) -> str:
        return f"{self.test or '-'} {self.metric} on {self.board or 'any board'}"

    def to_json(self) -> dict[str, Any]:
        points = [dataclasses.asdict(point) for point in self.points]
        name = {"test": self.test, "board": self.board, "metric": self.metric}
        return {**name, "direction": self.direction, "points": points}


def read(question: Question, metrics: Sequence[str], last: int, now: datetime.datetime) -> list[Series]:
    """The series of the results that are meant, over their *last* builds (at most LONGEST): four queries, one more for
    labels. Retried and invalidated results do not count.

    Raises BadCondition, NotFound (labels), ValidationError, TooManyRows. The caller has a connection open.
    """
    number("last", last, 1, LONGEST)
    selection = Selection(question, now)
    builds.keep_last(selection, last)
    return of_values(values.read(selection, metrics))


def of_values(measured: Iterable[Value]) -> list[Series]:
    """Values arranged as series, by test, board and metric."""
    found: dict[tuple[str | None, str | None, str], dict[str, list[Value]]] = {}
    began: dict[str, datetime.datetime | None] = {}
    for value in measured:
        source = value.source
        by_build = found.setdefault((source.test, source.board, value.metric), {})
        by_build.setdefault(source.build, []).append(value)
        began[source.build] = min(filter(None, (began.get(source.build), source.began)), default=None)
    order = build_order.ordered(began)
    names = sorted(found, key=lambda name: tuple(map(natural, name)))
    return [_series(*name, found[name], [build for build in order if build in found[name]]) for name in names]


def directed(several: Sequence[Series], higher: Sequence[str], lower: Sequence[str]) -> list[Series]:
    """The series with their directions: what patterns say goes before what results recorded.

    Raises ValidationError for contradicting patterns. The caller has a connection open.
    """
    told = [directions.said(one.metric, higher, lower) for one in several]
    unsaid = ((one.metric, one.newest) for one, direction in zip(several, told, strict=True) if direction is None)
    recorded = directions.recorded(unsaid)
    return [
        dataclasses.replace(one, direction=direction or recorded.get((one.metric, one.newest)))
        for one, direction in zip(several, told, strict=True)
    ]


def changes(one: Series, min_percent: float = 0.0, alpha: float = changepoints.ALPHA) -> list[Change]:
    """The changes of level of at least *min_percent*, oldest first."""
    points = one.points
    found = changepoints.find([point.value for point in points], alpha)
    ends = [*(change.place for change in found), len(points)][1:]
    reported = []
    for change, end in zip(found, ends, strict=True):
        difference = change.after - change.before
        percent = 100 * difference / abs(change.before) if change.before else None
        if difference == 0 or (percent is not None and abs(percent) < min_percent):
            continue
        reported.append(
            Change(
                one.test,
                one.board,
                one.metric,
                points[change.place - 1].build,
                points[change.place].build,
                change.before,
                change.after,
                percent if percent is None or math.isfinite(percent) else None,
                directions.effect(one.direction, change.before, change.after),
                change.confidence,
                end - change.place,
            )
        )
    return reported


def _series(
    test: str | None, board: str | None, metric: str, by_build: dict[str, list[Value]], order: Sequence[str]
) -> Series:
    newest = max((value.source for value in by_build[order[-1]]), key=lambda source: source.test_idx)
    return Series(test, board, metric, tuple(_point(build, by_build[build]) for build in order), newest)


def _point(build: str, measured: Sequence[Value]) -> Point:
    runs = values.of_runs(measured)
    numbers = [value.number for value in measured]
    return Point(build, statistics.median(runs.values()), len(runs), len(numbers), min(numbers), max(numbers))
