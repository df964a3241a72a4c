"""results-chart.json: scalars become lists, and limits are kept."""

from __future__ import annotations

import json
import pathlib
import tempfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autotest.client import perf_chart


@pytest.fixture
def chart(tmp_path):
    path = tmp_path / "chart.json"

    def add(*args, **kwargs):
        perf_chart.add(str(path), *args, **kwargs)
        return json.loads(path.read_text())

    return add


def test_a_first_value_is_a_scalar(chart):
    entry = {"type": "scalar", "value": 5.0, "units": "ms", "improvement_direction": "up"}
    assert chart("page load", "5", "ms", True) == {"page_load": {"summary": entry}}


def test_a_second_value_makes_a_list_unless_it_replaces_the_first(chart):
    chart("d", 1)
    assert chart("d", [2, 3])["d"]["summary"]["values"] == [1.0, 2.0, 3.0]
    assert chart("d", 4, replace_existing_values=True)["d"]["summary"]["value"] == 4.0


def test_a_graph_holds_its_descriptions(chart):
    chart("a", 1, graph="g")
    assert set(chart("b", [1], graph="g")["g"]) == {"a", "b"}


@pytest.mark.parametrize(
    ("args", "problem"),
    [
        (("d" * 257, 1), "description has 257"),
        (("d", 1, "u" * 33), "units has 33"),
        (("d", "fast"), "could not convert"),
        (("d", None), "is no number"),
        (("d", 1, None, None, None, " "), "replacement"),
        (("d", 1, None, None, None, None), "replacement"),
    ],
)
def test_what_does_not_fit_is_refused(chart, args, problem):
    with pytest.raises(ValueError, match=problem):
        chart(*args)


def test_what_was_added_is_read_back(tmp_path):
    path = tmp_path / "chart.json"
    perf_chart.add(str(path), "page load", [1, 2], "ms", graph="pages")
    perf_chart.add(str(path), "fps", "60", None, True)
    assert perf_chart.parse(path.read_bytes()) == [
        perf_chart.Metric(None, "fps", (60.0,), None, True),
        perf_chart.Metric("pages", "page_load", (1.0, 2.0), "ms", False),
    ]


def test_a_chart_of_telemetry_is_read_and_what_is_no_number_is_left_out():
    entry = {"type": "scalar", "value": 5, "units": "ms", "improvement_direction": "up"}
    charts = {"load": {"summary": entry, "trace": {"type": "trace", "url": "x"}}, "odd": []}
    found = perf_chart.parse(json.dumps({"format_version": "1.0", "charts": charts}))
    assert found == [perf_chart.Metric(None, "load", (5.0,), "ms", True)]


METRIC = st.tuples(
    st.text("abc_.-", min_size=1, max_size=6), st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=3),
    st.none() | st.sampled_from(["ms", "fps"]), st.booleans(), st.none() | st.sampled_from(["g1", "g2"]),
)  # fmt: skip


@given(st.lists(METRIC, max_size=6, unique_by=lambda metric: (metric[4], metric[0])))
def test_parse_is_the_inverse_of_add(metrics):
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/chart.json"
        for description, values, units, better, graph in metrics:
            perf_chart.add(path, description, values, units, better, graph)
        found = perf_chart.parse(pathlib.Path(path).read_bytes()) if metrics else []
    assert sorted(map(repr, found)) == sorted(
        repr(perf_chart.Metric(graph, description, tuple(values), units, better))
        for description, values, units, better, graph in metrics
    )


@given(st.binary(max_size=200) | st.text('[]{}":,1abc', max_size=60).map(str.encode))
def test_any_bytes_are_a_chart_or_a_value_error(content):
    try:
        metrics = perf_chart.parse(content)
    except ValueError:
        return
    assert all(metric.values for metric in metrics)
