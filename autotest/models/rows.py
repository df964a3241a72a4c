"""Rows by key: read, hold and change one, or read those that belong together, with statements that are built once."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from autotest.models.database import BaseModel, is_sqlite
from autotest.models.prepared import Prepared

_Row = TypeVar("_Row", bound=BaseModel)


def get(model: type[_Row], key: int) -> _Row:
    """The row of *model* whose primary key is *key*. Raises DoesNotExist."""
    row: _Row | None = get_or_none(model, key)
    if row is None:
        raise model.DoesNotExist(f"{model.__name__} {key} is not there")
    return row


def get_or_none(model: Any, key: int | None) -> Any:
    """The row of *model* whose primary key is *key*, or None."""
    return None if key is None else _made(model, _reading(model, False).row(key))


def held(model: Any, key: int | None) -> Any:
    """Like get_or_none, as the row is now; nobody else changes it until the caller's transaction ends."""
    return None if key is None else _made(model, _reading(model, not is_sqlite()).row(key))


class Joined:
    """Some columns of one row of each of several models, in one statement::

        _OF_ENTRY = Joined((Entry.id, Job.id), lambda columns, key: Entry.select(*columns).join(Job).where(...))
        entry, job = _OF_ENTRY.row(12)

    *build* gets the columns to select, and a placeholder for each argument. What was not asked for is None in the rows;
    each column costs PyMySQL as much as a small statement costs the server.
    """

    def __init__(self, fields: tuple[Any, ...], build: Callable[..., Any]):
        self._models = {model: list(some) for model, some in itertools.groupby(fields, key=lambda field: field.model)}
        self._query = Prepared(lambda *arguments: build(fields, *arguments))

    def row(self, *arguments: Any) -> tuple[Any, ...] | None:
        """The first row: a row of each model, None for one that an outer join did not find; None when there is none."""
        values = self._query.row(*arguments)
        if values is None:
            return None
        found = []
        for model, fields in self._models.items():
            own, values = values[: len(fields)], values[len(fields) :]
            found.append(None if all(value is None for value in own) else _made(model, own, fields))
        return tuple(found)


def change(model: Any, values: dict[str, Any], **where: Any) -> int:
    """Set the columns *values* of the rows whose columns equal *where*; None is NULL. Returns how many there were."""
    shape = tuple((name, value is None) for name, value in where.items())
    arguments = [_stored(model, name, value) for name, value in values.items()]
    arguments += [_stored(model, name, value) for name, value in where.items() if value is not None]
    return _changing(model, tuple(values), shape).changed(*arguments)


def _stored(model: type[BaseModel], name: str, value: Any) -> Any:
    return None if value is None else model._meta.fields[name].db_value(value)


def _made(model: Any, values: tuple[Any, ...] | None, fields: Sequence[Any] | None = None) -> Any:
    if values is None:
        return None
    row = model(__no_default__=1)
    for field, value in zip(fields or model._meta.sorted_fields, values, strict=True):
        row.__data__[field.name] = field.python_value(value)
    return row


@functools.cache
def _reading(model: Any, for_update: bool) -> Prepared:
    def build(key: Any) -> Any:
        query = model.select(*model._meta.sorted_fields).where(model._meta.primary_key == key)
        return query.for_update() if for_update else query

    return Prepared(build)


@functools.cache
def _changing(model: Any, names: tuple[str, ...], shape: tuple[tuple[str, bool], ...]) -> Prepared:
    fields = model._meta.fields

    def build(*arguments: Any) -> Any:
        rest = iter(arguments)
        values = {fields[name]: next(rest) for name in names}
        conditions = [fields[name].is_null() if is_null else fields[name] == next(rest) for name, is_null in shape]
        return model.update(values).where(*conditions)

    return Prepared(build)
