"""Selectors: tests named on a command line, ``suite:bvt``, ``e:net.*``, ``f:.*/control.fast`` or an exact name."""

from __future__ import annotations

from collections.abc import Iterable

from autotest import errors
from autotest.suite.predicates import AnyOf, InSuite, Named, NameMatches, PathMatches, Predicate


def parse(selector: str) -> Predicate:
    """The tests that one *selector* means (control-files-and-suites.md section 3.1).

    ``suite:<name>``: the suite's members; ``e:<regex>``: the whole NAME; ``f:<regex>``: the whole path below the build;
    anything else: the exact NAME. Raises SuiteArgumentException for an empty one and for a bad expression.
    """
    kind, mark, rest = selector.partition(":")
    if mark and kind in ("suite", "e", "f") and not rest.strip():
        raise errors.SuiteArgumentException(f"selector {selector!r}: nothing follows the colon")
    if not selector.strip():
        raise errors.SuiteArgumentException("a selector is suite:<name>, e:<regex>, f:<regex> or the name of a test")
    if mark and kind == "suite":
        return InSuite(rest)
    if mark and kind == "e":
        return NameMatches(_whole(rest))
    if mark and kind == "f":
        return PathMatches(_whole(rest))
    return Named(selector)


def union(selectors: Iterable[str]) -> Predicate:
    """The tests that at least one of *selectors* means. Raises SuiteArgumentException also when there is none."""
    if isinstance(selectors, str):
        selectors = [selectors]
    parts = tuple(parse(selector) for selector in selectors)
    if not parts:
        raise errors.SuiteArgumentException("no selector is given: name at least one test")
    return parts[0] if len(parts) == 1 else AnyOf(parts)


def _whole(pattern: str) -> str:
    return f"^(?:{pattern})$"
