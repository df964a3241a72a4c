"""Amounts: sizes and ages as people write them, 10G and 90d."""

from __future__ import annotations

import datetime
import re

import click

_SIZE = re.compile(r"(\d{1,15})(?:([KMGT])(?:i?B)?)?", re.IGNORECASE)
_AGE = re.compile(r"(\d{1,6})([mhdw])")
_UNITS = " KMGT"
_SPANS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def size_of(text: str) -> int:
    """Bytes: ``500M`` is 500 x 1024 x 1024. Raises ValueError."""
    found = _SIZE.fullmatch(text.strip())
    if not found:
        raise ValueError(f"{text!r} is no size like 500M, 20G or 1073741824")
    return int(found[1]) * 1024 ** _UNITS.index((found[2] or " ").upper())


def age_of(text: str) -> datetime.timedelta:
    """A span: ``90d``; m, h, d and w. Raises ValueError."""
    found = _AGE.fullmatch(text.strip())
    if not found:
        raise ValueError(f"{text!r} is no age like 12h, 90d or 8w")
    return datetime.timedelta(**{_SPANS[found[2]]: int(found[1])})


def shown(size: int) -> str:
    """``1.5 GiB``."""
    amount, unit = float(size), 0
    while amount >= 1024 and unit < 4:
        amount, unit = amount / 1024, unit + 1
    return f"{amount:.1f} {_UNITS[unit]}iB" if unit else f"{size} B"


class Size(click.ParamType):
    """A size on the command line."""

    name = "size"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            return value if isinstance(value, int) else size_of(str(value))
        except ValueError as problem:
            self.fail(str(problem), param, ctx)


class Age(click.ParamType):
    """A span on the command line."""

    name = "age"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime.timedelta:
        try:
            return value if isinstance(value, datetime.timedelta) else age_of(str(value))
        except ValueError as problem:
            self.fail(str(problem), param, ctx)
