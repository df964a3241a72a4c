"""``results/perf_measurements``: one metric a line, as older tests write them (results-and-tko.md section 2.5)."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence

from autotest.results.parsing.records import PerfValue

_LONGEST_DESCRIPTION = 256
_LONGEST_UNITS = 32


def render(
    description: str,
    value: float | Sequence[float],
    units: str,
    higher_is_better: bool = True,
    graph: str | None = None,
) -> str:
    """One line, newline included. Raises ValueError for a text that is too long."""
    for what, text, longest in (("description", description, _LONGEST_DESCRIPTION), ("units", units, _LONGEST_UNITS)):
        if len(text) > longest:
            raise ValueError(f"{what} has {len(text)} characters, more than {longest}")
    entry = {
        "description": description,
        "value": value if isinstance(value, (int, float)) else list(value),
        "units": units,
        "higher_is_better": higher_is_better,
        "graph": graph,
    }
    return json.dumps(entry) + "\n"


def parse(content: bytes, note: Callable[[str], None]) -> tuple[PerfValue, ...]:
    """The metrics, in order. A line that is none is told to *note* and skipped; never raises."""
    found = []
    for number, line in enumerate(content.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            found.append(_metric(json.loads(line)))
        except (ValueError, OverflowError, RecursionError):
            note(f"line {number} is no measurement; skipped")
    return tuple(found)


def summarized(
    description: str, values: Sequence[float], units: str | None, higher_is_better: bool, graph: str | None
) -> PerfValue:
    """*values* as mean and sample standard deviation: 0.0 and 0.0 for none, itself and 0.0 for one."""
    count = len(values)
    mean = sum(values) / count if count else 0.0
    deviation = math.sqrt(sum((value - mean) * (value - mean) for value in values) / (count - 1)) if count > 1 else 0.0
    return PerfValue(
        description[:_LONGEST_DESCRIPTION],
        mean,
        deviation,
        None if units is None else units[:_LONGEST_UNITS],
        higher_is_better,
        None if graph is None else graph[:_LONGEST_DESCRIPTION],
        count,
    )


def _metric(entry: object) -> PerfValue:
    if not isinstance(entry, dict):
        raise ValueError("a measurement is a JSON object")
    description, value, units, graph = (entry.get(key) for key in ("description", "value", "units", "graph"))
    if not isinstance(description, str):
        raise ValueError("a measurement has a description")
    values = value if isinstance(value, list) else [value]
    return summarized(
        description,
        [_number(item) for item in values],
        units if isinstance(units, str) else None,
        entry.get("higher_is_better") is not False,
        graph if isinstance(graph, str) else None,
    )


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError("a measurement is a number")
    return float(value)
