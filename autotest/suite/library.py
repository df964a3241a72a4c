"""The library for suite control files: a suite is one line that says which tests it means.

    from autotest.suite import library

    library.run(args_dict, library.every(test_class="kernel", test_category="functional", time=("SHORT", "MEDIUM")))

Predicates compose: ``library.every(test_class="kernel") & ~library.every(needs="servo")``.
"""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from autotest import errors
from autotest.suite import dynamic_suite, selectors
from autotest.suite.predicates import (
    All,
    AnyOf,
    Attributes,
    FieldIn,
    InSuite,
    Named,
    NameMatches,
    Needs,
    PathMatches,
    Predicate,
    Tagged,
)
from autotest.suite.spec import SuiteSpec

__all__ = ["argument", "attributes", "every", "name_matches", "path_matches", "run", "selected"]


def run(args_dict: Mapping[str, Any], which: Any = None, **changes: Any) -> None:
    """Run the tests that *which* means, as the caller asked in *args_dict*, with *changes* to that.

    *which* is a predicate of this library or a function over ControlFile; None means the tests that carry the suite's
    name. The suite is called like its file unless *args_dict* or *changes* has a ``name``. Raises
    SuiteArgumentException for a change that is no field of SuiteSpec, and what reimage_and_run() raises.
    """
    fields = [field.name for field in dataclasses.fields(SuiteSpec) if field.name != "owner"]
    for key in changes:
        if key not in fields:
            near = difflib.get_close_matches(key, fields, n=1)
            hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(fields)}"
            raise errors.SuiteArgumentException(f"library.run() has no argument {key}; {hint}")
    arguments = {"name": dynamic_suite.current().suite, **args_dict, **changes}
    if which is not None:
        arguments["predicate"] = which
    dynamic_suite.reimage_and_run(**arguments)


def every(
    *,
    suite: str | Iterable[str] = (),
    attribute: str | Iterable[str] = (),
    name: str | Iterable[str] = (),
    time: str | Iterable[str] = (),
    test_type: str | Iterable[str] = (),
    test_class: str | Iterable[str] = (),
    test_category: str | Iterable[str] = (),
    author: str | Iterable[str] = (),
    needs: str | Iterable[str] = (),
) -> Predicate:
    """The tests whose control file says all of this; of several values for one keyword, any will do.

    Each keyword is a variable of the control file; *needs* is a label of its DEPENDENCIES. Upper and lower case are
    alike for *time*, *test_type*, *test_class*, *test_category* and *author*. Without a keyword: every test.
    """
    parts: list[Predicate] = []
    for kind, values in ((InSuite, suite), (Tagged, attribute), (Named, name), (Needs, needs)):
        alternatives = tuple(kind(value) for value in _several(values))
        if alternatives:
            parts.append(alternatives[0] if len(alternatives) == 1 else AnyOf(alternatives))
    fields = {
        "time": time,
        "test_type": test_type,
        "test_class": test_class,
        "test_category": test_category,
        "author": author,
    }
    parts += [FieldIn(field, _several(values)) for field, values in fields.items() if _several(values)]
    return parts[0] if len(parts) == 1 else All(tuple(parts))


def attributes(expression: str) -> Predicate:
    """The tests whose ATTRIBUTES satisfy *expression*: ``suite:a or (suite:b and not subsystem:wifi)``."""
    return Attributes(expression)


def name_matches(pattern: str) -> Predicate:
    """The tests whose NAME begins with what the regular expression *pattern* describes."""
    return NameMatches(pattern)


def path_matches(pattern: str) -> Predicate:
    """The tests whose control file's path below the build begins with what *pattern* describes."""
    return PathMatches(pattern)


def selected(wanted: str | Iterable[str]) -> Predicate:
    """The tests that any of these selectors means: ``suite:bvt``, ``e:<regex>``, ``f:<regex>``, or an exact name."""
    return selectors.union(_several(wanted))


def argument(args_dict: dict[str, Any], key: str, example: str) -> Any:
    """Take *key* out of *args_dict*, where suite_args put it. Raises KeyError, which shows *example*, if it is not
    there."""
    if key not in args_dict:
        raise KeyError(f"this suite needs suite_args with {key}, such as {example}")
    return args_dict.pop(key)


def _several(values: str | Iterable[str]) -> tuple[str, ...]:
    return (values,) if isinstance(values, str) else tuple(values)
