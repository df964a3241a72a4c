"""results-chart.json: the measured values of a test, by graph and description (results-and-tko.md section 2.4)."""

import json
import os
import re
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple, Union

from autotest.client import durable

_LEGAL = re.compile(r"[A-Za-z0-9_.\-]*")
_ILLEGAL = re.compile(r"[^A-Za-z0-9_.\-]")

#: The second level of a metric that belongs to no graph.
_ALONE = "summary"


class Metric(NamedTuple):
    """One entry of a chart. *values* has one number for a scalar."""

    graph: Optional[str]
    description: str
    values: Tuple[float, ...]
    units: Optional[str]
    higher_is_better: bool


def add(
    path: str,
    description: str,
    value: Union[float, str, Sequence[Union[float, str]]],
    units: Optional[str] = None,
    higher_is_better: Optional[bool] = None,
    graph: Optional[str] = None,
    replacement: str = "_",
    replace_existing_values: bool = False,
) -> None:
    """Add *value* (a number or a list) to the chart at *path*; a second one for the same metric makes a list.

    Raises ValueError for a description above 256 characters, units above 32, a *replacement* that is itself
    illegal, or a value that is no number.
    """
    if replacement is None or not _LEGAL.fullmatch(replacement):
        raise ValueError(f"replacement {replacement!r} is itself not a legal text; use letters, digits, '_', '.', '-'")
    for what, text, most in (("description", description, 256), ("units", units or "", 32)):
        if len(text) > most:
            raise ValueError(f"{what} has {len(text)} characters, more than {most}")
    description = _ILLEGAL.sub(replacement, description)
    levels = (graph, description) if graph else (description, _ALONE)
    chart = _read(path)
    group = chart.setdefault(levels[0], {})
    values, listed = _floats(value)
    old = None if replace_existing_values else group.get(levels[1])
    if old:
        values, listed = [*old.get("values", [old.get("value")]), *values], True
    group[levels[1]] = {
        **({"type": "list_of_scalar_values", "values": values} if listed else {"type": "scalar", "value": values[0]}),
        "units": units,
        "improvement_direction": "up" if higher_is_better else "down",
    }
    durable.write(path, json.dumps(chart, indent=2, sort_keys=True))


def parse(content: Union[bytes, str]) -> List[Metric]:
    """The metrics of a chart, also of one whose groups lie below ``charts``; sorted by graph and description.

    An entry without numbers (a histogram, a trace) is left out. Raises ValueError for what is no chart.
    """
    try:
        chart = json.loads(content)
    except RecursionError:
        raise ValueError("the chart is nested too deep")
    if isinstance(chart, dict) and isinstance(chart.get("charts"), dict):
        chart = chart["charts"]
    if not isinstance(chart, dict):
        raise ValueError("a chart is a JSON object; this is none")
    return [
        metric
        for first, group in sorted(chart.items())
        if isinstance(group, dict)
        for second, entry in sorted(group.items())
        for metric in _metric(first, second, entry)
    ]


def _metric(first: str, second: str, entry: Any) -> List[Metric]:
    if not isinstance(entry, dict):
        return []
    values = entry.get("values", entry.get("value"))
    try:
        numbers = tuple(_floats(values)[0])
    except ValueError:
        return []
    if not numbers:
        return []
    units = entry.get("units")
    alone = second == _ALONE
    return [
        Metric(
            None if alone else first,
            first if alone else second,
            numbers,
            units if isinstance(units, str) else None,
            entry.get("improvement_direction") == "up",
        )
    ]


def _floats(value: Any) -> Any:
    try:
        if isinstance(value, (list, tuple)):
            return [float(item) for item in value], True
        return [float(value)], False
    except (TypeError, OverflowError) as reason:
        raise ValueError(f"{value!r} is no number: {reason}") from reason


def _read(path: str) -> Dict[str, Dict[str, Dict[str, Any]]]:
    if not os.path.exists(path):
        return {}
    with open(path, encoding="utf-8") as file:
        return json.load(file)
