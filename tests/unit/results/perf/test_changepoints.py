"""Change points: the partition is that of ruptures, changes are found where they were made, and noise has none."""

from __future__ import annotations

import itertools
import random
import statistics

import numpy as np
import pytest
import ruptures
from hypothesis import given
from hypothesis import strategies as st

from autotest.results.perf import changepoints

SERIES = st.lists(st.integers(-50, 50).map(float), min_size=3, max_size=40)


def made(seed: int, *levels: tuple[float, int], spread: float = 1.0) -> list[float]:
    """A series of levels (value, points) with normal noise."""
    chance = random.Random(seed)
    return [chance.gauss(level, spread) for level, points in levels for _ in range(points)]


def cost(values: list[float], cuts: list[int], price: float) -> float:
    bounds = [0, *cuts, len(values)]
    parts = [values[start:end] for start, end in itertools.pairwise(bounds)]
    return sum(sum(abs(value - statistics.median(part)) for value in part) + price for part in parts)


@given(SERIES)
def test_distances_are_those_from_the_median(values):
    found = changepoints._distances(values)
    assert found == [pytest.approx(cost(values[:size], [], 0), abs=1e-9) for size in range(1, len(values) + 1)]


@given(SERIES, st.sampled_from([1.0, 20.0, 75.5]))
def test_no_partition_of_ruptures_costs_less(values, price):
    ours = changepoints.partition(values, price)
    theirs = ruptures.Pelt(model="l1", min_size=changepoints.SHORTEST, jump=1).fit(np.array(values)).predict(pen=price)
    assert cost(values, ours, price) <= cost(values, theirs[:-1], price) + 1e-6


@pytest.mark.parametrize("seed", range(12))
def test_ruptures_finds_the_changes_of_a_generated_series_at_the_same_points(seed):
    chance = random.Random(seed)
    levels = [(chance.choice([-40.0, 0.0, 40.0, 90.0]) + place * 7, chance.randint(8, 20)) for place in range(4)]
    values = made(seed, *levels)
    theirs = ruptures.Pelt(model="l1", min_size=changepoints.SHORTEST, jump=1).fit(np.array(values)).predict(pen=20)
    assert changepoints.partition(values, 20) == theirs[:-1]


@pytest.mark.parametrize("seed", range(10))
def test_a_change_is_found_where_it_was_made(seed):
    (found,) = changepoints.find(made(seed, (100, 20), (106, 15)))
    assert abs(found.place - 20) <= 1
    assert found.before == pytest.approx(100, abs=1)
    assert found.after == pytest.approx(106, abs=1)
    assert found.confidence >= 99


def test_each_of_several_changes_is_found_however_different_in_size():
    found = changepoints.find(made(5, (100, 15), (900, 15), (890, 15)))
    assert [point.place for point in found] == [15, 30]


def test_a_change_without_noise_is_found_and_a_constant_series_has_none():
    assert [point.place for point in changepoints.find([5.0] * 8 + [6.0] * 8)] == [8]
    assert changepoints.find([5.0] * 30) == []


def test_the_last_three_builds_can_already_be_a_change():
    (found,) = changepoints.find(made(3, (50, 25), (80, 3)))
    assert found.place == 25


def test_one_wild_build_is_no_change():
    values = made(8, (50, 30))
    values[14] = 5000.0
    assert changepoints.find(values) == []


def test_noise_is_called_a_change_less_often_than_once_in_fifty_series():
    called = sum(bool(changepoints.find(made(seed, (100, 30)))) for seed in range(200))
    assert called <= 4


@pytest.mark.parametrize("length", range(6))
def test_a_series_that_is_too_short_has_no_change(length):
    assert changepoints.find([1.0, 1.1, 0.9, 50.0, 51.0][:length]) == []


@given(SERIES)
def test_the_same_series_gives_the_same_answer_and_a_scaled_one_the_same_places(values):
    found = changepoints.find(values)
    assert changepoints.find(values) == found
    assert [point.place for point in changepoints.find([4 * value for value in values])] == [
        point.place for point in found
    ]
