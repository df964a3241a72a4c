"""Details: every fact that is stored of a result, from its job's keyvals to each value of each iteration."""

from __future__ import annotations

import dataclasses
import datetime
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from autotest import errors
from autotest.models import tko
from autotest.models.tko import TestResult
from autotest.results.query import conditions, fields, table
from autotest.results.query.questions import MOST_VALUES, Details, number
from autotest.results.query.selection import Selection

#: So many results are told at most.
MOST_RESULTS = 500
_FACTS = tuple(fields.Ref(field) for field in fields.FIELDS if fields.Ref(field).is_single)
_CHART = tko.IterationPerfValue
_METRIC = (
    *(_CHART.test, _CHART.graph, _CHART.description, _CHART.value, _CHART.stddev, _CHART.units),
    _CHART.higher_is_better,
)


class Iteration(NamedTuple):
    """What iteration *number*, from 1, wrote: texts and numbers by name, None for what was no number."""

    number: int
    attributes: dict[str, str | None]
    perf: dict[str, float | None]


class Metric(NamedTuple):
    """A metric of the test's chart: the mean of what was measured, and its deviation, in *units*."""

    graph: str | None
    description: str | None
    value: float | None
    deviation: float | None
    units: str | None
    higher_is_better: bool


@dataclasses.dataclass(frozen=True)
class TestDetails:
    """One result. *facts* holds each field of conditions that has one value.

    *attributes* is what the test wrote, *given* what people gave. *iterations* are those that wrote something.
    *keyvals* are those of its job; *folder*, where its logs are, is relative to the results root. *retries* is the
    result whose place this one took, *retried_as* the one that took its place.
    """

    __test__ = False

    facts: Mapping[str, Any]
    folder: str
    labels: tuple[str, ...]
    attributes: Mapping[str, str | None]
    given: Mapping[str, str | None]
    metrics: tuple[Metric, ...]
    iterations: tuple[Iteration, ...]
    keyvals: Mapping[str, str]
    retries: int | None
    retried_as: int | None

    @property
    def tag(self) -> str:
        """The folder of its job, or ''."""
        return self.facts["tag"] or ""

    def to_json(self) -> dict[str, Any]:
        """Times as ``YYYY-MM-DD HH:MM:SS`` in UTC."""
        return {
            **{field.name: getattr(self, field.name) for field in dataclasses.fields(self)},
            "facts": {name: _shown(value) for name, value in self.facts.items()},
            "metrics": [metric._asdict() for metric in self.metrics],
            "iterations": [iteration._asdict() for iteration in self.iterations],
        }


@dataclasses.dataclass(frozen=True)
class ManyDetails:
    """The results that are meant, newest first; *more* says that there are older ones."""

    results: tuple[TestDetails, ...]
    more: bool

    def to_json(self) -> dict[str, Any]:
        return {"results": [each.to_json() for each in self.results], "more": self.more}


def named(name: str) -> str:
    """The condition that means a result by its number (``4711``) or its folder (``17-ann/host1/sleeptest``), or all
    results of a job's folder (``17-ann/host1``)."""
    if name.isascii() and name.isdigit() and len(name) < 19:
        return f"id = {name}"
    steps = name.strip("/").split("/")
    meant = [f"tag = {conditions.quoted('/'.join(steps))}"]
    for cut in range(1, len(steps)):
        tag, subdir = "/".join(steps[:cut]), "/".join(steps[cut:])
        meant.append(f"tag = {conditions.quoted(tag)} and subdir = {conditions.quoted(subdir)}")
    return " or ".join(meant)


def ask(question: Details, now: datetime.datetime) -> ManyDetails:
    """Answer with ten queries, one more for labels in the condition.

    Raises BadCondition, NotFound (labels), ValidationError, TooManyRows. The caller has a connection open.
    """
    limit = number("limit", question.limit, 1, MOST_RESULTS)
    selection = Selection(question, now)
    found = table.sorted_ids(selection, "-finished", limit + 1)
    rows = table.of_ids(selection, _FACTS, found[:limit], TestResult.job, TestResult.invalidates_test)
    around = _Around([row[-3] for row in rows], [row[-2] for row in rows])
    return ManyDetails(tuple(_details(selection, row, around) for row in rows), len(found) > limit)


