"""Measurements: which metrics differ between two builds by more than noise, and which have too few values to tell."""

from __future__ import annotations

import dataclasses
import enum
import math
import statistics
from collections.abc import Iterable, Sequence
from typing import Any

from autotest.results.perf import directions, noise, ranks, values
from autotest.results.perf.directions import Direction, Effect
from autotest.results.perf.values import Source, Value
from autotest.results.query.counts import natural

#: With fewer values on either side nothing is ever called a change: three against three have p = 0.1 at best.
FEWEST = 4
ALPHA = 0.05
#: A change is at least so many standard deviations of the noisier build.
_BEYOND_NOISE = 1.0


class Basis(str, enum.Enum):
    """What was counted as one value. Iterations of one run share their machine and boot."""

    RUNS = "runs"
    ITERATIONS = "iterations"


class Finding(str, enum.Enum):
    """What can be said."""

    CHANGED = "changed"
    NO_CHANGE = "no change"
    TOO_FEW = "too few values"


@dataclasses.dataclass(frozen=True)
class Sample:
    """The values of one build: how many, their median, and their MAD; *hosts* measured them."""

    count: int
    median: float
    mad: float
    hosts: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Measurement:
    """One metric of one test on one board, on two builds. *percent* is None where the old median is 0; *p* and
    *effect* are None unless there were enough values."""

    test: str | None
    board: str | None
    metric: str
    basis: Basis
    old: Sample
    new: Sample
    finding: Finding
    p: float | None
    percent: float | None
    newest: Source
    effect: Effect | None = None

    @property
    def other_machines(self) -> bool:
        """Whether no machine measured both builds, one run's iterations being all there is: it may be the machine."""
        return self.basis is Basis.ITERATIONS and not set(self.old.hosts) & set(self.new.hosts)

    def directed(self, direction: Direction | None) -> Measurement:
        """The same, with what a change means when *direction* is better."""
        if self.finding is not Finding.CHANGED:
            return self
        return dataclasses.replace(self, effect=directions.effect(direction, self.old.median, self.new.median))

    def to_json(self) -> dict[str, Any]:
        data = dataclasses.asdict(self)
        del data["newest"]
        return {**data, "other_machines": self.other_machines}


def of_values(old: Iterable[Value], new: Iterable[Value], min_percent: float = 0.0) -> list[Measurement]:
    """Compare what two builds measured, by test, board and metric; what only one of them measured is left out."""
    olds, news = _by_place(old), _by_place(new)
    places = sorted(olds.keys() & news.keys(), key=lambda place: tuple(map(natural, place)))
    return [compared(*place, olds[place], news[place], min_percent) for place in places]


def compared(
    test: str | None,
    board: str | None,
    metric: str,
    old: Sequence[Value],
    new: Sequence[Value],
    min_percent: float = 0.0,
) -> Measurement:
    """Compare the values of one metric, at least one a build.

    Runs are compared, each by its median, when both builds have FEWEST; else iterations. A change needs FEWEST values
    on both sides, ranks that chance makes so uneven at most ALPHA of the time, medians further apart than the noise of
    either build, and a difference of *min_percent*.
    """
    basis, first, second = _numbers(old, new)
    samples = _sample(old, first), _sample(new, second)
    before, after = (sample.median for sample in samples)
    difference = after - before
    percent = 100 * difference / abs(before) if before else None
    newest = max((value.source for value in new), key=lambda source: source.test_idx)
    measured = Measurement(
        test,
        board,
        metric,
        basis,
        *samples,
        Finding.TOO_FEW,
        None,
        percent if percent is None or math.isfinite(percent) else None,
        newest,
    )
    if min(len(first), len(second)) < FEWEST:
        return measured
    p = ranks.mann_whitney(first, second).p
    beyond_noise = abs(difference) > _BEYOND_NOISE * max(noise.spread(first), noise.spread(second))
    # The same from either side: of the smaller median.
    smaller = min(abs(before), abs(after))
    matters = difference != 0 and 100 * abs(difference) >= min_percent * smaller
    is_change = p <= ALPHA and beyond_noise and matters
    return dataclasses.replace(measured, finding=Finding.CHANGED if is_change else Finding.NO_CHANGE, p=p)


def _numbers(old: Sequence[Value], new: Sequence[Value]) -> tuple[Basis, list[float], list[float]]:
    runs = [list(values.of_runs(side).values()) for side in (old, new)]
    if min(map(len, runs)) >= FEWEST:
        return Basis.RUNS, runs[0], runs[1]
    return Basis.ITERATIONS, [value.number for value in old], [value.number for value in new]


def _sample(measured: Sequence[Value], numbers: Sequence[float]) -> Sample:
    hosts = sorted({value.source.host or "-" for value in measured}, key=natural)
    return Sample(len(numbers), statistics.median(numbers), noise.mad(numbers), tuple(hosts))


def _by_place(measured: Iterable[Value]) -> dict[tuple[str | None, str | None, str], list[Value]]:
    found: dict[tuple[str | None, str | None, str], list[Value]] = {}
    for value in measured:
        found.setdefault((value.source.test, value.source.board, value.metric), []).append(value)
    return found
