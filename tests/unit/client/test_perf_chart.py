"""results-chart.json: scalars become lists, and limits are kept."""

from __future__ import annotations

import json

import pytest

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
