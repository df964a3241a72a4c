"""Predicates: which tests a suite means, as data that can be stored, sent and read aloud.

Semantics: control-files-and-suites.md section 3.5. Each kind is one frozen class with one JSON form, a dict whose first
key names the kind; ``&``, ``|`` and ``~`` compose them. A regular expression can run for ever on a hostile text,
and a long expression over many tests takes its time: :func:`is_costly` says which predicates
:mod:`autotest.suite.runner` leaves to its child.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from autotest import control_file, errors
from autotest.control_file import ControlFile
from autotest.suite import attribute_expression

#: How deep ``all``, ``any`` and ``not`` may nest, and how long a regular expression may be.
DEEPEST = 50
LONGEST_PATTERN = 1000

_CHEAP = 100


class Predicate:
    """What a test must be like; the base of every kind below."""

    def holds(self, test: ControlFile) -> bool:
        """Whether *test* is meant."""
        raise NotImplementedError

    def to_json(self) -> dict[str, Any]:
        """A JSON object that :func:`from_json` reads back."""
        raise NotImplementedError

    def __and__(self, other: Predicate) -> All:
        return All((*_parts(self, All), *_parts(other, All)))

    def __or__(self, other: Predicate) -> AnyOf:
        return AnyOf((*_parts(self, AnyOf), *_parts(other, AnyOf)))

    def __invert__(self) -> Not:
        return Not(self)


@dataclasses.dataclass(frozen=True)
class InSuite(Predicate):
    """The test carries the suite *name*, exactly as it is spelled."""

    name: str

    def holds(self, test: ControlFile) -> bool:
        return self.name in test.suite_tag_parts

    def to_json(self) -> dict[str, Any]:
        return {"suite": self.name}

    def __str__(self) -> str:
        return f"in suite {self.name}"


@dataclasses.dataclass(frozen=True)
class Tagged(Predicate):
    """One of the test's ATTRIBUTES is *attribute*, exactly."""

    attribute: str

    def holds(self, test: ControlFile) -> bool:
        return self.attribute in test.attributes

    def to_json(self) -> dict[str, Any]:
        return {"tag": self.attribute}

    def __str__(self) -> str:
        return f"with attribute {self.attribute}"


@dataclasses.dataclass(frozen=True)
class Named(Predicate):
    """The test's NAME is *name*, exactly."""

    name: str

    def holds(self, test: ControlFile) -> bool:
        return test.name == self.name

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name}

    def __str__(self) -> str:
        return f"called {self.name}"


class _Pattern(Predicate):
    """A regular expression that must match from the first character of a text on."""

    pattern: str

    def __post_init__(self) -> None:
        _compiled(self.pattern)


@dataclasses.dataclass(frozen=True)
class NameMatches(_Pattern):
    """The test's NAME begins with what *pattern* describes."""

    pattern: str

    def holds(self, test: ControlFile) -> bool:
        return _compiled(self.pattern).match(test.name or "") is not None

    def to_json(self) -> dict[str, Any]:
        return {"name_matches": self.pattern}

    def __str__(self) -> str:
        return f"with a name like {self.pattern!r}"


@dataclasses.dataclass(frozen=True)
class PathMatches(_Pattern):
    """The path of the control file below the build begins with what *pattern* describes."""

    pattern: str

    def holds(self, test: ControlFile) -> bool:
        return _compiled(self.pattern).match(test.path) is not None

    def to_json(self) -> dict[str, Any]:
        return {"path_matches": self.pattern}

    def __str__(self) -> str:
        return f"with a path like {self.pattern!r}"


@dataclasses.dataclass(frozen=True)
class Attributes(Predicate):
    """The test's ATTRIBUTES satisfy *expression* (see :mod:`autotest.suite.attribute_expression`)."""

    expression: str

    def __post_init__(self) -> None:
        _parsed(self.expression)

    def holds(self, test: ControlFile) -> bool:
        return _parsed(self.expression).holds(test.attributes)

    def to_json(self) -> dict[str, Any]:
        return {"attributes": self.expression}

    def __str__(self) -> str:
        return f"with attributes {self.expression}"


@dataclasses.dataclass(frozen=True)
class FieldIn(Predicate):
    """The variable *field* of the control file (a key of FIELDS) is one of *values*; upper and lower case are alike."""

    field: str
    values: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.field not in FIELDS:
            raise _bad(f"{self.field!r} is not one of {', '.join(FIELDS)}")
        allowed = FIELDS[self.field]
        unknown = [value for value in self.values if allowed and value.lower() not in allowed]
        if unknown:
            raise _bad(f"{self.field} {unknown[0]!r} is not one of {', '.join(allowed)}")
        object.__setattr__(self, "values", tuple(value.lower() for value in self.values))

    def holds(self, test: ControlFile) -> bool:
        return (getattr(test, self.field) or "").lower() in self.values

    def to_json(self) -> dict[str, Any]:
        return {"field": self.field, "in": list(self.values)}

    def __str__(self) -> str:
        return f"of {self.field} {' or '.join(self.values) or 'none'}"


@dataclasses.dataclass(frozen=True)
class Needs(Predicate):
    """The test's DEPENDENCIES ask for the label *label*."""

    label: str

    def holds(self, test: ControlFile) -> bool:
        return self.label in test.dependencies

    def to_json(self) -> dict[str, Any]:
        return {"needs": self.label}

    def __str__(self) -> str:
        return f"that needs {self.label}"


