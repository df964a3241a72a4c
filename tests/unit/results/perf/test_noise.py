"""Noise: a single wild value changes little."""

from __future__ import annotations

import random

import pytest
from scipy import stats

from autotest.results.perf import noise


def test_the_spread_is_that_of_scipys_normalised_deviation():
    chance = random.Random(1)
    values = [chance.gauss(10, 3) for _ in range(101)]
    assert noise.mad(values) == pytest.approx(stats.median_abs_deviation(values))
    assert noise.spread(values) == pytest.approx(stats.median_abs_deviation(values, scale="normal"))


def test_steps_tell_the_noise_of_a_series_whose_level_changes():
    chance = random.Random(2)
    values = [chance.gauss(100 if place < 200 else 900, 2) for place in range(400)]
    assert noise.step_noise(values) == pytest.approx(2, rel=0.2)


def test_a_constant_series_has_no_noise_and_a_single_value_none_that_is_known():
    assert noise.step_noise([4.0] * 9) == noise.step_noise([4.0]) == noise.spread([4.0]) == 0
