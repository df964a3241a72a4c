"""Similarity: the ten names, paths or suites most like what was wanted."""

from __future__ import annotations

from autotest.control_file import ControlFile
from autotest.suite import similarity
from autotest.suite.predicates import InSuite, Needs
from autotest.suite.similarity import Similar

TESTS = [
    ControlFile(path="control/ping/control", name="ping", suite="bvt-cq,bvt-inline"),
    ControlFile(path="control/pong/control", name="pong", suite="bvt-cq"),
    ControlFile(path="control/alone/control", name="alone"),
]


def test_each_measure_gives_values_with_their_ratio():
    assert similarity.name("ping", TESTS[0]) == [Similar("ping", 1.0)]
    assert similarity.path("control/pong/control", TESTS[1]) == [Similar("control/pong/control", 1.0)]
    assert similarity.suite("bvt-cq", TESTS[0]) == [Similar("bvt-cq", 1.0), Similar("bvt-inline", 0.5)]
    assert similarity.suite("bvt", TESTS[2]) == [Similar(None, 0)]


def test_the_nearest_come_first_and_once():
    assert similarity.nearest("pong", TESTS, similarity.name) == [
        Similar("pong", 1.0), Similar("ping", 0.75), Similar("alone", 4 / 9),
    ]  # fmt: skip
    assert [found.value for found in similarity.nearest("bvt-cx", TESTS, similarity.suite)] == ["bvt-cq", "bvt-inline"]


def test_ten_are_offered():
    many = [ControlFile(name=f"{stem}{digit}") for stem in ("disk", "ping") for digit in range(10)]
    offered = similarity.nearest("ping", many, similarity.name)
    assert len(offered) == similarity.OFFERED
    assert [found.value for found in offered] == [f"ping{digit}" for digit in range(10)]


def test_a_suite_without_members_is_told_what_it_may_have_meant():
    assert similarity.nothing_found(InSuite("bvt-cx"), TESTS) == (
        "no control file is in suite bvt-cx; did you mean bvt-cq?"
    )
    assert similarity.nothing_found(InSuite("moon"), TESTS) == (
        "no control file is in suite moon; suites of this build: bvt-cq, bvt-inline"
    )
    assert similarity.nothing_found(InSuite("moon"), []).endswith("suites of this build: none")
    assert similarity.nothing_found(Needs("servo"), TESTS) == (
        "none of the 3 tests of this build is what the suite means: that needs servo"
    )
