"""Questions: how long people wait for an answer from a million results, beside the same statements without us."""

from __future__ import annotations

import dataclasses
import datetime
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from autotest.bench import installation, measure, tko_rows
from autotest.bench.installation import Plan
from autotest.bench.measure import Figure, Target
from autotest.bench.tko_rows import Filled
from autotest.models import database
from autotest.models.database import db
from autotest.results.query import answers
from autotest.results.query.questions import Builds, Details, History, Matrix, Question, Reasons, Table

_LONGEST_MS = 200
_BASELINE = "the same statements with the same values, and their rows fetched"
_Statement = tuple[str, Any]


def run(plan: Plan) -> list[Figure]:
    """The 95th percentile in ms of six questions, each asked of other suites, boards or tests in turn."""
    rows, asked = (1_000_000, 40) if plan.full else (4_000, 3)
    figures = []
    with installation.fresh(plan, with_broker=False), database.connection():
        filled = tko_rows.fill(rows)
        now = database.utc_now()
        for name, make in _kinds(filled):
            ours, bare = [], []
            for number in range(plan.runs):
                chance = random.Random(number)
                times = [_answered(make(chance), now) for _ in range(asked)]
                ours.append(measure.percentile([time.ours for time in times], 95))
                bare.append(measure.percentile([time.bare for time in times], 95))
            target = Target("at most", _LONGEST_MS) if plan.full else None
            figures.append(Figure(f"{name}, {filled.rows:,} rows, p95", "ms", ours, bare, _BASELINE, target))
    return figures


@dataclasses.dataclass(frozen=True)
class _Times:
    """Milliseconds of one question: *ours*, and of its *bare* statements."""

    ours: float
    bare: float


def _kinds(filled: Filled) -> Sequence[tuple[str, Callable[[random.Random], Question]]]:
    suites = list(tko_rows.SUITES)

    def matrix(chance: random.Random) -> Question:
        return Matrix(where=f"suite = {chance.choice(suites)}", last=min(20, len(filled.builds)))

    def history(chance: random.Random) -> Question:
        suite = chance.choice(suites)
        return History(test=f"{suite}_Test{chance.randrange(tko_rows.SUITES[suite]):03}")

    def last_build(chance: random.Random) -> Question:
        board = chance.choice((None, *tko_rows.BOARDS))
        return Builds(where=f"board = {board}" if board else "")

    def newest(chance: random.Random) -> Question:
        return Table(where=f"suite = {chance.choice(suites)}")

    def details(chance: random.Random) -> Question:
        return Details(where=f"id = {2 * chance.randrange(1, filled.rows // 2)}")

    def reasons(chance: random.Random) -> Question:
        return Reasons(where=f"build = {chance.choice(filled.builds)}")

    return (
        ("matrix of a suite x 20 builds", matrix),
        ("history of a test", history),
        ("last build, of all boards or one", last_build),
        ("newest results of a suite", newest),
        ("every fact of a result", details),
        ("why results of a build failed", reasons),
    )


def _answered(question: Question, now: datetime.datetime) -> _Times:
    with _noted() as statements:
        answers.to(question, now)
    with measure.stopwatch() as ours:
        answers.to(question, now)
    with measure.stopwatch() as bare:
        for sql, values in statements:
            db.execute_sql(sql, values).fetchall()
    return _Times(1000 * ours.seconds, 1000 * bare.seconds)


@contextmanager
def _noted() -> Iterator[list[_Statement]]:
    """Every statement that the block sends."""
    handle, sent = db.obj, []
    real = handle.execute_sql

    def execute_sql(sql: str, params: Any = None) -> Any:
        sent.append((sql, params))
        return real(sql, params)

    handle.execute_sql = execute_sql
    try:
        yield sent
    finally:
        del handle.execute_sql
