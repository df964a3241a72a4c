"""Two builds in the database: retries, invalidated results, boards, and a bounded number of queries."""

from __future__ import annotations

import pytest
from stored_results import NOW

from autotest import errors
from autotest.models import database, tko
from autotest.results.compare import comparison
from autotest.results.compare.changes import Change, State
from autotest.results.compare.comparison import FailOn

OLD, NEW = "R1-1.0.0", "R1-2.0.0"


def ask(old: str = OLD, new: str = NEW, **arguments):
    return comparison.ask(old, new, NOW, **arguments)


def became(found) -> dict[str, Change]:
    return {one.test: one.change for one in found.tests}


def test_each_test_is_told_what_became_of_it(stored):
    for test, old, new in (
        ("breaks", "GOOD", "FAIL"),
        ("heals", "ERROR", "GOOD"),
        ("sick", "FAIL", "ABORT"),
        ("well", "GOOD", "GOOD"),
        ("comes", None, "GOOD"),
        ("goes", "GOOD", None),
    ):
        for build, status in ((OLD, old), (NEW, new)):
            if status:
                stored.add(build, test, status)

    found = ask()

    assert became(found) == {
        "breaks": Change.REGRESSION,
        "heals": Change.FIX,
        "sick": Change.STILL_FAILING,
        "well": Change.STILL_PASSING,
        "comes": Change.NEW,
        "goes": Change.GONE,
    }
    assert found.found(set(FailOn)) == {FailOn.REGRESSION: 1}
    assert found.to_json()["counts"]["fix"] == 1


def test_a_test_that_passed_on_retry_passes_and_is_flaky(stored):
    stored.add(OLD)
    first = stored.add(NEW, status="FAIL")
    stored.add(NEW, retry_of=first)

    (one,) = ask().tests

    assert (one.change, one.new.state) == (Change.STILL_PASSING, State.RETRIED)
    assert ask().found({FailOn.FLAKY}) == {FailOn.FLAKY: 1}
    assert ask(NEW, OLD).found({FailOn.FLAKY}) == {}


def test_a_retry_whose_original_left_no_result_is_flaky_too(stored):
    stored.add(OLD)
    stored.add(NEW, retry_of=4711)
    (one,) = ask().tests
    assert one.new.state is State.RETRIED


def test_what_passed_before_its_job_was_retried_is_not_flaky(stored):
    stored.add(OLD)
    first = stored.add(NEW)
    stored.add(NEW, retry_of=first)
    (one,) = ask().tests
    assert one.new.state is State.PASSED


def test_a_result_that_a_person_invalidated_does_not_count(stored):
    stored.add(OLD)
    stored.add(NEW)
    stored.add(NEW, status="FAIL", invalid=True)
    (one,) = ask().tests
    assert (one.change, one.new.total) == (Change.STILL_PASSING, 1)


def test_boards_are_compared_each_with_itself(stored):
    for board, status in (("eve", "GOOD"), ("kevin", "FAIL")):
        stored.add(OLD, board=board)
        stored.add(NEW, status=status, board=board)

    assert {one.board: one.change for one in ask().tests} == {"kevin": Change.REGRESSION, "eve": Change.STILL_PASSING}
    assert became(ask(where="board = eve")) == {"ping": Change.STILL_PASSING}
    assert became(ask(f"kevin-release/{OLD}", f"kevin-release/{NEW}")) == {"ping": Change.REGRESSION}


def test_a_metric_that_got_worse_fails_the_build_and_a_better_one_does_not(stored):
    for number in range(5):
        stored.add(OLD, perf={"fps": [60 + number], "ms": [5 + number / 10]})
        stored.add(NEW, perf={"fps": [40 + number], "ms": [3 + number / 10]})

    found = ask(higher=["fps"], lower=["m*"])

    assert {one.metric: one.effect for one in found.changed} == {"fps": "worse", "ms": "better"}
    assert found.found(set(FailOn)) == {FailOn.PERF: 1}
    assert ask().found(set(FailOn)) == {FailOn.PERF: 2}


def test_a_build_compared_with_itself_has_no_change(stored):
    for status in ("GOOD", "FAIL"):
        stored.add(OLD, status.lower(), status, perf={"ms": [1, 2, 3, 4, 5]})
    found = ask(OLD, OLD)
    assert became(found) == {"good": Change.STILL_PASSING, "fail": Change.STILL_FAILING}
    assert (len(found.measurements), found.changed) == (2, [])


def test_a_build_that_is_not_there_is_named_with_those_that_are(stored):
    stored.add(OLD)
    stored.add(NEW)
    with pytest.raises(errors.NotFound, match=r"build 'R9-9\.0\.0'; the last builds: R1-2\.0\.0, R1-1\.0\.0"):
        ask(new="R9-9.0.0")


@pytest.mark.parametrize("build", ["x' or '1'='1", "in (", "*", "☃"])
def test_a_build_is_only_ever_a_value(stored, build):
    stored.add(OLD)
    with pytest.raises(errors.NotFound):
        ask(new=build)


def test_the_number_of_queries_does_not_grow_with_the_results(stored, monkeypatch):
    for number in range(30):
        for build in (OLD, NEW):
            level = 1 if build == OLD else 100
            stored.add(build, f"t{number}", perf={"ms": [level, level + 1, level + 2, level + 3]})
    asked: list[str] = []
    handle = database.db.obj
    real = handle.execute_sql
    monkeypatch.setattr(handle, "execute_sql", lambda sql, params=None: asked.append(sql) or real(sql, params))

    assert len(ask().changed) == 30
    assert len(asked) == 7


def test_job_records_are_no_tests(stored):
    stored.add(OLD)
    stored.add(NEW)
    stored.add(NEW, "SERVER_JOB", "FAIL", subdir="----")
    assert tko.TestResult.select().count() == 3
    assert became(ask()) == {"ping": Change.STILL_PASSING}
