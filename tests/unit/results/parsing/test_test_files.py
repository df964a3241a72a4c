"""Test files: attributes, iterations and perf values of one test, wherever the test put them."""

from __future__ import annotations

import json

import pytest

from autotest.client import perf_chart
from autotest.results import parser
from autotest.results.parsing import perf_measurements
from autotest.results.parsing.records import PerfValue


def test_a_chart_and_measurements_become_perf_values(folder):
    path = folder("GOOD|t1|t1|timestamp=1|")
    (path / "t1" / "results").mkdir(parents=True)
    chart = str(path / "t1" / "results" / "results-chart.json")
    perf_chart.add(chart, "load", [1, 3], "ms", graph="pages")
    perf_chart.add(chart, "fps", 60, "fps", True)
    line = perf_measurements.render("old", 5.5, "s", False)
    (path / "t1" / "results" / "perf_measurements").write_text(line)

    result = parser.read(path)

    assert result.tests[1].perf_values == (
        PerfValue("fps", 60.0, 0.0, "fps", True, None, 1),
        PerfValue("load", 2.0, pytest.approx(2**0.5), "ms", False, "pages", 2),
        PerfValue("old", 5.5, 0.0, "s", False, None, 1),
    )
    assert result.oddities == ()


def test_tests_of_tast_share_a_folder(folder):
    chart = json.dumps({"fps": {"summary": {"type": "scalar", "value": 1, "units": "fps"}}})
    files = {
        "tast/keyval": "version=3\n",
        "tast/results/tests/ui.Login/results-chart.json": chart,
        "tast/results/keyval": "a=1\n",
    }
    test = parser.read(folder("GOOD|tast|tast.ui.Login|timestamp=1|", files)).tests[1]
    assert test.attributes == {"version": 3}
    assert [value.description for value in test.perf_values] == ["fps"]
    assert test.iterations == ()


@pytest.mark.parametrize("content", [b"{", b"[]", b"\xff", b"[" * 100_000])
def test_a_damaged_chart_is_told(folder, content):
    result = parser.read(folder("GOOD|t1|t1|timestamp=1|", {"t1/results/results-chart.json": content}))
    assert result.tests[1].perf_values == ()
    assert result.oddities[0].startswith("'t1/results/results-chart.json': ")
    assert result.oddities[0].endswith("not read")


def test_damaged_measurements_are_told_and_the_others_are_read(folder):
    good = perf_measurements.render("a", 1, "s")
    files = {"t1/results/perf_measurements": f'nonsense\n{good}{{"description": 1}}\n{{"description": "b"}}\n'}
    result = parser.read(folder("GOOD|t1|t1|timestamp=1|", files))
    assert [value.description for value in result.tests[1].perf_values] == ["a"]
    assert [oddity.partition(": ")[2] for oddity in result.oddities] == [
        f"line {number} is no measurement; skipped" for number in (1, 3, 4)
    ]
