"""Perf measurements: what is rendered is read back, and no bytes make the reader raise."""

from __future__ import annotations

import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autotest.results.parsing import perf_measurements

NUMBER = st.floats(-1e9, 1e9)
METRICS = st.tuples(
    st.text(max_size=256), st.one_of(NUMBER, st.lists(NUMBER, max_size=5)), st.text(max_size=32), st.booleans(),
    st.none() | st.text(max_size=256),
)  # fmt: skip


@given(st.lists(METRICS, max_size=5))
def test_parse_is_the_inverse_of_render(metrics):
    content = "".join(perf_measurements.render(*metric) for metric in metrics).encode()

    found = perf_measurements.parse(content, pytest.fail)

    expected = []
    for description, value, units, higher_is_better, graph in metrics:
        values = value if isinstance(value, list) else [value]
        expected.append((description, len(values), units, higher_is_better, graph))
    shown = [(one.description, one.samples, one.units, one.higher_is_better, one.graph) for one in found]
    assert shown == expected


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=20))
def test_a_list_is_its_mean_and_its_sample_deviation(values):
    found = perf_measurements.summarized("d", values, None, True, None)
    assert found.value == pytest.approx(statistics.mean(values), abs=1e-6)
    assert found.stddev == pytest.approx(statistics.stdev(values), abs=1e-6)


def test_an_empty_list_is_nothing():
    (found,) = perf_measurements.parse(perf_measurements.render("d", [], "s").encode(), pytest.fail)
    assert (found.value, found.stddev, found.samples) == (0.0, 0.0, 0)


@pytest.mark.parametrize(("description", "units"), [("d" * 257, "s"), ("d", "u" * 33)])
def test_what_is_too_long_is_refused(description, units):
    with pytest.raises(ValueError, match="more than"):
        perf_measurements.render(description, 1, units)


@given(st.binary(max_size=200))
def test_no_bytes_make_it_raise(content):
    assert all(one.description is not None for one in perf_measurements.parse(content, lambda _: None))
