"""Mann-Whitney: the published tables, every division of small samples, and scipy's figures."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from autotest.results.perf import ranks

VALUES = st.integers(0, 6).map(float)
SAMPLE = st.lists(VALUES, min_size=1, max_size=5)


def test_equal_values_share_the_mean_of_their_ranks():
    assert ranks.midranks([3.0, 1.0, 3.0, 2.0]) == [3.5, 1.0, 3.5, 2.0]


@pytest.mark.parametrize(
    ("first", "second", "critical"),
    # Two-sided 5 % critical values of U from the usual tables (Mann and Whitney 1947; Siegel 1956).
    [(4, 4, 0), (4, 5, 1), (5, 5, 2), (5, 6, 3), (6, 6, 5), (7, 7, 8), (8, 8, 13), (10, 10, 23)],
)
def test_the_critical_values_of_the_tables_are_met(first, second, critical):
    def p_of(u: int) -> float:
        ordinary = tuple((2 * rank, 1) for rank in range(1, first + second + 1))
        return ranks._exact(ordinary, first, 2 * u + first * (first + 1))

    assert p_of(critical) <= 0.05 < p_of(critical + 1)


@given(SAMPLE, SAMPLE)
def test_a_small_p_is_the_share_of_all_divisions(first, second):
    everything = ranks.midranks([*first, *second])
    count = len(first)
    middle = count * (len(everything) + 1) / 2
    distance = abs(sum(everything[:count]) - middle)
    divisions = [abs(sum(some) - middle) for some in itertools.combinations(everything, count)]
    share = sum(each >= distance for each in divisions) / len(divisions)
    assert ranks.mann_whitney(first, second).p == pytest.approx(share)


@given(st.sets(st.integers(0, 1000), min_size=2, max_size=24).map(sorted), st.data())
def test_without_ties_scipy_finds_the_same(values, data):
    mixed = data.draw(st.permutations([float(value) for value in values]))
    cut = data.draw(st.integers(1, len(mixed) - 1))
    found = ranks.mann_whitney(mixed[:cut], mixed[cut:])
    wanted = stats.mannwhitneyu(mixed[:cut], mixed[cut:], method="exact")
    assert found == (pytest.approx(wanted.statistic), pytest.approx(wanted.pvalue))


@given(st.lists(VALUES, min_size=13, max_size=40), st.lists(VALUES, min_size=13, max_size=40))
def test_many_values_with_ties_are_as_scipy_has_them(first, second):
    found = ranks.mann_whitney(first, second)
    wanted = stats.mannwhitneyu(first, second, method="asymptotic")
    expected = 1.0 if math.isnan(wanted.pvalue) else wanted.pvalue
    assert found == (pytest.approx(wanted.statistic), pytest.approx(expected))


@given(SAMPLE, SAMPLE)
def test_the_order_of_the_samples_does_not_matter(first, second):
    there, back = ranks.mann_whitney(first, second), ranks.mann_whitney(second, first)
    assert there.p == pytest.approx(back.p)
    assert there.u + back.u == len(first) * len(second)


def test_three_against_three_can_never_be_called_different():
    assert ranks.mann_whitney([1, 2, 3], [100, 200, 300]).p == ranks.smallest_p(3, 3) == 0.1
