"""Conditions: what results somebody means, in a small language that knows fields and values and nothing else.

    suite = bvt and (status in (FAIL, ERROR) or reason ~ '*timeout*') and finished > -7d and not label = flaky

``and`` or ``&`` binds closer than ``or`` or ``|``; ``not`` or ``!`` closest. ``=`` ``!=`` and ``in`` compare, ``<``
``<=`` ``>`` ``>=`` are for numbers and times, ``~`` compares the whole text with a pattern (``*`` anything, ``?`` one
character). ``none`` stands for no value. A value with blanks or ``()&|!=<>~,`` stands in quotes, which are doubled
inside. Times are UTC: ``2026-11-21``, ``2026-11-21T08:30``, or from now: ``-7d`` (s, m, h, d, w).

A condition holds or it does not: what a result has no value of equals nothing but ``none``, so that ``host != a`` and
``not host = a`` are the same. Of a field with several values (label, perf.NAME) one value is enough.
"""

from __future__ import annotations

import dataclasses
import datetime
import enum
import math
import re
from collections.abc import Iterator
from typing import NamedTuple

from autotest import errors
from autotest.results.query import fields
from autotest.results.query.fields import Kind, Place, Ref
from autotest.states import Outcome

#: Bounds of what is read: characters, comparisons, and parentheses or nots inside each other.
LONGEST, MOST_COMPARISONS, DEEPEST = 4000, 200, 40

#: The largest integer that a database has.
LARGEST = 2**63 - 1

Value = str | int | float | bool | datetime.datetime | datetime.date


class Op(str, enum.Enum):
    """How a field is compared; ``!=`` and ``not in`` are the others with Not around them."""

    EQUAL = "="
    LESS = "<"
    AT_MOST = "<="
    MORE = ">"
    AT_LEAST = ">="
    LIKE = "~"
    NONE = "none"


@dataclasses.dataclass(frozen=True)
class Compare:
    """A field compared with values: one of them is enough. NONE has no value."""

    ref: Ref
    op: Op
    values: tuple[Value, ...] = ()


@dataclasses.dataclass(frozen=True)
class Not:
    """The opposite."""

    part: Node


@dataclasses.dataclass(frozen=True)
class All:
    """Every part holds; with no part it always does."""

    parts: tuple[Node, ...]


@dataclasses.dataclass(frozen=True)
class Any:
    """Some part holds."""

    parts: tuple[Node, ...]


Node = Compare | Not | All | Any

EVERYTHING = All(())

_TOKEN = re.compile(
    r"""(?P<blank>\s+)|(?P<symbol><=|>=|==|!=|<>|!~|&&|\|\||[()&|!=<>~,])"""
    r"""|(?P<quoted>'(?:[^']|'')*'|"(?:[^"]|"")*")|(?P<open>['"])|(?P<word>[^\s()&|!=<>~,'"]+)"""
)
_AND, _OR, _NOT = {"&", "&&", "and"}, {"|", "||", "or"}, {"!", "not"}
_KEYWORDS = {"and", "or", "not", "in", "none"}
_COMPARISONS = {
    "=": (Op.EQUAL, False),
    "==": (Op.EQUAL, False),
    "!=": (Op.EQUAL, True),
    "<>": (Op.EQUAL, True),
    "~": (Op.LIKE, False),
    "!~": (Op.LIKE, True),
    **{op.value: (op, False) for op in (Op.LESS, Op.AT_MOST, Op.MORE, Op.AT_LEAST)},
}
_ORDERED = frozenset({Op.LESS, Op.AT_MOST, Op.MORE, Op.AT_LEAST})
_YES_NO = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,4})?", re.ASCII)
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{6})?)?(?:[+-]\d\d:\d\d)?)?", re.ASCII)
_AGO = re.compile(r"-(\d{1,6})([smhdw])", re.ASCII)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_UTC = datetime.timezone.utc


class _Token(NamedTuple):
    """A piece of the text: *kind* is ``symbol``, ``word``, ``quoted`` or ``end``; *text* is unquoted."""

    kind: str
    text: str
    position: int

    def said(self, words: set[str]) -> bool:
        return self.kind in ("symbol", "word") and self.text.lower() in words


