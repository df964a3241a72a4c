"""Spreadsheet: passed of complete results, any fields against any others."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping, Sequence
from typing import Any

from autotest import errors
from autotest.results.query import builds, fields
from autotest.results.query.counts import Counts, natural
from autotest.results.query.fields import Ref
from autotest.results.query.questions import MOST_CELLS, Matrix
from autotest.results.query.selection import Selection

Header = tuple[str | None, ...]


@dataclasses.dataclass(frozen=True)
class Spreadsheet:
    """Headers in natural order, with the last builds in order of time; cells by (row, column), only where there are
    results. A header has one value for each of *row_fields* or *column_fields*."""

    row_fields: tuple[str, ...]
    column_fields: tuple[str, ...]
    rows: tuple[Header, ...]
    columns: tuple[Header, ...]
    cells: Mapping[tuple[Header, Header], Counts]

    def cell(self, row: Header, column: Header) -> Counts | None:
        """The cell, if there are results."""
        return self.cells.get((row, column))

    def to_json(self) -> dict[str, Any]:
        """Cells as a list of ``{row, column, passed, total, incomplete, statuses}`` with indexes of headers."""
        row_of = {header: index for index, header in enumerate(self.rows)}
        column_of = {header: index for index, header in enumerate(self.columns)}
        placed = sorted((row_of[row], column_of[column], counts) for (row, column), counts in self.cells.items())
        return {
            "row_fields": self.row_fields,
            "column_fields": self.column_fields,
            "rows": self.rows,
            "columns": self.columns,
            "cells": [{"row": row, "column": column, **counts.to_json()} for row, column, counts in placed],
        }


def ask(question: Matrix, now: datetime.datetime) -> Spreadsheet:
    """Answer with three queries, one more for the last builds and for labels.

    Raises BadCondition, NotFound (fields, labels), ValidationError, TooManyRows. The caller has a connection open.
    """
    rows, columns = fields.several(question.rows), fields.several(question.columns)
    if not rows or not columns:
        raise errors.ValidationError({"rows" if not rows else "columns": "name at least one field"})
    selection = Selection(question, now)
    last = builds.keep_last(selection, question.last) if question.last else []
    refs = (*rows, *columns)
    counted = selection.latest(refs) if question.latest else selection.counted(refs)
    found: dict[tuple[Header, Header], dict[str, int]] = {}
    number = 0
    for *values, status, count in counted.limit(MOST_CELLS + 1).tuples():
        number += 1
        header = tuple(_text(selection.shown(ref, value)) for ref, value in zip(refs, values, strict=True))
        cell = found.setdefault((header[: len(rows)], header[len(rows) :]), {})
        word = selection.words[status]
        cell[word] = cell.get(word, 0) + count
    if number > MOST_CELLS:
        raise errors.TooManyRows(f"more than {MOST_CELLS:,} cells; narrow them with a condition")
    return Spreadsheet(
        tuple(map(str, rows)),
        tuple(map(str, columns)),
        _headers((row for row, _column in found), rows, last),
        _headers((column for _row, column in found), columns, last),
        {place: Counts(counts) for place, counts in found.items()},
    )


def _headers(found: Any, refs: Sequence[Ref], last: Sequence[str]) -> tuple[Header, ...]:
    time_of = {build: index for index, build in enumerate(last)}
    is_build = [ref.field.name == "build" and bool(last) for ref in refs]

    def place(header: Header) -> list[Any]:
        return [
            (0, time_of.get(value or "", 0)) if timed else natural(value)
            for value, timed in zip(header, is_build, strict=True)
        ]

    return tuple(sorted(set(found), key=place))


def _text(value: Any) -> str | None:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime.datetime):
        return f"{value:%Y-%m-%d %H:%M:%S}"
    return None if value is None else str(value)
