"""Table: results by chosen columns, page by page; or how many there are of each combination, and how many passed."""

from __future__ import annotations

import dataclasses
import datetime
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from peewee import SQL, chunked

from autotest import errors
from autotest.models import tko
from autotest.models.tko import TestResult
from autotest.results.query import fields
from autotest.results.query.counts import Counts, natural
from autotest.results.query.fields import Kind, Place, Ref
from autotest.results.query.questions import MOST_ROWS, Question, Table, number
from autotest.results.query.selection import Selection

_ID, _JOB = TestResult.test_idx, TestResult.job
#: The most groups of a grouped table (results-and-tko.md section 9).
MOST_GROUPS = 80_000
#: Ids a statement, where each may have many rows, and where each has one.
_IDS, _PAGE = 500, 10_000


@dataclasses.dataclass(frozen=True)
class Rows:
    """One page. *ids* are those of the results, parallel to *rows*; values are str, int, float, bool, aware datetime,
    None, or a tuple of all values where a result may have several. *more* says that there are rows after these."""

    columns: tuple[str, ...]
    ids: tuple[int, ...]
    rows: tuple[tuple[Any, ...], ...]
    more: bool

    def to_json(self) -> dict[str, Any]:
        """Rows as objects by column; times as ``YYYY-MM-DD HH:MM:SS`` in UTC."""
        rows = [dict(zip(self.columns, map(_shown, row), strict=True)) for row in self.rows]
        return {"columns": self.columns, "rows": rows, "more": self.more}


@dataclasses.dataclass(frozen=True)
class Groups:
    """How many results there are of each combination of *columns*, most first."""

    columns: tuple[str, ...]
    rows: tuple[tuple[tuple[Any, ...], Counts], ...]
    more: bool

    def to_json(self) -> dict[str, Any]:
        """Groups as objects by column, with ``passed``, ``total``, ``incomplete`` and ``statuses``."""
        rows = [
            {**dict(zip(self.columns, map(_shown, row), strict=True)), **counts.to_json()} for row, counts in self.rows
        ]
        return {"columns": self.columns, "rows": rows, "more": self.more}


def ask(question: Table, now: datetime.datetime) -> Rows:
    """Answer with three queries, one more for labels in the condition, for each 10,000 rows after the first, and for
    each kind of column with several values (label, keyval.NAME, attr.NAME, perf.NAME) per 500 rows.

    Raises BadCondition, NotFound (fields, labels), ValidationError. The caller has a connection open.
    """
    refs = fields.several(question.columns)
    limit = number("limit", question.limit, 1, MOST_ROWS)
    offset = number("offset", question.offset, 0, 2**31)
    selection = Selection(question, now)
    single = [ref for ref in refs if ref.is_single]
    found = sorted_ids(selection, question.sort, limit + 1, offset)
    page = of_ids(selection, single, found[:limit], _JOB)
    ids = [row[-2] for row in page]
    several = _several([ref for ref in refs if not ref.is_single], ids, [row[-1] for row in page])
    rows = []
    for row in page:
        *texts, test_idx, job_idx = row
        values = {ref: selection.shown(ref, value) for ref, value in zip(single, texts, strict=True)}
        rows.append(
            tuple(
                values[ref] if ref.is_single else several[ref][job_idx if ref.field.place is Place.KEYVAL else test_idx]
                for ref in refs
            )
        )
    return Rows(tuple(map(str, refs)), tuple(ids), tuple(rows), len(found) > limit)


def groups(question: Table, now: datetime.datetime) -> Groups:
    """Answer a grouped question with two queries, one more for labels.

    Raises as :func:`ask`, and TooManyRows.
    """
    refs = fields.several(question.columns)
    limit = number("limit", question.limit, 1, MOST_GROUPS)
    offset = number("offset", question.offset, 0, MOST_GROUPS)
    selection = Selection(question, now)
    found: dict[tuple[Any, ...], dict[str, int]] = {}
    for *values, status, count in selection.counted(refs).limit(MOST_GROUPS + 1).tuples():
        key = tuple(selection.shown(ref, value) for ref, value in zip(refs, values, strict=True))
        counts = found.setdefault(key, {})
        word = selection.words[status]
        counts[word] = counts.get(word, 0) + count
        if len(found) > MOST_GROUPS:
            raise errors.TooManyRows(f"more than {MOST_GROUPS:,} groups; narrow them with a condition")
    ordered = sorted(
        found.items(), key=lambda item: (-sum(item[1].values()), [natural(_text(value)) for value in item[0]])
    )
    rows = tuple((key, Counts(counts)) for key, counts in ordered[offset : offset + limit])
    return Groups(tuple(map(str, refs)), rows, len(ordered) > offset + limit)


