"""Builds in order: versions by value; anything else by time."""

from __future__ import annotations

import datetime

from hypothesis import given
from hypothesis import strategies as st

from autotest.results.perf import build_order


def at(hour: int) -> datetime.datetime:
    return datetime.datetime(2026, 11, 21, hour, tzinfo=datetime.timezone.utc)


def test_versions_are_compared_by_value_whatever_was_tested_first():
    names = ["R9-900.0.0", "R99-14000.9.0", "R99-14000.10.0", "R100-14001.0.0-rc1", "R100-14001.0.0"]
    times = {name: at(20 - place) for place, name in enumerate(names)}
    assert build_order.ordered(times) == names


def test_one_name_that_is_no_version_puts_all_in_order_of_time():
    times = {"R2-2.0.0": at(1), "tip-of-tree": at(2), "R1-1.0.0": at(3), "never-began": None}
    assert build_order.ordered(times) == ["never-began", "R2-2.0.0", "tip-of-tree", "R1-1.0.0"]


VERSIONS = st.tuples(st.integers(1, 200), st.integers(0, 20_000), st.integers(0, 99), st.integers(0, 9))


@given(st.sets(VERSIONS, max_size=20))
def test_versions_have_the_order_of_their_numbers(versions):
    names = {f"R{milestone}-{a}.{b}.{c}": None for milestone, a, b, c in versions}
    assert build_order.ordered(names) == [f"R{m}-{a}.{b}.{c}" for m, a, b, c in sorted(versions)]


@given(st.dictionaries(st.text(max_size=30), st.none()))
def test_any_names_have_an_order(names):
    assert sorted(build_order.ordered(names)) == sorted(names)