def parse(text: str, now: datetime.datetime) -> Node:
    """Read a condition; nothing but blanks is EVERYTHING. ``-7d`` counts from *now* (aware).

    Raises BadCondition with the position (characters from 1) and what is wrong there.
    """
    if len(text) > LONGEST:
        raise errors.BadCondition(LONGEST, f"a condition has at most {LONGEST} characters; this one has {len(text)}")
    tokens = list(_tokens(text))
    return EVERYTHING if tokens[0].kind == "end" else _Reader(tokens, now).whole()


def quoted(value: str) -> str:
    """*value* as a condition has to write it."""
    token = _TOKEN.fullmatch(value)
    is_plain = token is not None and token["word"] and value.lower() not in _KEYWORDS
    return value if is_plain else "'" + value.replace("'", "''") + "'"


def comparisons(node: Node) -> Iterator[Compare]:
    """Every comparison in it."""
    if isinstance(node, Compare):
        yield node
    elif isinstance(node, Not):
        yield from comparisons(node.part)
    else:
        for part in node.parts:
            yield from comparisons(part)


def _tokens(text: str) -> Iterator[_Token]:
    if "\0" in text:
        raise errors.BadCondition(text.index("\0") + 1, "no stored text holds a NUL")
    try:
        text.encode()
    except UnicodeEncodeError as problem:
        raise errors.BadCondition(problem.start + 1, "half a character") from problem
    for found in _TOKEN.finditer(text):
        kind, piece, position = str(found.lastgroup), found[0], found.start() + 1
        if kind == "open":
            raise errors.BadCondition(position, f"the quote {piece} is never closed")
        if kind == "quoted":
            yield _Token(kind, piece[1:-1].replace(piece[0] * 2, piece[0]), position)
        elif kind != "blank":
            yield _Token(kind, piece, position)
    yield _Token("end", "", len(text) + 1)


class _Reader:
    """Reads tokens by recursive descent: or, and, not, comparison."""

    def __init__(self, tokens: list[_Token], now: datetime.datetime):
        self._tokens = tokens
        self._now = now
        self._next = self._depth = self._comparisons = 0

    def whole(self) -> Node:
        node = self._either()
        if self._here.kind != "end":
            raise self._wrong("'and', 'or' or the end")
        return node

    @property
    def _here(self) -> _Token:
        return self._tokens[self._next]

    def _take(self) -> _Token:
        token = self._here
        self._next += 1
        return token

    def _wrong(self, wanted: str) -> errors.BadCondition:
        token = self._here
        found = "the end" if token.kind == "end" else repr(token.text[:40])
        return errors.BadCondition(token.position, f"here is {found}; {wanted} should follow")

    def _either(self) -> Node:
        parts = [self._both()]
        while self._here.said(_OR):
            self._take()
            parts.append(self._both())
        return parts[0] if len(parts) == 1 else Any(tuple(parts))

    def _both(self) -> Node:
        parts = [self._single()]
        while self._here.said(_AND):
            self._take()
            parts.append(self._single())
        return parts[0] if len(parts) == 1 else All(tuple(parts))

    def _single(self) -> Node:
        token = self._here
        if not (token.said(_NOT) or token.said({"("})):
            return self._comparison()
        self._depth += 1
        if self._depth > DEEPEST:
            raise errors.BadCondition(token.position, f"more than {DEEPEST} parentheses or nots inside each other")
        self._take()
        if token.text == "(":
            node = self._either()
            if not self._here.said({")"}):
                raise self._wrong(f"')' for the '(' at {token.position}")
            self._take()
        else:
            node = Not(self._single())
        self._depth -= 1
        return node

    def _comparison(self) -> Node:
        self._comparisons += 1
        token = self._here
        if self._comparisons > MOST_COMPARISONS:
            raise errors.BadCondition(token.position, f"more than {MOST_COMPARISONS} comparisons")
        if token.kind != "word" or token.text.lower() in _KEYWORDS:
            raise self._wrong("the name of a field")
        self._take()
        try:
            ref = fields.named(token.text)
        except errors.NotFound as problem:
            raise errors.BadCondition(token.position, str(problem)) from problem
        op, negated, values = self._right_side(ref)
        node = Compare(ref, op, values)
        return Not(node) if negated else node

    def _right_side(self, ref: Ref) -> tuple[Op, bool, tuple[Value, ...]]:
        at = self._here
        if at.said({"in", "not"}):
            negated = self._take().text.lower() == "not"
            if negated:
                if not self._here.said({"in"}):
                    raise self._wrong("'in'")
                self._take()
            return Op.EQUAL, negated, self._list(ref)
        if at.kind != "symbol" or at.text not in _COMPARISONS:
            raise self._wrong("one of = != ~ < <= > >= in")
        self._take()
        op, negated = _COMPARISONS[at.text]
        _check(ref, op, at)
        if self._here.kind == "word" and self._here.text.lower() == "none":
            if op is not Op.EQUAL:
                raise self._wrong("a value: only = and != compare with none")
            self._take()
            return Op.NONE, negated, ()
        return op, negated, (self._value(ref, op),)

    def _list(self, ref: Ref) -> tuple[Value, ...]:
        if not self._here.said({"("}):
            raise self._wrong("'('")
        self._take()
        values = [self._value(ref, Op.EQUAL)]
        while self._here.said({","}):
            self._take()
            values.append(self._value(ref, Op.EQUAL))
        if not self._here.said({")"}):
            raise self._wrong("',' or ')'")
        self._take()
        return tuple(values)

    def _value(self, ref: Ref, op: Op) -> Value:
        token = self._here
        if token.kind not in ("word", "quoted") or (token.kind == "word" and token.text.lower() in _KEYWORDS):
            raise self._wrong("a value (in quotes, if it has blanks or is a word of the language)")
        self._take()
        try:
            return _converted(ref, op, token.text, self._now)
        except ValueError as problem:
            raise errors.BadCondition(token.position, f"{token.text[:40]!r} is {problem}") from problem


