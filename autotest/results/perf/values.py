"""Values: what iterations and charts of results measured, with where each comes from."""

from __future__ import annotations

import datetime
import statistics
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from autotest import errors
from autotest.models.tko import IterationPerfValue, IterationResult, TestResult, TkoJob
from autotest.results.query import charts, fields
from autotest.results.query.fields import Ref
from autotest.results.query.questions import MOST_VALUES
from autotest.results.query.selection import Selection

_DEVIATION = "_dev"


class Source(NamedTuple):
    """The result that measured, which began at *began*; *build* is its version, or its image if that was asked for."""

    test: str | None
    board: str | None
    build: str
    host: str | None
    test_idx: int
    began: datetime.datetime | None


class Value(NamedTuple):
    """One number that one iteration measured, or one metric of a chart."""

    source: Source
    metric: str
    number: float


def read(selection: Selection, metrics: Sequence[str] = (), build_field: str = "build") -> list[Value]:
    """Every value of *metrics* (of all metrics, if none is named) of results with a build: two queries. A metric of a
    chart counts where no iteration of its result measured one of that name.

    Without names, what an uncertainty ``A+-B`` left as ``<metric>_dev`` is not measured and left out.
    Raises TooManyRows.
    """
    refs = fields.several(f"test,board,{build_field},host,id")
    values = [Value(Source(*row[:6]), row[6], row[7]) for row in _limited(_of_iterations(selection, refs, metrics))]
    known = {(value.source.test_idx, value.metric) for value in values}
    for row in _limited(_of_charts(selection, refs, metrics)):
        value = Value(Source(*row[:6]), charts.name(*row[6:8]), row[8])
        if (value.source.test_idx, value.metric) not in known:
            values.append(value)
    return values if metrics else _measured(values)


def _of_iterations(selection: Selection, refs: Sequence[Ref], metrics: Sequence[str]) -> Any:
    query = selection.query(refs, TkoJob.started_time, IterationResult.attribute, IterationResult.value)
    query = query.join_from(TestResult, IterationResult, on=(IterationResult.test == TestResult.test_idx))
    query = query.where(IterationResult.value.is_null(False), IterationResult.attribute.is_null(False))
    query = query.where(TkoJob.build_version.is_null(False))
    return query.where(IterationResult.attribute.in_(list(metrics))) if metrics else query


def _of_charts(selection: Selection, refs: Sequence[Ref], metrics: Sequence[str]) -> Any:
    query = charts.joined(selection.query(refs, TkoJob.started_time, *charts.NAME, IterationPerfValue.value))
    query = query.where(TkoJob.build_version.is_null(False))
    return query.where(charts.named(metrics)) if metrics else query


def _limited(query: Any) -> list[tuple[Any, ...]]:
    rows = list(query.limit(MOST_VALUES + 1).tuples())
    if len(rows) > MOST_VALUES:
        raise errors.TooManyRows(
            f"more than {MOST_VALUES:,} values; narrow them by test, board, suite or metric, or to fewer builds"
        )
    return rows


def of_runs(values: Iterable[Value]) -> dict[Source, float]:
    """The median of each result's values. *values* are of one metric."""
    found: dict[Source, list[float]] = {}
    for value in values:
        found.setdefault(value.source, []).append(value.number)
    return {source: statistics.median(numbers) for source, numbers in found.items()}


def _measured(values: Sequence[Value]) -> list[Value]:
    names = {(value.source.test, value.metric) for value in values}
    return [
        value
        for value in values
        if not value.metric.endswith(_DEVIATION)
        or (value.source.test, value.metric.removesuffix(_DEVIATION)) not in names
    ]
