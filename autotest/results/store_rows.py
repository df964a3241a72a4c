"""Store rows: texts as their columns hold them, and many rows in few statements."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, islice
from typing import Any, TypeVar

import peewee

from autotest.models import database
from autotest.models.database import db

_Item = TypeVar("_Item")

_UNSTORABLE = re.compile("[\ud800-\udfff]")

#: Characters kept of a text whose column has no limit.
LONGEST_TEXT = 16_000

#: Rows a statement; SQLite allows some 32000 values.
MOST = 500
#: Characters a statement: four bytes each, they stay below MariaDB's max_allowed_packet of 16 MB.
_CHARACTERS = 2_000_000


def text(value: object, longest: int = LONGEST_TEXT) -> str:
    """*value* as a database takes it: no NUL, no half characters, at most *longest* characters."""
    return _UNSTORABLE.sub("\ufffd", str(value).replace("\0", ""))[:longest]


def fit(field: peewee.Field, value: object) -> str | None:
    """*value* as the text column *field* takes it; None stays None."""
    return None if value is None else text(value, _width(field))


def insert(fields: tuple[peewee.Field, ...], values: Iterable[Sequence[Any]]) -> None:
    """Insert rows in order: of each one the values of *fields*, which are columns of one table, as the database takes
    them: texts that fit, times by ``db_value``.

    So many rows a statement as it may hold when every text is as long as its column allows.
    """
    longest = sum(_width(field) for field in fields if isinstance(field, (peewee.CharField, peewee.TextField)))
    most = min(MOST, _CHARACTERS // max(longest, 1))
    for some in chunks(values, most):
        db.execute_sql(_statement(fields, len(some), database.is_sqlite()), list(chain.from_iterable(some)))


def chunks(values: Iterable[_Item], size: int = MOST) -> Iterator[list[_Item]]:
    """*values* in lists of *size*; the last one may be shorter."""
    left = iter(values)
    while some := list(islice(left, size)):
        yield some


def _width(field: peewee.Field) -> int:
    return getattr(field, "max_length", None) or LONGEST_TEXT


@functools.lru_cache(maxsize=256)
def _statement(fields: tuple[peewee.Field, ...], rows: int, is_sqlite: bool) -> str:
    quote, mark = ('"', "?") if is_sqlite else ("`", "%s")
    columns = ", ".join(f"{quote}{field.column_name}{quote}" for field in fields)
    row = f"({', '.join([mark] * len(fields))})"
    return f"INSERT INTO {fields[0].model._meta.table_name} ({columns}) VALUES {', '.join([row] * rows)}"