def count(question: Question, now: datetime.datetime) -> int:
    """How many results are meant."""
    return int(Selection(question, now).query((), _ID).count())


def matching(question: Question, now: datetime.datetime) -> list[int]:
    """The ids of the results that are meant, lowest first. Raises TooManyRows beyond 50,000."""
    query = Selection(question, now).query((), _ID).order_by(_ID).limit(MOST_ROWS + 1)
    ids = [test_idx for (test_idx,) in query.tuples()]
    if len(ids) > MOST_ROWS:
        raise errors.TooManyRows(f"the condition means more than {MOST_ROWS:,} results; narrow it")
    return ids


def sorted_ids(selection: Selection, sort: str, limit: int, offset: int = 0) -> list[int]:
    """The ids of *limit* results after the first *offset*, sorted by the field *sort*, with ``-`` before it descending:
    one query. Without the columns that are shown an index may sort, and MariaDB sorts far less.

    No value stands last, whichever way; equal ones in order of id the same way. Raises NotFound, ValidationError.
    """
    order = _order(selection, sort)
    return [test_idx for (test_idx,) in selection.query((), _ID).order_by(*order).limit(limit).offset(offset).tuples()]


def of_ids(selection: Selection, refs: Sequence[Ref], ids: Sequence[int], *more: Any) -> list[tuple[Any, ...]]:
    """The values of *refs*, the id, and *more*, of the results *ids*, in that order: a query for each 10,000."""
    rows: dict[int, tuple[Any, ...]] = {}
    for some in chunked(ids, _PAGE):
        for row in selection.known(refs, some, _ID, *more).tuples():
            rows[row[len(refs)]] = row
    return [rows[test_idx] for test_idx in ids if test_idx in rows]


def _order(selection: Selection, sort: str) -> list[Any]:
    name = sort.removeprefix("-")
    ref = fields.named(name)
    if not ref.is_single or ref.field.kind is Kind.DAY:
        raise errors.ValidationError({"sort": f"results cannot be sorted by {name!r}"})
    column = selection.column(ref)
    if sort.startswith("-"):
        return [column.desc(), _ID.desc()]
    return [_ID] if column is _ID else [column.is_null(), column, _ID]


def _several(refs: Sequence[Ref], tests: Sequence[int], jobs: Sequence[int]) -> dict[Ref, dict[int, tuple[Any, ...]]]:
    """The values of each field of *refs*, by test_idx, for keyvals by job_idx."""
    found: dict[Ref, dict[int, list[Any]]] = {ref: defaultdict(list) for ref in refs}
    by_place: dict[Place, dict[str, Ref]] = {}
    for ref in refs:
        by_place.setdefault(ref.field.place, {})[ref.key] = ref
    for place, keyed in by_place.items():
        for some in chunked(sorted(set(jobs if place is Place.KEYVAL else tests)), _IDS):
            for index, key, value in _values(place, some, list(keyed)):
                if key in keyed:
                    found[keyed[key]][index].append(value)
    return {
        ref: defaultdict(tuple, {index: tuple(values) for index, values in members.items()})
        for ref, members in found.items()
    }


def _values(place: Place, ids: list[int], keys: list[str]) -> Iterable[tuple[int, str, Any]]:
    if place is Place.LABEL:
        marked, label = tko.TestLabelTest, tko.TestLabel
        query = marked.select(marked.test, SQL("''"), label.name).join(label)
        return query.where(marked.test.in_(ids)).order_by(label.name).tuples()
    if place is Place.KEYVAL:
        keyval = tko.TkoJobKeyval
        return (
            keyval.select(keyval.job, keyval.key, keyval.value)
            .where(keyval.job.in_(ids), keyval.key.in_(keys))
            .tuples()
        )
    if place is Place.PERF:
        perf = tko.IterationResult
        query = perf.select(perf.test, perf.attribute, perf.value).where(perf.test.in_(ids), perf.attribute.in_(keys))
        return query.order_by(perf.test, perf.iteration).tuples()
    if place is Place.ATTRIBUTE:
        made = tko.TestAttribute
        query = made.select(made.test, made.attribute, made.value).where(made.test.in_(ids), made.attribute.in_(keys))
        return query.order_by(made.id).tuples()
    raise errors.ValidationError({"columns": f"{place.value} may stand in a condition only"})


def _shown(value: Any) -> Any:
    return f"{value:%Y-%m-%d %H:%M:%S}" if isinstance(value, datetime.datetime) else value


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
