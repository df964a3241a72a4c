"""Selection: the results that a question means, as one query; fields become columns, values only ever parameters."""

from __future__ import annotations

import dataclasses
import datetime
import math
import re
from collections.abc import Sequence
from typing import Any, NamedTuple
from urllib.parse import quote

import peewee
from peewee import JOIN, SQL, NodeList, fn

from autotest import errors
from autotest.models import database, tko
from autotest.models.tko import Kernel, Machine, Status, TestLabel, TestLabelTest, TestResult, TkoJob
from autotest.results.query import conditions, fields
from autotest.results.query.conditions import All, Compare, Node, Not, Op
from autotest.results.query.fields import Kind, Place, Ref
from autotest.results.query.questions import Question
from autotest.states import Outcome

_MODELS = {Place.TEST: TestResult, Place.JOB: TkoJob, Place.MACHINE: Machine, Place.KERNEL: Kernel}
_HOST_LABELS = "host-labels"
_NEVER, _ALWAYS = SQL("1 = 0"), SQL("1 = 1")


class _Column(NamedTuple):
    """What to select for a field, and the outer joins (model, condition) that it takes."""

    value: Any
    joins: tuple[tuple[Any, Any], ...] = ()


class Selection:
    """The results that *question* means at the moment *now*, of those the ones for which the condition *also* holds.

    Raises BadCondition; NotFound for a label that nobody made. The caller has a connection open. Making it takes one
    query, two when the condition names labels.
    """

    def __init__(self, question: Question, now: datetime.datetime, also: str = ""):
        self.condition = conditions.parse(question.where, now)
        if also.strip():
            self.condition = All((self.condition, conditions.parse(also, now)))
        self.words: dict[int, str] = dict(Status.select(Status.status_idx, Status.word).tuples())
        named = list(conditions.comparisons(self.condition))
        self._labels = _labels() if any(one.ref.field.place is Place.LABEL for one in named) else {}
        self._places = {one.ref.field.place for one in named}
        self._where = [self._compiled(self.condition, False)]
        if not question.with_invalid and not any(one.ref.field.name == "invalid" for one in named):
            self._where.append(~TestResult.invalid)
        if not question.with_job_records:
            self._where.append(_of_a_test())

    @property
    def is_about_jobs(self) -> bool:
        """Whether the condition names nothing that results of one job may differ in."""
        return self._places <= {Place.JOB}

    def jobs_only(self) -> Any:
        """The condition alone, over tko_jobs, when it is about jobs."""
        return self._where[0]

    def fixed(self) -> list[Any]:
        """The columns of tko_jobs that have one value in all these results, since the condition says so."""
        parts = self.condition.parts if isinstance(self.condition, All) else (self.condition,)
        equal = [
            one.ref.field for one in parts if isinstance(one, Compare) and one.op is Op.EQUAL and len(one.values) == 1
        ]
        return [getattr(TkoJob, field.column) for field in equal if field.place is Place.JOB]

    def narrowed(self, place: Place, expression: Any) -> None:
        """Keep to those for which *expression*, over the columns of *place*, holds as well."""
        self._places.add(place)
        self._where.append(expression)

    def query(self, refs: Sequence[Ref], *more: Any) -> Any:
        """SELECT the values of *refs*, then *more*, of the results. A result with several values of one of *refs* comes
        several times, one with none with NULL."""
        return self._select(refs, [_column(ref) for ref in refs], more, self._where)

    def known(self, refs: Sequence[Ref], ids: Sequence[int], *more: Any) -> Any:
        """SELECT the values of *refs*, then *more*, of the results *ids*, which were found to be meant. Without the
        condition no database looks for them by anything else."""
        return self._select(refs, [_column(ref) for ref in refs], more, [TestResult.test_idx.in_(ids)])

    def counted(self, refs: Sequence[Ref]) -> Any:
        """SELECT the values of *refs*, the status, and how many results there are of each combination."""
        columns = [_column(ref) for ref in refs]
        query = self._select(refs, columns, (TestResult.status, fn.COUNT(TestResult.test_idx)), self._where)
        return query.group_by(*(column.value for column in columns), TestResult.status)

    def latest(self, refs: Sequence[Ref]) -> Any:
        """SELECT the values of *refs*, the status, and 1, of the last result of each combination; TEST_NA and NOSTATUS
        are no results."""
        nothing = [index for index, word in self.words.items() if word in (Outcome.TEST_NA, Outcome.NOSTATUS)]
        self.narrowed(Place.TEST, TestResult.status.not_in(nothing))
        columns = [_column(ref) for ref in refs]
        named = [_Column(each.value.alias(f"c{number}"), each.joins) for number, each in enumerate(columns)]
        cells = self._select(refs, named, (fn.MAX(TestResult.test_idx).alias("newest"),), self._where)
        cells = cells.group_by(*(column.value for column in columns)).alias("cells")
        result = TestResult.alias()
        values = [getattr(cells.c, f"c{number}") for number in range(len(refs))]
        return result.select(*values, result.status, SQL("1")).join(cells, on=(result.test_idx == cells.c.newest))

    def _select(
        self, refs: Sequence[Ref], columns: Sequence[_Column], more: Sequence[Any], where: Sequence[Any]
    ) -> Any:
        places = self._places | {ref.field.place for ref in refs}
        query = TestResult.select(*(column.value for column in columns), *more)
        if places & {Place.JOB, Place.MACHINE}:
            query = query.join_from(TestResult, TkoJob, on=(TestResult.job == TkoJob.job_idx))
        if Place.MACHINE in places:
            query = query.join_from(TkoJob, Machine, on=(TkoJob.machine == Machine.machine_idx))
        if Place.KERNEL in places:
            query = query.join_from(TestResult, Kernel, on=(TestResult.kernel == Kernel.kernel_idx))
        for model, on in (join for column in columns for join in column.joins):
            query = query.join_from(TestResult, model, JOIN.LEFT_OUTER, on=on)
        return query.where(*where)

    def column(self, ref: Ref) -> Any:
        """The column of a field with one value, for an order; its table is part of every later query."""
        self._places.add(ref.field.place)
        return getattr(_MODELS[ref.field.place], ref.field.column)

    def shown(self, ref: Ref, value: Any) -> Any:
        """A value as the database gave it, as Python has it: words for statuses, ``2026-11-21`` for days."""
        kind = ref.field.kind
        if value is None:
            return None
        if kind is Kind.STATUS:
            return self.words[value]
        if kind is Kind.DAY:
            return str(value)[:10]
        if kind is Kind.TIME:
            return TestResult.started_time.python_value(value)
        return bool(value) if kind is Kind.FLAG else value

    def _compiled(self, node: Node, negated: bool) -> Any:
        """The condition as an expression that is true or false, never NULL, for each result."""
        if isinstance(node, Not):
            return self._compiled(node.part, not negated)
        if isinstance(node, Compare):
            return self._comparison(node, negated)
        parts = [self._compiled(part, negated) for part in node.parts]
        is_all = isinstance(node, All) is not negated
        joined = _ALWAYS if is_all else _NEVER
        for number, part in enumerate(parts):
            joined = part if number == 0 else (joined & part if is_all else joined | part)
        return joined

    def _comparison(self, one: Compare, negated: bool) -> Any:
        place = one.ref.field.place
        if place in fields.SINGLE:
            return self._single(one, negated)
        if place is Place.LABEL:
            return self._label(one, negated)
        found = _exists_host_label(one) if place is Place.HOST_LABEL else _exists(one)
        return ~found if negated else found

    def _single(self, one: Compare, negated: bool) -> Any:
        field = one.ref.field
        column = getattr(_MODELS[field.place], field.column)
        if one.op is Op.NONE:
            return column.is_null(not negated)
        if field.kind is Kind.STATUS:
            wanted = [index for index, word in self.words.items() if _holds(one, word) is not negated]
            return column.in_(wanted) if wanted else _NEVER
        compared = {Kind.DAY: _day, Kind.NUMBER: _whole}.get(field.kind, _compared)
        found = compared(column, one)
        return (~found) | column.is_null() if negated else found

    def _label(self, one: Compare, negated: bool) -> Any:
        marked = TestLabelTest.select(TestLabelTest.test)
        if one.op is Op.NONE:
            return TestResult.test_idx.in_(marked) if negated else TestResult.test_idx.not_in(marked)
        if one.op is Op.EQUAL:
            for name in one.values:
                if name not in self._labels:
                    raise _no_label(str(name), self._labels)
        wanted = [index for name, index in self._labels.items() if _holds(one, name)]
        if not wanted:
            return _ALWAYS if negated else _NEVER
        marked = marked.where(TestLabelTest.testlabel.in_(wanted))
        return TestResult.test_idx.not_in(marked) if negated else TestResult.test_idx.in_(marked)


