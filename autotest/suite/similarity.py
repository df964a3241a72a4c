"""Similarity: "did you mean" for names of tests, paths and suites that are not there."""

from __future__ import annotations

import difflib
import heapq
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from autotest import plurals
from autotest.control_file import ControlFile
from autotest.suite.predicates import InSuite, Predicate

#: How many are offered (control-files-and-suites.md section 3.5).
OFFERED = 10
_NEAR = 0.6


class Similar(NamedTuple):
    """One candidate, and how much it is like the wanted text: 0.0 to 1.0. None is a test without a suite."""

    value: str | None
    ratio: float


def name(wanted: str, test: ControlFile) -> list[Similar]:
    """How much the test's NAME is like *wanted*."""
    return [Similar(test.name, _ratio(wanted, test.name or ""))]


def path(wanted: str, test: ControlFile) -> list[Similar]:
    """How much the path of the control file is like *wanted*."""
    return [Similar(test.path, _ratio(wanted, test.path))]


def suite(wanted: str, test: ControlFile) -> list[Similar]:
    """How much each suite of the test is like *wanted*; one (None, 0) for a test without a suite."""
    return [Similar(tag, _ratio(wanted, tag)) for tag in test.suite_tag_parts] or [Similar(None, 0.0)]


def nearest(
    wanted: str, tests: Iterable[ControlFile], measure: Callable[[str, ControlFile], Sequence[Similar]]
) -> list[Similar]:
    """The OFFERED different values of *tests* that are most like *wanted*, best first, equals in order of value."""
    found = {pair.value: pair.ratio for test in tests for pair in measure(wanted, test) if pair.value is not None}
    best = heapq.nsmallest(OFFERED, found.items(), key=lambda item: (-item[1], item[0]))
    return [Similar(value, ratio) for value, ratio in best]


def nothing_found(wanted: Predicate, tests: Sequence[ControlFile]) -> str:
    """Why a suite has no member, in one line: what was wanted, and which suites of the build are like it."""
    if not isinstance(wanted, InSuite):
        return f"none of the {plurals.counted(len(tests), 'test')} of this build is what the suite means: {wanted}"
    offered = [pair.value for pair in nearest(wanted.name, tests, suite) if pair.ratio >= _NEAR and pair.value]
    if offered:
        return f"no control file is in suite {wanted.name}; did you mean {' or '.join(offered)}?"
    known = sorted({part for test in tests for part in test.suite_tag_parts if part})
    return f"no control file is in suite {wanted.name}; suites of this build: {', '.join(known) or 'none'}"


def _ratio(wanted: str, value: str) -> float:
    return difflib.SequenceMatcher(None, wanted, value).ratio()
