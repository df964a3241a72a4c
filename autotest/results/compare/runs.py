"""Runs: the results of two builds, and whether each passed only when it was retried."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from autotest import errors
from autotest.models.tko import TestResult
from autotest.results import retries
from autotest.results.query import fields
from autotest.results.query.questions import MOST_ROWS
from autotest.results.query.selection import Selection
from autotest.states import Outcome

_FAILED = frozenset({Outcome.ABORT.value, Outcome.ERROR.value, Outcome.FAIL.value})
_REFS = "test,board,{build},status,id,job_id,host,tag,reason,invalid,keyval." + retries.KEY


class Run(NamedTuple):
    """One result that counts. *was_retried* says that an earlier attempt in its place failed, or left no result."""

    test: str
    board: str | None
    build: str
    status: str
    test_idx: int
    job_id: int | None
    host: str | None
    tag: str | None
    reason: str
    was_retried: bool = False

    @property
    def failed(self) -> bool:
        """ABORT, ERROR or FAIL; WARN fails no build."""
        return self.status in _FAILED


def read(selection: Selection, build_field: str = "build") -> list[Run]:
    """The results that count, of a selection that holds the retried ones as well: one query. Raises TooManyRows."""
    refs = fields.several(_REFS.format(build=build_field))
    rows = list(selection.query(refs, TestResult.invalidates_test).limit(MOST_ROWS + 1).tuples())
    if len(rows) > MOST_ROWS:
        raise errors.TooManyRows(f"more than {MOST_ROWS:,} results; narrow them by suite or board")
    words = selection.words
    status_of = {test_idx: words[status] for _test, _board, _build, status, test_idx, *_more in rows}
    runs = []
    for test, board, build, status, test_idx, job_id, host, tag, reason, invalid, original, replaced in rows:
        if invalid or test is None or build is None:
            continue
        was_retried = original is not None and _failed_before(replaced, status_of)
        runs.append(Run(test, board, build, words[status], test_idx, job_id, host, tag, reason or "", was_retried))
    return runs


def _failed_before(replaced: int | None, status_of: Mapping[int, str]) -> bool:
    """A retry runs all tests of its job again, also those that had passed."""
    return replaced is None or status_of.get(replaced) != Outcome.GOOD.value
