"""Series: from rows to points in the order of builds, and from changes to the builds between which they happened."""

from __future__ import annotations

import json
import random

import pytest
from stored_results import NOW

from autotest import errors
from autotest.models import tko
from autotest.results.perf import series
from autotest.results.query.questions import Question


def version(number: int) -> str:
    return f"R{99 + number // 10}-{900 + number}.0.0"


def fill(stored, levels, **results) -> None:
    """One result a build; each measures ``fps`` three times around its level."""
    chance = random.Random(4)
    for number, level in enumerate(levels):
        samples = [level + chance.gauss(0, 1) for _ in range(3)]
        stored.add(version(number), "gpu", perf={"fps": samples}, **results)


def read(where: str = "", metrics=(), last: int = 100):
    return series.read(Question(where), metrics, last, NOW)


def test_a_change_names_the_builds_that_hold_it(stored):
    fill(stored, [60.0] * 14 + [45.0] * 8)

    (one,) = series.directed(read(), higher=["f*"], lower=())
    (change,) = series.changes(one)

    assert (change.last_before, change.first_after) == (version(13), version(14))
    assert change.percent == pytest.approx(-25, abs=2)
    assert change.effect == "worse"
    assert change.builds_after == 8
    assert change.confidence >= 99
    assert json.loads(json.dumps(change.to_json()))["effect"] == "worse"


def test_a_change_below_the_smallest_that_matters_is_not_reported(stored):
    fill(stored, [6000.0] * 12 + [6030.0] * 12)
    (one,) = read()
    assert len(series.changes(one)) == 1
    assert series.changes(one, min_percent=1) == []


def test_a_build_counts_once_however_many_runs_and_iterations_it_has(stored):
    stored.add("R1-1.0.0", perf={"ms": [1, 2, 30]}, host="h1")
    stored.add("R1-1.0.0", perf={"ms": [4]}, host="h2")

    (one,) = read()

    assert one.points == (series.Point("R1-1.0.0", 3.0, 2, 4, 1.0, 30.0),)


def test_boards_tests_and_metrics_are_series_of_their_own_and_uncertainties_none(stored):
    stored.add("R1-1.0.0", "a", board="eve", perf={"ms": [1], "ms_dev": [0.1], "x_dev": [3]})
    stored.add("R1-1.0.0", "a", board="kevin", perf={"ms": [2]})
    stored.add("R1-1.0.0", "b", board="eve", perf={"ms": [2]})

    assert [(one.test, one.board, one.metric) for one in read()] == [
        ("a", "eve", "ms"),
        ("a", "eve", "x_dev"),
        ("a", "kevin", "ms"),
        ("b", "eve", "ms"),
    ]
    assert [one.metric for one in read(metrics=["ms_dev"])] == ["ms_dev"]


def test_retried_results_and_what_has_no_build_do_not_count(stored):
    first = stored.add("R1-1.0.0", status="FAIL", perf={"ms": [900]})
    stored.add("R1-1.0.0", retry_of=first, perf={"ms": [5]})
    stored.add(None, perf={"ms": [7]})
    stored.add("R1-1.0.0", "other", perf={"ms": [None]})

    (one,) = read()

    assert [point.value for point in one.points] == [5]


def test_a_condition_and_the_last_builds_narrow_what_is_read(stored):
    fill(stored, [1.0] * 6)
    fill(stored, [1.0] * 6, board="kevin")
    (one,) = read("board = kevin", last=2)
    assert [point.build for point in one.points] == [version(4), version(5)]


def test_a_number_of_builds_out_of_bounds_is_refused(stored):
    with pytest.raises(errors.ValidationError, match="last"):
        read(last=501)


def test_the_result_itself_may_say_which_direction_is_better(stored):
    said = {"perf-direction.ms": "down", "perf-direction.fps": "?"}
    stored.add("R1-1.0.0", perf={"ms": [1], "fps": [2]}, attributes=said)
    found = series.directed(read(), (), ())
    assert {one.metric: one.direction for one in found} == {"ms": "down", "fps": None}


def test_the_chart_of_the_newest_result_says_it_too_and_people_know_better(stored):
    number = stored.add("R1-1.0.0", perf={"fps": [2], "ms": [3], "mb": [4]}, attributes={"perf-direction.mb": "down"})
    (result,) = tko.TestResult.select().join(tko.TkoJob).where(tko.TkoJob.afe_job_id == number)
    for name in ("fps", "ms", "mb"):
        tko.IterationPerfValue.insert(test=result, iteration=1, description=name, higher_is_better=True).execute()

    found = series.directed(read(), (), ["ms"])

    assert {one.metric: one.direction for one in found} == {"fps": "up", "ms": "down", "mb": "down"}


def test_charts_make_series_as_iterations_do(stored):
    for number in range(2):
        stored.add(version(number), "gpu", perf={"fps": [1.0]})
    for result in tko.TestResult.select():
        for graph, name in ((None, "fps"), ("times", "boot")):
            row = {"test": result, "iteration": 1, "graph": graph, "description": name, "value": 7.0}
            tko.IterationPerfValue.insert(higher_is_better=True, **row).execute()

    found = {one.metric: one for one in series.directed(read(), (), ())}

    assert [point.value for point in found["fps"].points] == [1.0, 1.0]
    assert [point.value for point in found["times/boot"].points] == [7.0, 7.0]
    assert {one.direction for one in found.values()} == {"up"}
    assert [one.metric for one in read(metrics=["times/boot"])] == ["times/boot"]


def test_a_metric_that_is_meant_both_ways_is_refused(stored):
    stored.add("R1-1.0.0", perf={"fps": [2]})
    with pytest.raises(errors.ValidationError, match="'fps'"):
        series.directed(read(), ["f*"], ["*s"])
