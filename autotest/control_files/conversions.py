"""Conversions: from the value of a control variable to the attribute of a ControlFile, section 1.2 and its errors."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from autotest.control_files.dialect import Rules

#: Takes the rules, the lower-case name and a value of control_values; raises Unset, ValueError or TypeError.
Conversion = Callable[[Rules, str, Any], Any]

# Labels and suites are the same from file to file; a longer text is hardly met twice, and not worth its memory.
_SHORT = 200
_SUBSYSTEM = frozenset({"subsystem:default"})


class Unset(Exception):
    """A value that leaves the variable at its default, without being a fault of the file."""


def _string(rules: Rules, name: str, value: Any) -> str:
    if rules.is_modern and not isinstance(value, str):
        raise ValueError(f"{name} must be text")
    return str(value)


def _lowered(rules: Rules, name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise Unset("must be text")
    return value.lower()


def _option(value: Any, name: str, options: tuple[str, ...]) -> str:
    text = str(value)
    if text.lower() not in options:
        raise ValueError(f"{name} must be one of the following options: {', '.join(options)}")
    return text


def _time(rules: Rules, name: str, value: Any) -> str:
    return _option(value, name, rules.times)


def _test_type(rules: Rules, name: str, value: Any) -> str:
    return _option(value, name, ("server", "client"))


def _boolean(rules: Rules, name: str, value: Any) -> bool:
    text = str(value).lower()
    if text not in ("true", "false"):
        raise ValueError(f"{name} must be either true or false")
    return text == "true"


def _integer(rules: Rules, name: str, value: Any) -> int:
    if isinstance(value, str) and "_" in value:
        raise ValueError(f"invalid literal for int() with base 10: {value!r}")
    try:
        return int(value)
    except ValueError as problem:
        raise ValueError(f"{name}: {problem}" if rules.is_modern else str(problem)) from problem


def _count(rules: Rules, name: str, value: Any) -> int:
    number = _integer(rules, name, value)
    if number < 1:
        raise ValueError(f"{name} is {number}, which is below the minimum of 1")
    return number


def _comma_set(rules: Rules, name: str, value: Any) -> frozenset[str]:
    if isinstance(value, list) and rules.is_modern:
        value = ",".join(map(str, value))
    text = str(value)
    return (_often_members if len(text) <= _SHORT else _members)(text, rules.keeps_empty_members)


def _members(text: str, keeps_empty: bool) -> frozenset[str]:
    parts = [part.strip() for part in text.split(",")]
    return frozenset(parts if keeps_empty else filter(None, parts))


def _attributes(rules: Rules, name: str, value: Any) -> frozenset[str]:
    members = _comma_set(rules, name, value)
    for member in members:
        if member.startswith("subsystem"):
            return members
    return members | _SUBSYSTEM


def _suite(rules: Rules, name: str, value: Any) -> str:
    if rules.is_modern and isinstance(value, list):
        return ",".join(map(str, value))
    return _string(rules, name, value)


def joined_suites(suite: str | None, attributes: frozenset[str], is_modern: bool) -> str | None:
    """Section 1.5: the suite rebuilt from SUITE and the ``suite:`` attributes; None without a name."""
    is_short = sum(map(len, attributes), len(suite or "")) <= _SHORT
    return (_often_joined if is_short else _joined)(suite, attributes, is_modern)


def _joined(suite: str | None, attributes: frozenset[str], is_modern: bool) -> str | None:
    tags = [member[len("suite:") :] for member in attributes if member.startswith("suite:")]
    if suite is not None:
        tags += [part.strip() for part in suite.split(",")]
    if is_modern:
        tags = [tag.strip() for tag in tags]
    names = sorted(set(filter(None, tags)))
    if names:
        return ",".join(names)
    return None if is_modern else suite


_often_members = functools.lru_cache(maxsize=1024)(_members)
_often_joined = functools.lru_cache(maxsize=1024)(_joined)


def _dictionary(rules: Rules, name: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Unset("must be a dict literal")
    return value


def _accident(rules: Rules, name: str, value: Any) -> None:
    """Section 1.1: upstream's dispatcher stumbles over a variable called ATTR."""
    raise TypeError("set_attr() takes exactly 3 arguments (2 given)")


#: By lower-case name.
CONVERSIONS: dict[str, Conversion] = {
    "author": _string,
    "name": _string,
    "doc": _string,
    "time": _time,
    "test_type": _test_type,
    "test_class": _lowered,
    "test_category": _lowered,
    "dependencies": _comma_set,
    "attributes": _attributes,
    "suite": _suite,
    "sync_count": _count,
    "job_retries": _integer,
    "priority": _integer,
    "require_ssp": _boolean,
    "fast": _boolean,
    "run_verify": _boolean,
    "experimental": _boolean,
    "max_result_size_kb": _integer,
    "test_parameters": _comma_set,
    "bug_template": _dictionary,
    "build": _string,
    "builds": _dictionary,
    "attr": _accident,
}
#: Those that take a comma-separated text for a set.
SETS = frozenset(name for name, conversion in CONVERSIONS.items() if conversion in (_comma_set, _attributes, _suite))