def pattern(text: str) -> re.Pattern[str]:
    """A pattern of ``~`` as Python has it: ``*`` anything, ``?`` one character, all else itself."""
    parts = {"*": ".*", "?": "."}
    return re.compile("".join(parts.get(char) or re.escape(char) for char in re.sub(r"\*+", "*", text)), re.DOTALL)


def _labels() -> dict[str, int]:
    return dict(TestLabel.select(TestLabel.name, TestLabel.id).tuples())


def _no_label(name: str, known: dict[str, int]) -> errors.NotFound:
    return errors.NotFound(f"no test label is called {name!r}; labels: {', '.join(sorted(known))}")


def _of_a_test() -> Any:
    """Not SERVER_JOB, nothing that begins with CLIENT_JOB (a range, since _ is a wildcard of LIKE), and nothing that a
    suite job repeats of its children, whose subdir is ``<id>-<owner>/<host>[/<test>]`` (section 3.3)."""
    test, subdir = TestResult.test, TestResult.subdir
    is_client_job = (test >= "CLIENT_JOB") & (test < "CLIENT_JOC")
    is_repeated = (subdir >= "0") & (subdir < ":") & _like(subdir, "*-*/*")
    return (((test != "SERVER_JOB") & ~is_client_job) | test.is_null()) & (~is_repeated | subdir.is_null())


