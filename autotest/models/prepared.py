"""Prepared: queries whose SQL text is built once. Building it costs ten times what the database takes to answer, which
counts where a query runs for every claim and every step."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable
from typing import Any

import peewee

from autotest.models.database import UTCDateTimeField, db

#: Lists of up to so many values share their text with lists of about their length.
_LONGEST_PADDED = 4096
_MOMENT = UTCDateTimeField()


@dataclasses.dataclass(frozen=True)
class _Place:
    """Where the value of an argument goes; *item* counts in a list."""

    argument: int
    item: int | None = None


class Prepared:
    """A query with arguments in the places of values::

        _LABELS = Prepared(lambda host_ids: HostLabel.select(HostLabel.label).where(HostLabel.host.in_(host_ids)))
        _LABELS.rows([1, 2, 3])

    *build* gets a placeholder for each argument, or a list of them, and returns the query. It runs once, so a default
    that is computed (utc_now) has to be an argument. Rows are plain tuples as the database gives them.
    """

    def __init__(self, build: Callable[..., Any]):
        self._build = build
        self._texts: dict[tuple[Any, ...], tuple[str, list[Any]]] = {}

    def rows(self, *arguments: Any) -> list[tuple[Any, ...]]:
        """The rows of a SELECT."""
        return list(self._run(arguments).fetchall())

    def row(self, *arguments: Any) -> tuple[Any, ...] | None:
        """The first row of a SELECT, if there is one."""
        found: tuple[Any, ...] | None = self._run(arguments).fetchone()
        return found

    def changed(self, *arguments: Any) -> int:
        """How many rows an UPDATE changed."""
        return int(db.rows_affected(self._run(arguments)))

    def inserted(self, *arguments: Any) -> int:
        """The id of the row that an INSERT made."""
        return int(db.last_insert_id(self._run(arguments)))

    def _run(self, arguments: tuple[Any, ...]) -> Any:
        values = [_padded(value) if isinstance(value, list) else value for value in arguments]
        shape = (type(db.obj), *(len(value) if isinstance(value, list) else None for value in values))
        text, places = self._texts.get(shape) or self._texts.setdefault(shape, self._built(values))
        return db.execute_sql(text, [_value(place, values) for place in places])

    def _built(self, values: list[Any]) -> tuple[str, list[Any]]:
        """The SQL text for arguments like these, and its parameters: constants, and a _Place for each argument."""
        text, places = self._build(*(_placeholders(number, value) for number, value in enumerate(values))).sql()
        return text, list(places)


def _placeholders(number: int, value: Any) -> Any:
    if isinstance(value, list):
        return [peewee.Value(_Place(number, item), converter=False) for item in range(len(value))]
    return peewee.Value(_Place(number), converter=False)


def _value(place: Any, values: list[Any]) -> Any:
    if not isinstance(place, _Place):
        return place
    value = values[place.argument] if place.item is None else values[place.argument][place.item]
    return _MOMENT.db_value(value) if isinstance(value, datetime.datetime) else value


def _padded(values: list[Any]) -> list[Any]:
    """*values* with the last one repeated up to a power of two, so that few texts serve lists of every length."""
    if not 0 < len(values) <= _LONGEST_PADDED:
        return values
    return values + values[-1:] * ((1 << (len(values) - 1).bit_length()) - len(values))
