"""Directions: whether more of a metric is better, as people, tests or their charts say; it is never guessed."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatchcase

from peewee import chunked

from autotest import errors
from autotest.models.tko import IterationPerfValue, TestAttribute
from autotest.results.perf.values import Source
from autotest.results.query import charts

#: The test attribute ``perf-direction.<metric>``, ``up`` or ``down``, which a test writes or a person sets.
ATTRIBUTE = "perf-direction."
_ROWS = 500


class Direction(str, enum.Enum):
    """Where a metric gets better."""

    UP = "up"
    DOWN = "down"


class Effect(str, enum.Enum):
    """What a change means; CHANGED where nobody said which direction is good."""

    BETTER = "better"
    WORSE = "worse"
    CHANGED = "changed"


def effect(direction: Direction | None, before: float, after: float) -> Effect:
    """What it means to go from *before* to *after*, which differ."""
    if direction is None:
        return Effect.CHANGED
    return Effect.BETTER if (after > before) == (direction is Direction.UP) else Effect.WORSE


def said(metric: str, higher: Sequence[str], lower: Sequence[str]) -> Direction | None:
    """What patterns (``*``, ``?``) of metrics say, *higher* is better or *lower* is.

    Raises ValidationError for a metric that is meant by both.
    """
    is_up = any(fnmatchcase(metric, pattern) for pattern in higher)
    is_down = any(fnmatchcase(metric, pattern) for pattern in lower)
    if is_up and is_down:
        raise errors.ValidationError({"higher_is_better": f"lower_is_better means {metric!r} as well"})
    return Direction.UP if is_up else Direction.DOWN if is_down else None


def recorded(wanted: Iterable[tuple[str, Source]]) -> dict[tuple[str, Source], Direction]:
    """What the results themselves say of (metric, result): their attribute, else their chart or perf_measurements.

    Takes two queries for 500 results. The caller has a connection open.
    """
    pairs = list(wanted)
    said_of: dict[tuple[int, str], Direction] = {}
    for some in chunked(sorted({source.test_idx for _metric, source in pairs}), _ROWS):
        said_of.update(_measured(some))
        said_of.update(_attributes(some))
    return {
        (metric, source): said_of[source.test_idx, metric]
        for metric, source in pairs
        if (source.test_idx, metric) in said_of
    }


def _attributes(ids: Sequence[int]) -> Iterator[tuple[tuple[int, str], Direction]]:
    """What people said comes after what tests wrote."""
    row = TestAttribute
    query = row.select(row.test, row.attribute, row.value).where(row.test.in_(ids), row.attribute.startswith(ATTRIBUTE))
    for test_idx, name, value in query.order_by(row.user_created).tuples():
        if value in (Direction.UP.value, Direction.DOWN.value):
            yield (test_idx, name[len(ATTRIBUTE) :]), Direction(value)


def _measured(ids: Sequence[int]) -> Iterator[tuple[tuple[int, str], Direction]]:
    row = IterationPerfValue
    query = row.select(row.test, *charts.NAME, row.higher_is_better).where(row.test.in_(ids)).distinct()
    for test_idx, graph, description, is_up in query.tuples():
        yield (test_idx, charts.name(graph, description)), Direction.UP if is_up else Direction.DOWN