def _holds(one: Compare, text: str) -> bool:
    """Whether a text that is at hand, a status word or a label, is what is wanted."""
    if one.op is Op.LIKE:
        return any(pattern(str(value)).fullmatch(text) for value in one.values)
    return text in one.values


def _bound(value: Any) -> Any:
    """A parameter, as it is: the column's own conversion would make 1 of 1.5."""
    if isinstance(value, bool):
        value = int(value)
    elif isinstance(value, datetime.datetime):
        value = TestResult.started_time.db_value(value)
    return peewee.Value(value, converter=False)


def _compared(column: Any, one: Compare) -> Any:
    if one.op is Op.EQUAL:
        values = [_bound(value) for value in one.values]
        return column == values[0] if len(values) == 1 else column.in_(values)
    (value,) = one.values
    if one.op is Op.LIKE:
        return _like(column, str(value))
    return {
        Op.LESS: column < _bound(value),
        Op.AT_MOST: column <= _bound(value),
        Op.MORE: column > _bound(value),
        Op.AT_LEAST: column >= _bound(value),
    }[one.op]


def _whole(column: Any, one: Compare) -> Any:
    """A column of integers is compared with integers: MariaDB finds 2 where an index is asked for 1.5."""
    numbers = [value for value in one.values if isinstance(value, (int, float))]
    if one.op is Op.EQUAL:
        values = tuple(int(each) for each in numbers if each == int(each) and abs(each) <= conditions.LARGEST)
        return _compared(column, dataclasses.replace(one, values=values)) if values else _NEVER
    rounded = math.ceil if one.op in (Op.LESS, Op.AT_LEAST) else math.floor
    whole = max(-conditions.LARGEST, min(conditions.LARGEST, rounded(numbers[0])))
    return _compared(column, dataclasses.replace(one, values=(whole,)))


