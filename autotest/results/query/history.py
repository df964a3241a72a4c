"""History: the runs of one test, newest first, and since when it fails."""

from __future__ import annotations

import dataclasses
import datetime
from typing import Any, NamedTuple

from autotest import errors
from autotest.models.tko import TestResult
from autotest.results.query import fields
from autotest.results.query.counts import NOT_COMPLETE, PASSED, Counts
from autotest.results.query.fields import Place
from autotest.results.query.questions import MOST_ROWS, History, number
from autotest.results.query.selection import Selection

_COLUMNS = fields.several("id,status,build,board,host,tag,subdir,started,finished,invalid,reason")


class Run(NamedTuple):
    """One result of the test; the fields are those of conditions."""

    id: int
    status: str
    build: str | None
    board: str | None
    host: str | None
    tag: str | None
    subdir: str | None
    started: datetime.datetime | None
    finished: datetime.datetime | None
    invalid: bool
    reason: str | None


@dataclasses.dataclass(frozen=True)
class TestHistory:
    """The last runs, newest first; *more* says that there are older ones."""

    __test__ = False

    test: str
    runs: tuple[Run, ...]
    more: bool

    @property
    def counts(self) -> Counts:
        """The runs that are shown, by status."""
        found: dict[str, int] = {}
        for run in self.runs:
            found[run.status] = found.get(run.status, 0) + 1
        return Counts(found)

    @property
    def failing_since(self) -> Run | None:
        """The oldest of the runs that did not pass, from the newest back to the first that did; None if that passed."""
        oldest = None
        for run in self.runs:
            if run.status == PASSED:
                break
            if run.status not in NOT_COMPLETE:
                oldest = run
        return oldest

    def to_json(self) -> dict[str, Any]:
        """Times as ``YYYY-MM-DD HH:MM:SS`` in UTC."""
        since = self.failing_since
        return {
            "test": self.test,
            **self.counts.to_json(),
            "failing_since": None if since is None else since.id,
            "more": self.more,
            "runs": [{name: _shown(value) for name, value in run._asdict().items()} for run in self.runs],
        }


def ask(question: History, now: datetime.datetime) -> TestHistory:
    """Answer with two queries, one more for labels.

    Raises BadCondition, NotFound (also for a test without any result), ValidationError. The caller has a connection
    open.
    """
    limit = number("limit", question.limit, 1, MOST_ROWS)
    selection = Selection(question, now)
    selection.narrowed(Place.TEST, TestResult.test == question.test)
    query = selection.query(_COLUMNS).order_by(TestResult.finished_time.desc(), TestResult.test_idx.desc())
    rows = list(query.limit(limit + 1).tuples())
    if not rows and not TestResult.select().where(TestResult.test == question.test).exists():
        raise errors.NotFound(f"no result is of a test {question.test!r}{_neighbours(question.test)}")
    runs = [
        Run(*(selection.shown(ref, value) for ref, value in zip(_COLUMNS, row, strict=True))) for row in rows[:limit]
    ]
    return TestHistory(question.test, tuple(runs), len(rows) > limit)


def _neighbours(name: str) -> str:
    """The tests before and after it by name: two looks into the index, however many there are."""
    test = TestResult.test
    before = TestResult.select(test).where(test < name).order_by(test.desc()).limit(1).tuples()
    after = TestResult.select(test).where(test > name).order_by(test).limit(1).tuples()
    near = [found for (found,) in (*before, *after)]
    return f"; next to it by name: {', '.join(near)}" if near else ""


def _shown(value: Any) -> Any:
    return f"{value:%Y-%m-%d %H:%M:%S}" if isinstance(value, datetime.datetime) else value
