"""Arguments of a suite: each check takes a key and a value, and returns what the SuiteSpec holds.

All raise SuiteArgumentException, "reimage_and_run() needs <key>=<type>", for a value that does not fit.
"""

from __future__ import annotations

import json
import keyword
from collections.abc import Callable, Mapping
from typing import Any

from autotest import errors, states

_LONGEST = 255
#: What a column of the database holds.
_LARGEST = 2**31 - 1


def text(key: str, value: object) -> str:
    """Printable text of at most 255 characters; may be empty."""
    if not isinstance(value, str) or len(value) > _LONGEST or not (value.isprintable() or not value):
        raise _unfit(key, "str", value)
    return value


def word(key: str, value: object) -> str:
    """Text that can be part of a label and of a path: printable, no comma, no slash, not empty."""
    if not isinstance(value, str) or not is_label(value) or "/" in value or value != value.strip():
        raise _unfit(key, "str", value)
    return value


def flag(key: str, value: object) -> bool:
    """True or False, and nothing that is merely like them."""
    if not isinstance(value, bool):
        raise _unfit(key, "bool", value)
    return value


def count(least: int) -> Callable[[str, object], int]:
    """A check for whole numbers of at least *least*."""

    def check(key: str, value: object) -> int:
        if isinstance(value, bool) or not isinstance(value, int):
            raise _unfit(key, "int", value)
        if value < least:
            raise errors.SuiteArgumentException(f"reimage_and_run() needs {key} of at least {least}, not {value}")
        if value > _LARGEST:
            raise errors.SuiteArgumentException(f"reimage_and_run() needs {key} of at most {_LARGEST}, not more")
        return value

    return check


def priority(key: str, value: object) -> int:
    """A priority by number, or by name in any case (section 3.6)."""
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise _unfit(key, "int", value)
    try:
        return states.priority_of(value)
    except ValueError as problem:
        raise errors.SuiteArgumentException(f"reimage_and_run() needs {key}=int: {problem}") from problem


def labels(key: str, value: object) -> tuple[str, ...]:
    """A list of labels, or one text with commas between them."""
    if isinstance(value, str):
        value = [part for part in (part.strip() for part in value.split(",")) if part]
    if not isinstance(value, (list, tuple)):
        raise _unfit(key, "list", value)
    for label in value:
        if not is_label(label):
            raise errors.SuiteArgumentException(f"reimage_and_run() needs {key}=list of labels, not {label!r}")
    return tuple(value)


def mapping(key: str, value: object) -> dict[str, Any]:
    """A dict with text keys that JSON can hold."""
    if not isinstance(value, Mapping) or not all(isinstance(name, str) for name in value):
        raise _unfit(key, "dict", value)
    try:
        json.dumps(dict(value), allow_nan=False)
    except (TypeError, ValueError, RecursionError) as problem:
        raise errors.SuiteArgumentException(
            f"reimage_and_run() needs {key}=dict that JSON can hold: {problem}"
        ) from problem
    return dict(value)


def test_args(key: str, value: object) -> dict[str, Any]:
    """A dict whose keys can be variables of a test; those of control files are not the caller's to set (section 8)."""
    found = mapping(key, value)
    for name in found:
        if not name.isidentifier() or keyword.iskeyword(name) or name.startswith("__") or name.lower() in RESERVED:
            raise errors.SuiteArgumentException(f"{key}: {name!r} cannot be the name of a test argument")
    return found


def is_label(name: object) -> bool:
    """Whether *name* is text that a host can carry as a label."""
    return (
        isinstance(name, str)
        and bool(name.strip())
        and len(name) <= _LONGEST
        and name.isprintable()
        and "," not in name
    )


#: Names that mean something in a control file already: its variables, and what its body is given.
RESERVED = frozenset(
    {
        "author",
        "name",
        "doc",
        "time",
        "test_type",
        "test_class",
        "test_category",
        "dependencies",
        "attributes",
        "suite",
        "sync_count",
        "job_retries",
        "priority",
        "require_ssp",
        "fast",
        "run_verify",
        "max_result_size_kb",
        "test_parameters",
        "bug_template",
        "build",
        "builds",
        "experimental",
        "job",
        "args",
        "args_dict",
        "machines",
    }
)


def _unfit(key: str, kind: str, value: object) -> errors.SuiteArgumentException:
    shown = repr(value)
    shown = shown if len(shown) <= 60 else shown[:57] + "..."
    return errors.SuiteArgumentException(f"reimage_and_run() needs {key}={kind}, not {shown}")