def _like(column: Any, wanted: str) -> Any:
    """The two databases have different patterns that tell upper from lower case."""
    if database.is_sqlite():
        return _Term((column, SQL("GLOB"), _bound(wanted.replace("[", "[[]"))))
    for char in "!%_":
        wanted = wanted.replace(char, "!" + char)
    return _Term((column, SQL("LIKE"), _bound(wanted.replace("*", "%").replace("?", "_")), SQL("ESCAPE '!'")))


class _Term(NodeList):
    """A comparison that peewee has no operator for, in parentheses; ``~`` negates it as it does any other."""

    def __init__(self, nodes: Sequence[Any]):
        super().__init__(nodes, parens=True)

    def __invert__(self) -> Any:
        return _Term((SQL("NOT"), self))

    def __and__(self, other: Any) -> Any:
        return peewee.Expression(self, peewee.OP.AND, other)

    def __or__(self, other: Any) -> Any:
        return peewee.Expression(self, peewee.OP.OR, other)


def _day(column: Any, one: Compare) -> Any:
    """Days are compared by the moments at which they begin, so that an index serves."""
    found: Any = None
    for day in one.values:
        begin = datetime.datetime.fromisoformat(f"{day}T00:00:00+00:00")
        start, end = _bound(begin), _bound(begin + datetime.timedelta(days=1))
        part = {
            Op.EQUAL: (column >= start) & (column < end),
            Op.LESS: column < start,
            Op.AT_MOST: column < end,
            Op.MORE: column >= end,
            Op.AT_LEAST: column >= start,
        }[one.op]
        found = part if found is None else found | part
    return found


def _family(place: Place) -> tuple[Any, Any, Any, Any]:
    """Where a family is stored: (model, its reference, what that refers to, its key)."""
    if place is Place.KEYVAL:
        model = tko.TkoJobKeyval.alias()
        return model, model.job, TestResult.job, model.key
    model = (tko.TestAttribute if place is Place.ATTRIBUTE else tko.IterationResult).alias()
    return model, model.test, TestResult.test_idx, model.attribute


def _exists(one: Compare) -> Any:
    model, reference, target, key = _family(one.ref.field.place)
    found = model.select(SQL("1")).where(reference == target, key == _bound(one.ref.key))
    if one.op is Op.NONE:
        return ~fn.EXISTS(found.where(model.value.is_null(False)))
    return fn.EXISTS(found.where(_compared(model.value, one)))


def _exists_host_label(one: Compare) -> Any:
    """The labels are one text, each percent-quoted, with commas between them."""
    model = tko.TestAttribute.alias()
    value = model.value
    found = model.select(SQL("1")).where(model.test == TestResult.test_idx, model.attribute == _HOST_LABELS)
    if one.op is Op.NONE:
        return ~fn.EXISTS(found.where(value != ""))
    member: Any = None
    for label in one.values:
        name = quote(str(label))
        part = value == name
        for wanted in (f"{name},*", f"*,{name}", f"*,{name},*"):
            part = part | _like(value, wanted)
        member = part if member is None else member | part
    return fn.EXISTS(found.where(member))


def _column(ref: Ref) -> _Column:
    """Raises ValidationError for what is no column."""
    field = ref.field
    if field.kind is Kind.DAY:
        return _Column(fn.DATE(getattr(_MODELS[field.place], field.column)).coerce(False))
    if field.place in fields.SINGLE:
        return _Column(getattr(_MODELS[field.place], field.column))
    if field.place is Place.LABEL:
        marked, label = TestLabelTest.alias(), TestLabel.alias()
        joins = ((marked, marked.test == TestResult.test_idx), (label, label.id == marked.testlabel))
        return _Column(label.name, joins)
    if field.place in (Place.KEYVAL, Place.ATTRIBUTE):
        model, reference, target, key = _family(field.place)
        return _Column(model.value, ((model, (reference == target) & (key == _bound(ref.key))),))
    raise errors.ValidationError({str(ref): "results cannot be arranged by it; it may stand in a condition"})
