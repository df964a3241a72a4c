"""Measurements of two builds: a change has to be larger than noise and than what chance does with so few values."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from autotest.results.compare import measurements
from autotest.results.compare.measurements import Basis, Finding
from autotest.results.perf.directions import Direction, Effect
from autotest.results.perf.values import Source, Value

NUMBERS = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=12)
EFFECTS = {Effect.BETTER: Effect.WORSE, Effect.WORSE: Effect.BETTER, Effect.CHANGED: Effect.CHANGED}


def measured(numbers, build: str = "R1-1.0.0", host: str = "h1", runs: bool = True) -> list[Value]:
    """Each number of a run of its own, or all as iterations of one run."""
    return [
        Value(Source("gpu", "eve", build, host, number if runs else 0, None), "fps", float(each))
        for number, each in enumerate(numbers)
    ]


def compared(old, new, min_percent: float = 0.0):
    (found,) = measurements.of_values(measured(old), measured(new, "R2-2.0.0"), min_percent)
    return found


def test_four_against_four_that_lie_apart_have_changed():
    found = compared([60, 61, 59, 60.5], [50, 51, 49, 50.5]).directed(Direction.UP)
    assert (found.finding, found.basis, found.effect) == (Finding.CHANGED, Basis.RUNS, Effect.WORSE)
    assert found.p is not None
    assert found.p < 0.05


def test_three_values_are_only_listed_however_far_apart():
    found = compared([60, 61, 59], [1, 2, 3, 4, 5, 6])
    assert (found.finding, found.p, found.effect) == (Finding.TOO_FEW, None, None)
    assert found.percent is not None


def test_a_difference_within_the_noise_is_no_change():
    assert compared([10, 50, 90, 130, 170], [15, 55, 95, 135, 175]).finding is Finding.NO_CHANGE


def test_a_difference_that_does_not_matter_is_no_change():
    old, new = [1000.0, 1000.1, 1000.2, 1000.3, 1000.4], [1001.0, 1001.1, 1001.2, 1001.3, 1001.4]
    assert compared(old, new).finding is Finding.CHANGED
    assert compared(old, new, min_percent=1).finding is Finding.NO_CHANGE


def test_iterations_are_compared_where_runs_are_too_few_and_other_machines_are_told():
    old, new = measured([1, 2, 3, 4, 5], runs=False), measured([9, 8, 7, 6, 9], "R2-2.0.0", "h2", runs=False)
    (found,) = measurements.of_values(old, new)
    assert (found.finding, found.basis) == (Finding.CHANGED, Basis.ITERATIONS)
    assert found.other_machines


def test_iterations_of_four_runs_count_as_four_values():
    runs = measured(range(4)) * 10
    (found,) = measurements.of_values(runs, runs)
    assert (found.basis, found.old.count) == (Basis.RUNS, 4)


def test_what_one_build_did_not_measure_is_left_out():
    assert measurements.of_values(measured([1]), []) == []


def test_noise_alone_is_called_a_change_in_one_of_twenty_cases_at_most():
    chance = random.Random(3)
    samples = [[chance.gauss(100, 5) for _ in range(16)] for _ in range(400)]
    called = sum(compared(some[:8], some[8:]).finding is Finding.CHANGED for some in samples)
    assert called <= 20


@given(NUMBERS)
def test_a_build_compared_with_itself_has_no_change(numbers):
    assert compared(numbers, numbers).finding is not Finding.CHANGED


@given(NUMBERS, NUMBERS, st.sampled_from([None, *Direction]), st.sampled_from([0.0, 5.0]))
def test_swapping_the_builds_swaps_better_and_worse(old, new, direction, min_percent):
    there = compared(old, new, min_percent).directed(direction)
    back = compared(new, old, min_percent).directed(direction)
    assert there.finding is back.finding
    assert back.effect is (EFFECTS[there.effect] if there.effect else None)
