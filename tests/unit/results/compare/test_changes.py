"""What became of a test: decided from its runs, the same from either side."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from autotest.results.compare import changes
from autotest.results.compare.changes import Change, State
from autotest.results.compare.runs import Run
from autotest.states import Outcome

OPPOSITE = {
    Change.REGRESSION: Change.FIX,
    Change.FIX: Change.REGRESSION,
    Change.NEW: Change.GONE,
    Change.GONE: Change.NEW,
    Change.STILL_FAILING: Change.STILL_FAILING,
    Change.STILL_PASSING: Change.STILL_PASSING,
    Change.UNDECIDED: Change.UNDECIDED,
}
STATUSES = st.sampled_from([outcome.value for outcome in Outcome])
RUN = st.builds(
    Run,
    st.sampled_from(["a", "b", "c"]),
    st.sampled_from([None, "eve", "kevin"]),
    st.just("R1-1.0.0"),
    STATUSES,
    st.integers(1, 1000),
    st.none(),
    st.none(),
    st.none(),
    st.just(""),
    st.booleans(),
)
RUNS = st.lists(RUN, max_size=30)


def run(status: str, test_idx: int = 1, was_retried: bool = False) -> Run:
    return Run("ping", "eve", "R1-1.0.0", status, test_idx, 1, "h1", "1-ann/h1", "", was_retried)


def runs(statuses: str) -> list[Run]:
    """``PFR``: passed, failed, passed on retry."""
    return [run("FAIL" if each == "F" else "GOOD", number, each == "R") for number, each in enumerate(statuses)]


@pytest.mark.parametrize(
    ("old", "new", "change"),
    [
        ("P", "F", Change.REGRESSION),
        ("R", "F", Change.REGRESSION),
        ("F", "P", Change.FIX),
        ("F", "R", Change.FIX),
        ("F", "F", Change.STILL_FAILING),
        ("P", "R", Change.STILL_PASSING),
        ("PPP", "P", Change.STILL_PASSING),
        ("", "F", Change.NEW),
        ("P", "", Change.GONE),
        ("PP", "PF", Change.UNDECIDED),
        ("PPPPPP", "PFFFFF", Change.REGRESSION),
        ("PFFFFF", "PPPPPP", Change.FIX),
        ("PPPPPF", "FFFFFF", Change.REGRESSION),
        ("FP", "F", Change.UNDECIDED),
    ],
)
def test_what_became_of_a_test(old, new, change):
    (found,) = changes.of_runs(runs(old), runs(new))
    assert found.change is change


@pytest.mark.parametrize("status", ["TEST_NA", "RUNNING", "NOSTATUS"])
def test_a_test_that_was_not_completed_is_gone_and_not_broken(status):
    (found,) = changes.of_runs([run("GOOD")], [run(status)])
    assert found.change is Change.GONE
    assert changes.of_runs([run(status)], [run(status)]) == []


def test_a_warning_fails_no_build():
    (found,) = changes.of_runs([run("GOOD")], [run("WARN")])
    assert found.change is Change.STILL_PASSING


def test_a_state_is_shown_by_its_newest_run():
    side = changes.side([run("FAIL", 3), run("GOOD", 9), run("ABORT", 5)])
    assert (side.state, side.passed, side.total) == (State.MIXED, 1, 3)
    assert side.shown is not None
    assert side.shown.test_idx == 5
    assert str(side) == "mixed 1/3"


@given(RUNS)
def test_a_build_compared_with_itself_has_no_change(some):
    for one in changes.of_runs(some, some):
        assert one.change in (Change.STILL_FAILING, Change.STILL_PASSING, Change.UNDECIDED)
        assert one.old == one.new
        assert one.p in (None, pytest.approx(1.0))


@given(RUNS, RUNS)
def test_swapping_the_builds_swaps_regressions_and_fixes(old, new):
    there = {(one.test, one.board): one for one in changes.of_runs(old, new)}
    back = {(one.test, one.board): one for one in changes.of_runs(new, old)}
    assert there.keys() == back.keys()
    for place, one in there.items():
        assert back[place].change is OPPOSITE[one.change]
        assert (back[place].old, back[place].new) == (one.new, one.old)
        assert back[place].is_flaky is one.is_flaky


@given(RUNS, RUNS, st.randoms())
def test_the_order_in_which_runs_were_read_does_not_matter(old, new, chance):
    known = changes.of_runs(old, new)
    chance.shuffle(old)
    decided = {(one.test, one.board): (one.change, one.old.state, one.new.state) for one in known}
    shuffled = changes.of_runs(old, new)
    assert {(one.test, one.board): (one.change, one.old.state, one.new.state) for one in shuffled} == decided


@given(st.integers(0, 12), st.integers(0, 12), st.integers(0, 12), st.integers(0, 12))
def test_fishers_test_is_scipys(passed, failed, other_passed, other_failed):
    found = changes.fisher(passed, passed + failed, other_passed, other_passed + other_failed)
    wanted = stats.fisher_exact([[passed, failed], [other_passed, other_failed]]).pvalue
    assert found == pytest.approx(wanted)