class _Around:
    """What is stored around the results *tests* of *jobs*: seven queries. Raises TooManyRows."""

    def __init__(self, tests: Sequence[int], jobs: Sequence[int]):
        mark, label = tko.TestLabelTest, tko.TestLabel
        self.labels: dict[int, list[str]] = defaultdict(list)
        marked = mark.select(mark.test, label.name).join(label).where(mark.test.in_(tests)).order_by(label.name)
        for test_idx, name in marked.tuples():
            self.labels[test_idx].append(name)
        self.attributes: dict[tuple[int, bool], dict[str, str | None]] = defaultdict(dict)
        row = tko.TestAttribute
        wrote = _limited(row, (row.test, row.user_created, row.attribute, row.value), row.test.in_(tests), row.id)
        for test_idx, given, name, value in wrote:
            self.attributes[test_idx, bool(given)][name] = value
        self.keyvals: dict[int, dict[str, str]] = defaultdict(dict)
        pair = tko.TkoJobKeyval
        for job_idx, key, value in _limited(pair, (pair.job, pair.key, pair.value), pair.job.in_(jobs), pair.id):
            self.keyvals[job_idx][key] = value
        self.texts = _by_iteration(tko.IterationAttribute, tests)
        self.numbers = _by_iteration(tko.IterationResult, tests)
        self.metrics: dict[int, list[Metric]] = defaultdict(list)
        for test_idx, *values in _limited(_CHART, _METRIC, _CHART.test.in_(tests)):
            metric = Metric(*values)
            self.metrics[test_idx].append(metric._replace(higher_is_better=bool(metric.higher_is_better)))
        later = TestResult.alias()
        retries = later.select(later.invalidates_test, later.test_idx).where(later.invalidates_test.in_(tests))
        self.retried_as: dict[int, int] = dict(retries.order_by(later.test_idx).tuples())

    def iterations(self, test_idx: int) -> tuple[Iteration, ...]:
        """Those that wrote something, in order."""
        texts, numbers = self.texts[test_idx], self.numbers[test_idx]
        there = sorted(texts.keys() | numbers.keys())
        return tuple(Iteration(count, texts.get(count, {}), numbers.get(count, {})) for count in there)


def _by_iteration(model: Any, tests: Sequence[int]) -> dict[int, dict[int, dict[str, Any]]]:
    """What iterations wrote, by test_idx, number and name."""
    rows = _limited(model, (model.test, model.iteration, model.attribute, model.value), model.test.in_(tests))
    found: dict[int, dict[int, dict[str, Any]]] = defaultdict(lambda: defaultdict(dict))
    for test_idx, count, name, value in sorted(rows, key=lambda row: (row[1] or 0, row[2] or "")):
        found[test_idx][count or 0][name or ""] = value
    return found


def _limited(model: Any, columns: Sequence[Any], meant: Any, *order: Any) -> list[tuple[Any, ...]]:
    rows = list(model.select(*columns).where(meant).order_by(*order).limit(MOST_VALUES + 1).tuples())
    if len(rows) > MOST_VALUES:
        raise errors.TooManyRows(f"these results wrote more than {MOST_VALUES:,} values of one kind; ask for fewer")
    return rows


def _details(selection: Selection, row: tuple[Any, ...], around: _Around) -> TestDetails:
    *values, test_idx, job_idx, retries = row
    facts = {str(ref): selection.shown(ref, value) for ref, value in zip(_FACTS, values, strict=True)}
    subdir = facts["subdir"]
    return TestDetails(
        facts=facts,
        folder=(facts["tag"] or "") + ("" if subdir in (None, "", "----") else f"/{subdir}"),
        labels=tuple(around.labels[test_idx]),
        attributes=around.attributes[test_idx, False],
        given=around.attributes[test_idx, True],
        metrics=tuple(sorted(around.metrics[test_idx], key=lambda each: (each.graph or "", each.description or ""))),
        iterations=around.iterations(test_idx),
        keyvals=around.keyvals[job_idx],
        retries=retries,
        retried_as=around.retried_as.get(test_idx),
    )


def _shown(value: Any) -> Any:
    return f"{value:%Y-%m-%d %H:%M:%S}" if isinstance(value, datetime.datetime) else value
