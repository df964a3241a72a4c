"""Charts: the metrics of charts and perf_measurements, under the names by which people ask for them."""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterable
from typing import Any

from autotest.models.tko import IterationPerfValue, TestResult

#: Selected of each metric, see :func:`name`.
NAME = (IterationPerfValue.graph, IterationPerfValue.description)


def name(graph: str | None, description: str | None) -> str:
    """``boot_time``, or ``graph/boot_time`` where several metrics share a graph."""
    return f"{graph}/{description or ''}" if graph else description or ""


def named(metrics: Iterable[str]) -> Any:
    """The condition that means the metrics called so; at least one."""
    graph, description = NAME
    parts = []
    for metric in metrics:
        above, slash, below = metric.partition("/")
        part = (description == metric) & graph.is_null()
        parts.append(part | ((graph == above) & (description == below)) if slash else part)
    return functools.reduce(operator.or_, parts)


def joined(query: Any) -> Any:
    """A query over results, with their metrics that are numbers."""
    query = query.join_from(TestResult, IterationPerfValue, on=(IterationPerfValue.test == TestResult.test_idx))
    return query.where(IterationPerfValue.value.is_null(False))
