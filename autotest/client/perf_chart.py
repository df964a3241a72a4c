"""results-chart.json: the measured values of a test, by graph and description (results-and-tko.md section 2.4)."""

import json
import os
import re
from typing import Any, Dict, Optional, Sequence, Union

from autotest.client import durable

_LEGAL = re.compile(r"[A-Za-z0-9_.\-]*")
_ILLEGAL = re.compile(r"[^A-Za-z0-9_.\-]")


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
    levels = (graph, description) if graph else (description, "summary")
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


def _floats(value: Any) -> Any:
    try:
        if isinstance(value, (list, tuple)):
            return [float(item) for item in value], True
        return [float(value)], False
    except TypeError as reason:
        raise ValueError(f"{value!r} is no number: {reason}") from reason


def _read(path: str) -> Dict[str, Dict[str, Dict[str, Any]]]:
    if not os.path.exists(path):
        return {}
    with open(path, encoding="utf-8") as file:
        return json.load(file)
