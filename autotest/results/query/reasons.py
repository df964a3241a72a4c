"""Reasons: why results did not pass, the most frequent first, whatever numbers each message holds."""

from __future__ import annotations

import dataclasses
import datetime
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any

from peewee import fn

from autotest import errors
from autotest.models.tko import TestResult
from autotest.results.query import fields
from autotest.results.query.questions import MOST_ROWS, Reasons, number
from autotest.results.query.selection import Selection

#: What did not pass, and is over.
NOT_PASSED = "status in (FAIL, ERROR, ABORT, WARN)"
#: So many characters of a reason are told from another.
LONGEST = 500
_DIGITS = re.compile(r"\d+")
_COLUMNS = fields.several("id,status,test")


@dataclasses.dataclass(frozen=True)
class ReasonGroup:
    """One reason with ``NN`` for its numbers: how many *results* give it, by status, of how many *tests*, and the
    *newest* of them. A result that gives several reasons counts for each."""

    text: str
    results: int
    tests: int
    statuses: dict[str, int]
    newest: int


@dataclasses.dataclass(frozen=True)
class ReasonSummary:
    """The groups, most results first; *results* did not pass in all. *more* says that there are rarer reasons."""

    groups: tuple[ReasonGroup, ...]
    results: int
    more: bool

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def ask(question: Reasons, now: datetime.datetime) -> ReasonSummary:
    """Answer with two queries, one more for labels.

    Raises BadCondition, NotFound (labels), ValidationError, TooManyRows. The caller has a connection open.
    """
    limit = number("limit", question.limit, 1, MOST_ROWS)
    selection = Selection(question, now, NOT_PASSED)
    query = selection.query(_COLUMNS, fn.SUBSTR(TestResult.reason, 1, LONGEST)).limit(MOST_ROWS + 1)
    statuses: dict[str, Counter[str]] = {}
    tests: dict[str, set[str | None]] = {}
    newest: dict[str, int] = {}
    results = 0
    for test_idx, status, test, reason in query.tuples():
        results += 1
        for text in parts(reason or ""):
            statuses.setdefault(text, Counter())[selection.words[status]] += 1
            tests.setdefault(text, set()).add(test)
            newest[text] = max(test_idx, newest.get(text, 0))
    if results > MOST_ROWS:
        raise errors.TooManyRows(f"more than {MOST_ROWS:,} results did not pass; narrow them with a condition")
    ordered = sorted(statuses, key=lambda text: (-statuses[text].total(), text))
    groups = (
        ReasonGroup(text, statuses[text].total(), len(tests[text]), dict(sorted(statuses[text].items())), newest[text])
        for text in ordered[:limit]
    )
    return ReasonSummary(tuple(groups), results, len(ordered) > limit)


def parts(reason: str) -> Iterator[str]:
    """The reasons of one result as they are counted: split at ``|``, blanks collapsed, ``NN`` for digits; one that says
    nothing is ''."""
    found = {_DIGITS.sub("NN", " ".join(part.split())) for part in reason.split("|")}
    yield from sorted(found - {""}) or ("",)
