"""Many rows at once: the text of an INSERT is built once, where Peewee spends most of its time on building it anew."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import peewee

from autotest.models.database import BaseModel, db

#: Rows of one statement, and values: SQLite takes 32,766.
_ROWS, _VALUES = 500, 32_000
#: Characters of one statement: four bytes each, they stay below MariaDB's max_allowed_packet of 16 MB.
_CHARACTERS = 2_000_000


def insert(model: type[BaseModel], rows: Sequence[Mapping[str, Any]]) -> None:
    """Write *rows*, each with the same fields by name; a field that is not there gets its default. A few statements for
    all of them. Runs inside the caller's transaction."""
    if not rows:
        return
    fields = model._meta.fields
    given = [fields[name] for name in rows[0]]
    others = [field for name, field in fields.items() if name not in rows[0] and field.default is not None]
    columns = tuple(field.column_name for field in (*given, *others))
    most = min(_ROWS, _VALUES // len(columns))
    values: list[Any] = []
    count = size = 0
    for row in rows:
        fresh = [field.db_value(row[field.name]) for field in given]
        fresh += [field.db_value(_default(field)) for field in others]
        length = sum(len(value) for value in fresh if isinstance(value, str))
        if count and (count == most or size + length > _CHARACTERS):
            db.execute_sql(_text(model._meta.table_name, columns, count, db.quote, db.param), values)
            values, count, size = [], 0, 0
        values += fresh
        count, size = count + 1, size + length
    db.execute_sql(_text(model._meta.table_name, columns, count, db.quote, db.param), values)


def _default(field: peewee.Field) -> Any:
    return field.default() if callable(field.default) else field.default


@functools.lru_cache(maxsize=64)
def _text(table: str, columns: tuple[str, ...], count: int, quote: str, mark: str) -> str:
    names = ", ".join(f"{quote[0]}{name}{quote[1]}" for name in columns)
    row = f"({', '.join([mark] * len(columns))})"
    return f"INSERT INTO {quote[0]}{table}{quote[1]} ({names}) VALUES {', '.join([row] * count)}"
