"""Questions: what can be asked of the results, as data; kept and put into addresses as text, and read back."""

from __future__ import annotations

import dataclasses
from typing import Any, ClassVar, TypeVar
from urllib.parse import parse_qsl, urlencode

from autotest import errors

_Q = TypeVar("_Q", bound="Question")
#: No answer has more rows, cells or values; and no table is counted or read further than that.
MOST_ROWS, MOST_CELLS, MOST_VALUES = 50_000, 500_000, 200_000


@dataclasses.dataclass(frozen=True)
class Question:
    """Which results are meant: those for which the condition *where* holds.

    Results that were retried or invalidated are left out unless *with_invalid*, or *where* itself names ``invalid``;
    what tells of a job and not of a test (SERVER_JOB, CLIENT_JOB.N, and what a suite job repeats of its children)
    unless *with_job_records*.
    """

    view: ClassVar[str] = ""

    where: str = ""
    with_invalid: bool = False
    with_job_records: bool = False

    def token(self) -> str:
        """This question as text: ``view=matrix&rows=test...``; what has its default is left out."""
        pairs: list[tuple[str, str]] = [("view", self.view)]
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if value != field.default:
                pairs.append((field.name, ",".join(value) if isinstance(value, tuple) else str(value)))
        return urlencode(pairs)


@dataclasses.dataclass(frozen=True)
class Matrix(Question):
    """Passed of complete results, *rows* against *columns* (fields; several make composite headers).

    *last* keeps to so many of the last builds, *latest* to the last result of each cell.
    """

    view = "matrix"

    rows: tuple[str, ...] = ("test",)
    columns: tuple[str, ...] = ("build",)
    last: int = 0
    latest: bool = False


@dataclasses.dataclass(frozen=True)
class Table(Question):
    """Results, one a row, by *columns*; or *grouped*: how many there are of each combination, and how many passed.

    *sort* is a field, with ``-`` before it the other way round. *limit* rows are shown after *offset*.
    """

    view = "query"

    columns: tuple[str, ...] = ("test", "status", "host", "build", "finished", "reason")
    sort: str = "-finished"
    grouped: bool = False
    limit: int = 50
    offset: int = 0


@dataclasses.dataclass(frozen=True)
class History(Question):
    """The last *limit* runs of one *test*, newest first."""

    view = "history"

    test: str = ""
    limit: int = 50


@dataclasses.dataclass(frozen=True)
class Details(Question):
    """Every fact that is stored of the results, the newest *limit* of them."""

    view = "details"

    limit: int = 20


@dataclasses.dataclass(frozen=True)
class Reasons(Question):
    """Why results did not pass: the *limit* most frequent reasons, whatever numbers they hold."""

    view = "reasons"

    limit: int = 50


@dataclasses.dataclass(frozen=True)
class Builds(Question):
    """The *last* builds of the results that are meant: passed, complete and incomplete, by suite."""

    view = "builds"

    last: int = 1


@dataclasses.dataclass(frozen=True)
class Perf(Question):
    """What iterations measured as *metric*, over the field *x*, one series for each value of *by*.

    *relative* shows per cent of each series' ``first`` point, or of the series of that name. *bins* asks for a
    histogram of so many bins instead.
    """

    view = "perf"

    metric: str = ""
    x: str = "build"
    by: str = ""
    last: int = 0
    relative: str = ""
    bins: int = 0


@dataclasses.dataclass(frozen=True)
class Qualification(Question):
    """How many machines pass how often: *where* says which machines, *tests* which of their results count.

    *interval* is the width of a bin in per cent.
    """

    view = "qualification"

    tests: str = ""
    interval: int = 10


VIEWS: dict[str, type[Question]] = {
    question.view: question for question in (Matrix, Table, History, Details, Reasons, Builds, Perf, Qualification)
}


def from_token(token: str) -> Question:
    """The question of a text that ``token`` made. Raises ValidationError, naming what cannot be read."""
    try:
        pairs = parse_qsl(token, keep_blank_values=True, strict_parsing=True, errors="strict", max_num_fields=50)
    except ValueError as problem:
        raise errors.ValidationError({"question": f"{token[:60]!r} cannot be read: {problem}"}) from problem
    given = dict(pairs)
    view = given.pop("view", "")
    if len(given) + 1 < len(pairs) or view not in VIEWS:
        problem_text = "names something twice" if view in VIEWS else f"has no view; views: {', '.join(VIEWS)}"
        raise errors.ValidationError({"question": f"{token[:60]!r} {problem_text}"})
    return from_texts(VIEWS[view], given)


def from_texts(question: type[_Q], given: dict[str, str]) -> _Q:
    """A question from its arguments as text. Raises ValidationError with one message for each that is wrong."""
    known = {field.name: field for field in dataclasses.fields(question)}
    values: dict[str, Any] = {}
    problems: dict[str, str] = {}
    for name, text in given.items():
        if name not in known:
            problems[name] = f"a {question.view} has no such argument; it has: {', '.join(known)}"
            continue
        try:
            values[name] = _converted(text, known[name].default)
        except ValueError as problem:
            problems[name] = str(problem)
    if problems:
        raise errors.ValidationError(problems)
    return question(**values)


def number(name: str, value: int, low: int, high: int) -> int:
    """*value*. Raises ValidationError unless it lies between the bounds."""
    if not low <= value <= high:
        raise errors.ValidationError({name: f"{value} is not between {low} and {high}"})
    return value


def _converted(text: str, default: Any) -> Any:
    if isinstance(default, bool):
        if text not in ("True", "False"):
            raise ValueError(f"{text[:40]!r} is neither True nor False")
        return text == "True"
    if isinstance(default, int):
        if not (text.isascii() and text.isdigit() and len(text) < 10):
            raise ValueError(f"{text[:40]!r} is no whole number")
        return int(text)
    if isinstance(default, tuple):
        return tuple(part.strip() for part in text.split(",") if part.strip())
    return text
