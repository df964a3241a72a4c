"""Changes: what became of each test between two builds; decided from its runs alone."""

from __future__ import annotations

import dataclasses
import enum
import math
from collections.abc import Iterable, Sequence
from typing import Any

from autotest.results.compare.runs import Run
from autotest.results.query.counts import NOT_COMPLETE, natural

#: A difference of pass rates is called one when chance does the same at most so often.
ALPHA = 0.05


class State(str, enum.Enum):
    """What a build's runs say of one test."""

    PASSED = "passed"
    #: Passed in the end, and not at once.
    RETRIED = "passed on retry"
    #: Some of its runs passed and some failed.
    MIXED = "mixed"
    FAILED = "failed"
    #: Nothing was complete: skipped, running, or no result.
    UNKNOWN = "no result"


_PASSING = frozenset({State.PASSED, State.RETRIED})
_FLAKY = frozenset({State.RETRIED, State.MIXED})


class Change(str, enum.Enum):
    """What became of a test, in the order in which people want to hear it."""

    REGRESSION = "regression"
    FIX = "fix"
    STILL_FAILING = "still failing"
    #: The pass rates may differ by chance.
    UNDECIDED = "undecided"
    NEW = "new"
    GONE = "gone"
    STILL_PASSING = "still passing"


@dataclasses.dataclass(frozen=True)
class Side:
    """One test on one build: its complete runs, and one of them that shows the state best (the newest)."""

    state: State = State.UNKNOWN
    passed: int = 0
    total: int = 0
    shown: Run | None = None

    @property
    def is_flaky(self) -> bool:
        return self.state in _FLAKY

    def __str__(self) -> str:
        """``failed``, or with several runs ``mixed 2/5``."""
        return self.state.value + (f" {self.passed}/{self.total}" if self.total > 1 else "")

    def to_json(self) -> dict[str, Any]:
        shown = None if self.shown is None else self.shown._asdict()
        return {"state": self.state, "passed": self.passed, "total": self.total, "shown": shown}


@dataclasses.dataclass(frozen=True)
class TestChange:
    """One test on one board. *p* is set where pass rates were compared."""

    __test__ = False

    test: str
    board: str | None
    change: Change
    old: Side
    new: Side
    p: float | None = None

    @property
    def is_flaky(self) -> bool:
        """Whether it was on either build."""
        return self.old.is_flaky or self.new.is_flaky

    def to_json(self) -> dict[str, Any]:
        sides = {"old": self.old.to_json(), "new": self.new.to_json()}
        return {"test": self.test, "board": self.board, "change": self.change, "p": self.p, **sides}


def of_runs(old: Iterable[Run], new: Iterable[Run]) -> list[TestChange]:
    """Compare the runs of two builds, by test and board: by change, then by name. Tests that no run of either build
    completed are left out."""
    olds, news = _by_place(old), _by_place(new)
    found = []
    for test, board in {**olds, **news}:
        sides = side(olds.get((test, board), ())), side(news.get((test, board), ()))
        change, p = decided(*sides)
        if change is not None:
            found.append(TestChange(test, board, change, *sides, p))
    rank = {change: place for place, change in enumerate(Change)}
    return sorted(found, key=lambda one: (rank[one.change], natural(one.test), natural(one.board)))


def side(runs: Sequence[Run]) -> Side:
    """The state of one test from its runs on one build."""
    complete = sorted((run for run in runs if run.status not in NOT_COMPLETE), key=lambda run: run.test_idx)
    if not complete:
        return Side()
    failed = [run for run in complete if run.failed]
    total, passed = len(complete), len(complete) - len(failed)
    retried = [run for run in complete if run.was_retried]
    if failed:
        return Side(State.MIXED if passed else State.FAILED, passed, total, failed[-1])
    if retried:
        return Side(State.RETRIED, passed, total, retried[-1])
    return Side(State.PASSED, passed, total, complete[-1])


def decided(old: Side, new: Side) -> tuple[Change | None, float | None]:
    """What became of a test, and the p of its pass rates where they had to be compared; None for no result at all."""
    if State.UNKNOWN in (old.state, new.state):
        if old.state is new.state:
            return None, None
        return (Change.NEW if old.state is State.UNKNOWN else Change.GONE), None
    if State.MIXED in (old.state, new.state):
        p = fisher(old.passed, old.total, new.passed, new.total)
        if p > ALPHA:
            return Change.UNDECIDED, p
        is_worse = new.passed * old.total < old.passed * new.total
        return (Change.REGRESSION if is_worse else Change.FIX), p
    was_passing, is_passing = old.state in _PASSING, new.state in _PASSING
    if was_passing:
        return (Change.STILL_PASSING if is_passing else Change.REGRESSION), None
    return (Change.FIX if is_passing else Change.STILL_FAILING), None


def fisher(passed: int, total: int, other_passed: int, other_total: int) -> float:
    """Fisher's exact test, two-sided: how likely pass rates at least as different are when nothing changed."""
    all_passed, everything = passed + other_passed, total + other_total

    def ways(count: int) -> int:
        return math.comb(all_passed, count) * math.comb(everything - all_passed, total - count)

    possible = range(max(0, total - (everything - all_passed)), min(total, all_passed) + 1)
    observed = ways(passed)
    return sum(number for number in map(ways, possible) if number <= observed) / math.comb(everything, total)


def _by_place(runs: Iterable[Run]) -> dict[tuple[str, str | None], list[Run]]:
    found: dict[tuple[str, str | None], list[Run]] = {}
    for run in runs:
        found.setdefault((run.test, run.board), []).append(run)
    return found
