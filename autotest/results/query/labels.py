"""Labels: marks that people put on results; ``invalidated`` takes results out of every answer."""

from __future__ import annotations

import dataclasses
import datetime
import difflib
from typing import Any, NamedTuple

from peewee import JOIN, chunked, fn

from autotest import errors
from autotest.models.database import retried, transaction
from autotest.models.tko import TestLabel, TestLabelTest, TestResult, TkoJob, TkoJobKeyval
from autotest.results import retries
from autotest.results.query import table
from autotest.results.query.questions import Question

INVALIDATED = "invalidated"
_ROWS = 500


class LabelCount(NamedTuple):
    """A label and how many results carry it."""

    name: str
    description: str
    results: int


def known() -> list[LabelCount]:
    """Every label, by name: one query."""
    amount = fn.COUNT(TestLabelTest.id)
    query = TestLabel.select(TestLabel.name, TestLabel.description, amount).join(TestLabelTest, JOIN.LEFT_OUTER)
    rows = query.group_by(TestLabel.id, TestLabel.name, TestLabel.description).order_by(TestLabel.name).tuples()
    return [LabelCount(*row) for row in rows]


@retried
def create(name: str, description: str = "") -> None:
    """Make a label, or give the one of that name another description. Raises ValidationError for a name that is empty,
    longer than its column or holds what does not print."""
    longest = TestLabel.name.max_length
    if not 0 < len(name) <= longest or not name.isprintable() or name != name.strip():
        raise errors.ValidationError({"name": f"{name[:80]!r} is not 1 to {longest} characters that print"})
    with transaction():
        if not TestLabel.update(description=description).where(TestLabel.name == name).execute():
            TestLabel.create(name=name, description=description)


@retried
def delete(name: str, dry_run: bool = False) -> int:
    """Delete a label; the results stay. Returns how many carried it. Raises NotFound, ValidationError for the one that
    always exists."""
    if name == INVALIDATED:
        raise errors.ValidationError({"name": f"the label {INVALIDATED!r} always exists"})
    with transaction():
        label = _named(name)
        carried = TestLabelTest.select().where(TestLabelTest.testlabel == label).count()
        if not dry_run:
            TestLabelTest.delete().where(TestLabelTest.testlabel == label).execute()
            label.delete_instance()
    return carried


@retried
def add(name: str, question: Question, now: datetime.datetime, dry_run: bool = False) -> int:
    """Put a label on every result that is meant. Returns how many did not carry it yet.

    ``invalidated`` also takes the results out of every answer. Raises ValidationError for an empty condition,
    BadCondition, NotFound, TooManyRows.
    """
    _refuse_everything(question)
    with transaction():
        label = _named(name)
        ids = table.matching(question, now)
        marked = set(_carriers(label, ids))
        fresh = [test_idx for test_idx in ids if test_idx not in marked]
        if not dry_run:
            for some in chunked(fresh, _ROWS):
                rows = [{"testlabel": label.id, "test": test_idx} for test_idx in some]
                TestLabelTest.insert_many(rows).on_conflict_ignore().execute()
                if name == INVALIDATED:
                    TestResult.update(invalid=True).where(TestResult.test_idx.in_(some)).execute()
    return len(fresh)


@retried
def remove(name: str, question: Question, now: datetime.datetime, dry_run: bool = False) -> int:
    """Take a label off every result that is meant. Returns how many carried it.

    Without ``invalidated`` a result counts again, unless a retry took its place. Raises as :func:`add`.
    """
    _refuse_everything(question)
    if name == INVALIDATED:
        question = dataclasses.replace(question, with_invalid=True)
    with transaction():
        label = _named(name)
        carriers = _carriers(label, table.matching(question, now))
        if not dry_run:
            for some in chunked(carriers, _ROWS):
                TestLabelTest.delete().where(TestLabelTest.testlabel == label, TestLabelTest.test.in_(some)).execute()
                if name == INVALIDATED:
                    _validate(some)
    return len(carriers)


def _validate(ids: list[int]) -> None:
    """Let results count again whose job was not retried."""
    job_of = dict(
        TestResult.select(TestResult.test_idx, TkoJob.afe_job_id)
        .join(TkoJob)
        .where(TestResult.test_idx.in_(ids))
        .tuples()
    )
    wanted = sorted({str(job_id) for job_id in job_of.values() if job_id is not None})
    retried_jobs = TkoJobKeyval.select(TkoJobKeyval.value).where(
        TkoJobKeyval.key == retries.KEY, TkoJobKeyval.value.in_(wanted)
    )
    replaced = {value for (value,) in retried_jobs.tuples()} if wanted else set()
    back = [test_idx for test_idx, job_id in job_of.items() if str(job_id) not in replaced]
    TestResult.update(invalid=False).where(TestResult.test_idx.in_(back)).execute()


def _carriers(label: Any, ids: list[int]) -> list[int]:
    found: list[int] = []
    for some in chunked(ids, _ROWS):
        query = TestLabelTest.select(TestLabelTest.test).where(
            TestLabelTest.testlabel == label, TestLabelTest.test.in_(some)
        )
        found += [test_idx for (test_idx,) in query.tuples()]
    return found


def _named(name: str) -> Any:
    label = TestLabel.get_or_none(TestLabel.name == name)
    if label is None:
        names = [each for (each,) in TestLabel.select(TestLabel.name).order_by(TestLabel.name).tuples()]
        near = difflib.get_close_matches(name, names, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else f"; labels: {', '.join(names)}"
        raise errors.NotFound(f"no test label is called {name!r}{hint}")
    return label


def _refuse_everything(question: Question) -> None:
    if not question.where.strip():
        raise errors.ValidationError({"where": "say which results; a condition that means all of them is refused"})
