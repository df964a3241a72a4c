"""Figures: medians, ratios, targets, and how they are written down."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from autotest.bench import measure
from autotest.bench.measure import Figure, Target


def figure(**fields):
    return Figure(**{"name": "claims", "unit": "1/s", "values": (3.0, 1.0, 8.0), **fields})


def test_a_figure_is_the_median_of_its_runs():
    assert figure().median == 3.0


def test_the_ratio_is_that_of_the_medians():
    assert figure(bare=(2.0, 1.0, 1.5)).ratio == 2.0


def test_without_a_baseline_there_is_no_ratio():
    assert figure().ratio is None
    assert figure().bare_median is None


@pytest.mark.parametrize(
    ("target", "met"),
    [
        (Target("at least", 3), True),
        (Target("at least", 4), False),
        (Target("at most", 3), True),
        (Target("at most", 2), False),
        (Target("at most", 2.0, of="ratio"), True),
        (Target("at most", 1.9, of="ratio"), False),
        (Target("at most", 1.5, of="difference"), True),
        (Target("at most", 1.4, of="difference"), False),
        (None, None),
    ],
)
def test_a_target_is_met_or_not(target, met):
    assert figure(bare=(1.5,), target=target).met is met


def test_a_target_for_a_ratio_without_a_baseline_is_neither_met_nor_missed():
    assert figure(target=Target("at most", 2.0, of="ratio")).met is None


def test_the_percentile_is_one_of_the_values():
    values = [float(number) for number in range(1, 201)]

    assert measure.percentile(values, 50) == 100.0
    assert measure.percentile(values, 99) == 198.0
    assert measure.percentile([7.0], 99) == 7.0
    with pytest.raises(ValueError, match="nothing"):
        measure.percentile([], 50)


def test_both_sides_are_measured_in_turns():
    order = []

    ours, bare = measure.interleaved(2, lambda: order.append("ours") or 1.0, lambda: order.append("bare") or 2.0)

    assert order == ["ours", "bare", "ours", "bare"]
    assert (ours, bare) == ([1.0, 1.0], [2.0, 2.0])


def test_a_report_says_everything_in_json():
    target = Target("at most", 2.0, of="ratio")
    report = measure.report("claim", "full", "sqlite", [figure(bare=(1.5,), baseline="bare", target=target), figure()])

    first, second = json.loads(measure.dumps([report]))[0]["figures"]
    assert first == {
        "name": "claims",
        "unit": "1/s",
        "median": 3.0,
        "min": 1.0,
        "max": 8.0,
        "values": [3.0, 1.0, 8.0],
        "bare": {"what": "bare", "median": 1.5, "min": 1.5, "max": 1.5, "values": [1.5]},
        "ratio": 2.0,
        "target": {"bound": "at most", "number": 2.0, "of": "ratio", "met": True},
    }
    assert (second["bare"], second["ratio"], second["target"]) == (None, None, None)
    assert {"cpus", "python", "system", "load_1m"} == set(report["machine"])


def test_the_table_shows_what_was_missed():
    console = Console(width=200, record=True, file=io.StringIO())

    console.print(measure.table("claim", [figure(target=Target("at least", 4))]))

    text = console.export_text()
    assert "claims (1/s)" in text
    assert "at least 4" in text
    assert "no" in text.split()
