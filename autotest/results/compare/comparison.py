"""Comparison of two builds: a question, its answer, and what in it should fail a build."""

from __future__ import annotations

import dataclasses
import datetime
import enum
from collections.abc import Collection, Sequence
from typing import Any

from autotest import errors
from autotest.results.compare import changes, measurements, runs
from autotest.results.compare.changes import Change, TestChange
from autotest.results.compare.measurements import Finding, Measurement
from autotest.results.perf import directions, values
from autotest.results.perf.directions import Effect
from autotest.results.query import builds, conditions
from autotest.results.query.questions import Question
from autotest.results.query.selection import Selection

_BUILDS_NAMED = 5


class FailOn(str, enum.Enum):
    """What may fail a build."""

    REGRESSION = "regression"
    #: A metric that got worse, or changed while nobody said which way is better.
    PERF = "perf"
    #: A test that on the new build passed and failed, or passed on retry only.
    FLAKY = "flaky"


@dataclasses.dataclass(frozen=True)
class Comparison:
    """Two builds side by side: every test of either, every metric of both."""

    old: str
    new: str
    tests: tuple[TestChange, ...]
    measurements: tuple[Measurement, ...]

    def of(self, change: Change) -> list[TestChange]:
        """The tests of which that became."""
        return [one for one in self.tests if one.change is change]

    @property
    def flaky(self) -> list[TestChange]:
        """The tests that were flaky on either build, whatever else became of them."""
        return [one for one in self.tests if one.is_flaky]

    @property
    def changed(self) -> list[Measurement]:
        """The metrics that differ by more than noise."""
        return [one for one in self.measurements if one.finding is Finding.CHANGED]

    def found(self, fail_on: Collection[FailOn]) -> dict[FailOn, int]:
        """How many there are of what should fail the build; nothing for a build that may pass."""
        counts = {
            FailOn.REGRESSION: len(self.of(Change.REGRESSION)),
            FailOn.PERF: sum(one.effect is not Effect.BETTER for one in self.changed),
            FailOn.FLAKY: sum(one.new.is_flaky for one in self.tests),
        }
        return {what: counts[what] for what in FailOn if what in fail_on and counts[what]}

    def to_json(self) -> dict[str, Any]:
        counts = {change.value: len(self.of(change)) for change in Change}
        return {
            "old": self.old,
            "new": self.new,
            "counts": {**counts, "flaky": len(self.flaky), "perf changes": len(self.changed)},
            "tests": [one.to_json() for one in self.tests],
            "perf": [one.to_json() for one in self.measurements],
        }


def ask(
    old: str,
    new: str,
    now: datetime.datetime,
    *,
    where: str = "",
    higher: Sequence[str] = (),
    lower: Sequence[str] = (),
    min_percent: float = 0.0,
) -> Comparison:
    """Compare two builds, versions (``R124-14490.0.0``) or whole images (``eve-release/R124-14490.0.0``).

    *where* says in which results; *higher* and *lower* are patterns of metrics that should grow and shrink.

    Takes five queries; one more for labels, and two for 500 changed metrics whose direction nobody said. Raises
    BadCondition, NotFound (labels, a build without results), ValidationError, TooManyRows. The caller has a connection
    open.
    """
    field = "image" if "/" in old or "/" in new else "build"
    named = ", ".join(map(conditions.quoted, dict.fromkeys((old, new))))
    meant = f"{field} in ({named})" + (f" and ({where})" if where.strip() else "")
    read = runs.read(Selection(Question(meant, with_invalid=True), now), field)
    for build in (old, new):
        if not any(run.build == build for run in read):
            raise errors.NotFound(f"no result that counts is of {field} {build!r}{_last_builds(where, now)}")
    measured = values.read(Selection(Question(meant), now), (), field)
    compared = measurements.of_values(
        [value for value in measured if value.source.build == old],
        [value for value in measured if value.source.build == new],
        min_percent,
    )
    return Comparison(
        old,
        new,
        tuple(changes.of_runs([run for run in read if run.build == old], [run for run in read if run.build == new])),
        tuple(_directed(compared, higher, lower)),
    )


def _directed(compared: Sequence[Measurement], higher: Sequence[str], lower: Sequence[str]) -> list[Measurement]:
    told = [directions.said(one.metric, higher, lower) for one in compared]
    unsaid = [
        (one.metric, one.newest)
        for one, direction in zip(compared, told, strict=True)
        if direction is None and one.finding is Finding.CHANGED
    ]
    recorded = directions.recorded(unsaid)
    return [
        one.directed(direction or recorded.get((one.metric, one.newest)))
        for one, direction in zip(compared, told, strict=True)
    ]


def _last_builds(where: str, now: datetime.datetime) -> str:
    """For who mistyped a build."""
    names = builds.keep_last(Selection(Question(where), now), _BUILDS_NAMED)
    return f"; the last builds: {', '.join(reversed(names))}" if names else ""
