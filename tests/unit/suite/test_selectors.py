"""Selectors: a suite, the whole of a name, the whole of a path, or an exact name."""

from __future__ import annotations

import pytest

from autotest import errors
from autotest.control_file import ControlFile
from autotest.suite import selectors
from autotest.suite.predicates import AnyOf, InSuite, Named

TESTS = [
    ControlFile(path="control/ping/control", name="ping", suite="bvt"),
    ControlFile(path="control/ping/control.fast", name="ping.fast", suite="smoke"),
    ControlFile(path="control/pong/control", name="pong"),
    ControlFile(path="control/odd/control", name="x:ping"),
]


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        ("ping", ["ping"]),
        ("pin", []),
        ("suite:bvt", ["ping"]),
        ("suite:BVT", []),
        ("e:p.ng", ["ping", "pong"]),
        ("e:ping.*", ["ping", "ping.fast"]),
        ("e:ping|pong", ["ping", "pong"]),
        ("f:.*/control", ["ping", "pong", "x:ping"]),
        ("f:control/ping/.*", ["ping", "ping.fast"]),
        ("f:ping/.*", []),
        ("x:ping", ["x:ping"]),
    ],
)
def test_a_selector_means_these(selector, names):
    wanted = selectors.parse(selector)
    assert [test.name for test in TESTS if wanted.holds(test)] == names


def test_several_selectors_are_a_union():
    assert selectors.union(["suite:bvt", "pong"]) == AnyOf((InSuite("bvt"), Named("pong")))
    assert selectors.union("pong") == Named("pong")


@pytest.mark.parametrize("selector", ["", "  ", "suite:", "e: ", "e:(", "f:["])
def test_a_selector_that_says_nothing_is_refused(selector):
    with pytest.raises(errors.SuiteArgumentException):
        selectors.parse(selector)


def test_no_selector_is_refused():
    with pytest.raises(errors.SuiteArgumentException, match="name at least one test"):
        selectors.union([])