def _check(ref: Ref, op: Op, at: _Token) -> None:
    kind = ref.field.kind
    if op in _ORDERED and kind not in (Kind.NUMBER, Kind.TIME, Kind.DAY):
        raise errors.BadCondition(at.position, f"{op.value} is for numbers and times; {ref} is {kind.value}")
    if op is Op.LIKE and (kind not in (Kind.TEXT, Kind.STATUS, Kind.MEMBER) or ref.field.place is Place.HOST_LABEL):
        raise errors.BadCondition(at.position, f"~ is for texts; {ref} is {kind.value}")


def _converted(ref: Ref, op: Op, text: str, now: datetime.datetime) -> Value:
    """Raises ValueError, saying what *text* is not."""
    kind = ref.field.kind
    if kind is Kind.NUMBER:
        return _number(text)
    if kind is Kind.FLAG:
        if text.lower() not in _YES_NO:
            raise ValueError(f"neither yes nor no, as {ref} is")
        return _YES_NO[text.lower()]
    if kind is Kind.STATUS and op is Op.EQUAL:
        if text.upper() not in Outcome.__members__:
            raise ValueError(f"no status; statuses: {', '.join(Outcome.__members__)}")
        return text.upper()
    if kind is Kind.TIME:
        return _moment(text, now)
    if kind is Kind.DAY:
        return _moment(text, now).date()
    return text


def _number(text: str) -> int | float:
    if not _NUMBER.fullmatch(text):
        raise ValueError("no number")
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("too large a number")
    whole = int(text) if text.lstrip("+-").isdigit() else None
    return number if whole is None or abs(whole) > LARGEST else whole


def _moment(text: str, now: datetime.datetime) -> datetime.datetime:
    ago = _AGO.fullmatch(text)
    try:
        if ago:
            return now - datetime.timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        if not _MOMENT.fullmatch(text.removesuffix("Z")):
            raise ValueError
        moment = datetime.datetime.fromisoformat(text.removesuffix("Z"))
        moment = moment.replace(tzinfo=_UTC) if moment.tzinfo is None else moment.astimezone(_UTC)
        # A day more has to be a date too.
        moment + datetime.timedelta(days=1)
    except (ValueError, OverflowError):
        raise ValueError("no time: write 2026-11-21, 2026-11-21T08:30 or -7d (s, m, h, d, w)") from None
    return moment
