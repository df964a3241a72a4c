"""Durations on the command line: ``90s``, ``30m``, ``24h``, ``7d``."""

from __future__ import annotations

import datetime
import re
from typing import Any

import click

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_LONGEST = datetime.timedelta(days=3660)


class Duration(click.ParamType):
    """A number with a unit, as a timedelta of more than nothing and at most ten years."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime.timedelta:
        if isinstance(value, datetime.timedelta):
            return value
        parts = re.fullmatch(r"(\d{1,9})([smhd])", str(value).strip(), re.ASCII)
        length = datetime.timedelta(**{_UNITS[parts[2]]: int(parts[1])}) if parts else datetime.timedelta()
        if not datetime.timedelta() < length <= _LONGEST:
            self.fail(f"{value!r} is not a duration such as 90s, 30m, 24h or 7d", param, ctx)
        return length


def shown(seconds: float) -> str:
    """``5 h 10 min``: the two largest units that there are; days from the third on."""
    minutes = int(seconds) // 60
    hours = minutes // 60
    if hours >= 48:
        return f"{hours // 24} d {hours % 24} h" if hours % 24 else f"{hours // 24} d"
    if hours:
        return f"{hours} h {minutes % 60} min" if minutes % 60 else f"{hours} h"
    return f"{minutes} min" if minutes else f"{int(seconds)} s"