@dataclasses.dataclass(frozen=True)
class Listed(Predicate):
    """The path of the control file is one of *paths*: what became of a predicate that was Python code."""

    paths: frozenset[str]

    def holds(self, test: ControlFile) -> bool:
        return test.path in self.paths

    def to_json(self) -> dict[str, Any]:
        return {"paths": sorted(self.paths)}

    def __str__(self) -> str:
        return f"chosen by the suite file's own code ({len(self.paths)})"


@dataclasses.dataclass(frozen=True)
class All(Predicate):
    """Every one of *parts* holds; with none, every test is meant."""

    parts: tuple[Predicate, ...]

    def holds(self, test: ControlFile) -> bool:
        return all(part.holds(test) for part in self.parts)

    def to_json(self) -> dict[str, Any]:
        return {"all": [part.to_json() for part in self.parts]}

    def __str__(self) -> str:
        return " and ".join(_bracketed(part) for part in self.parts) or "any"


@dataclasses.dataclass(frozen=True)
class AnyOf(Predicate):
    """At least one of *parts* holds; with none, no test is meant."""

    parts: tuple[Predicate, ...]

    def holds(self, test: ControlFile) -> bool:
        return any(part.holds(test) for part in self.parts)

    def to_json(self) -> dict[str, Any]:
        return {"any": [part.to_json() for part in self.parts]}

    def __str__(self) -> str:
        return " or ".join(_bracketed(part) for part in self.parts) or "none"


@dataclasses.dataclass(frozen=True)
class Not(Predicate):
    """*part* does not hold."""

    part: Predicate

    def holds(self, test: ControlFile) -> bool:
        return not self.part.holds(test)

    def to_json(self) -> dict[str, Any]:
        return {"not": self.part.to_json()}

    def __str__(self) -> str:
        return f"not {_bracketed(self.part)}"


#: The variables that FieldIn looks at, with the values that they may have; () is any.
FIELDS: dict[str, tuple[str, ...]] = {
    "time": control_file.TIMES,
    "test_type": ("server", "client"),
    "test_class": (),
    "test_category": (),
    "author": (),
}


def from_json(data: object, depth: int = 0) -> Predicate:
    """The inverse of ``to_json``. Raises SuiteArgumentException, which shows the part that is no predicate."""
    if depth > DEEPEST:
        raise _bad(f"nested deeper than {DEEPEST}")
    if not isinstance(data, Mapping):
        raise _bad(f"{_shown(data)} is not a JSON object")
    keys = tuple(data)
    if keys in (("field", "in"), ("in", "field")):
        return FieldIn(_text(data["field"]), tuple(_texts(data["in"])))
    if len(keys) != 1:
        raise _bad(f"{_shown(data)} must have one key, or field and in")
    kind, value = keys[0], data[keys[0]]
    if kind in _OF_TEXT:
        return _OF_TEXT[kind](_text(value))
    if kind == "paths":
        return Listed(frozenset(_texts(value)))
    if kind in ("all", "any"):
        parts = tuple(from_json(part, depth + 1) for part in _list(value))
        return All(parts) if kind == "all" else AnyOf(parts)
    if kind == "not":
        return Not(from_json(value, depth + 1))
    raise _bad(f"{_shown(kind)} is not one of {', '.join((*_OF_TEXT, 'field', 'paths', 'all', 'any', 'not'))}")


def is_costly(predicate: Predicate) -> bool:
    """Whether asking it about one test may take long: a regular expression takes part, or very many parts do."""
    return _cost(predicate) > _CHEAP


def _cost(predicate: Predicate) -> float:
    """About how many comparisons one test takes."""
    if isinstance(predicate, (All, AnyOf)):
        return 1 + sum(_cost(part) for part in predicate.parts)
    if isinstance(predicate, Not):
        return 1 + _cost(predicate.part)
    if isinstance(predicate, FieldIn):
        return 1 + len(predicate.values)
    if isinstance(predicate, Attributes):
        return 1 + len(predicate.expression) / 10
    return math.inf if isinstance(predicate, _Pattern) else 1


def _parts(predicate: Predicate, kind: type[All] | type[AnyOf]) -> tuple[Predicate, ...]:
    return predicate.parts if isinstance(predicate, kind) else (predicate,)


_OF_TEXT: dict[str, Any] = {
    "suite": InSuite,
    "tag": Tagged,
    "name": Named,
    "name_matches": NameMatches,
    "path_matches": PathMatches,
    "attributes": Attributes,
    "needs": Needs,
}


@functools.lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    if len(pattern) > LONGEST_PATTERN:
        raise _bad(f"a regular expression has at most {LONGEST_PATTERN} characters, not {len(pattern)}")
    try:
        return re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as problem:
        raise _bad(f"{_shown(pattern)} is not a regular expression: {problem}") from problem


@functools.lru_cache(maxsize=256)
def _parsed(expression: str) -> attribute_expression.Expression:
    try:
        return attribute_expression.parse(expression)
    except attribute_expression.BadExpression as problem:
        raise _bad(str(problem)) from problem


def _bracketed(part: Predicate) -> str:
    return f"({part})" if isinstance(part, (All, AnyOf)) and len(part.parts) > 1 else str(part)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise _bad(f"{_shown(value)} must be text")
    return value


def _list(value: object) -> Sequence[object]:
    if not isinstance(value, (list, tuple)):
        raise _bad(f"{_shown(value)} must be a list")
    return value


def _texts(value: object) -> list[str]:
    return [_text(member) for member in _list(value)]


def _bad(reason: str) -> errors.SuiteArgumentException:
    return errors.SuiteArgumentException(f"predicate: {reason}")


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
