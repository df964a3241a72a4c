"""Directions: whether more of a metric is better, as people, tests or their charts say; it is never guessed."""

from __future__ import annotations

import enum
import os
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from peewee import chunked

from autotest import errors
from autotest.client import perf_chart
from autotest.models.tko import TestAttribute
from autotest.results.folder import Oddities, ResultsFolder
from autotest.results.perf.values import Source

#: The test attribute ``perf-direction.<metric>``, ``up`` or ``down``, which a test writes or a person sets.
ATTRIBUTE = "perf-direction."
_CHART = "results/results-chart.json"
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


def recorded(wanted: Iterable[tuple[str, Source]], results_dir: Path) -> dict[tuple[str, Source], Direction]:
    """What the results themselves say of (metric, result): their attribute, else their results-chart.json.

    Takes one query for 500 results. A chart that is gone or damaged says nothing. The caller has a connection open.
    """
    pairs = list(wanted)
    found: dict[tuple[str, Source], Direction] = {}
    attributes = _attributes(sorted({source.test_idx for _metric, source in pairs}))
    charts: dict[Source, dict[str, Direction]] = {}
    for metric, source in pairs:
        direction = attributes.get((source.test_idx, metric))
        if direction is None:
            if source not in charts:
                charts[source] = _of_chart(source, results_dir)
            direction = charts[source].get(metric)
        if direction is not None:
            found[metric, source] = direction
    return found


def _attributes(ids: Sequence[int]) -> dict[tuple[int, str], Direction]:
    row = TestAttribute
    found: dict[tuple[int, str], Direction] = {}
    for some in chunked(ids, _ROWS):
        query = row.select(row.test, row.attribute, row.value).where(
            row.test.in_(some), row.attribute.startswith(ATTRIBUTE)
        )
        for test_idx, name, value in query.order_by(row.user_created).tuples():
            if value in (Direction.UP.value, Direction.DOWN.value):
                found[test_idx, name[len(ATTRIBUTE) :]] = Direction(value)
    return found


def _of_chart(source: Source, results_dir: Path) -> dict[str, Direction]:
    if not source.tag or not source.subdir:
        return {}
    root = os.path.realpath(results_dir)
    path = os.path.realpath(os.path.join(root, source.tag))
    if not path.startswith(root + os.sep):
        return {}
    try:
        content = ResultsFolder(Path(path), Oddities()).read(os.fsencode(f"{source.subdir}/{_CHART}"))
        metrics = perf_chart.parse(content) if content else []
    except (errors.BadResultsFolder, ValueError):
        return {}
    return {metric.description: Direction.UP if metric.higher_is_better else Direction.DOWN for metric in metrics}
