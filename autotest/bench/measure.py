"""Measure: figures with their bare baseline and target, as JSON and as a table."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

from rich.table import Table


@dataclasses.dataclass(frozen=True)
class Target:
    """What a figure should be: its median, or its ratio to the baseline, *at least* or *at most* a number."""

    bound: Literal["at least", "at most"]
    number: float
    of: Literal["median", "ratio", "difference"] = "median"

    def __str__(self) -> str:
        return f"{self.of if self.of != 'median' else ''} {self.bound} {self.number:g}".strip()


@dataclasses.dataclass(frozen=True)
class Figure:
    """One thing that was measured: one value a run, and one of the bare baseline where there is one.

    *baseline* says in words what the bare work was.
    """

    name: str
    unit: str
    values: Sequence[float]
    bare: Sequence[float] = ()
    baseline: str = ""
    target: Target | None = None

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def bare_median(self) -> float | None:
        return statistics.median(self.bare) if self.bare else None

    @property
    def ratio(self) -> float | None:
        """The median over that of the baseline; None without one."""
        return self.median / self.bare_median if self.bare_median else None

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None where there is none, or its baseline was not measured."""
        if self.target is None:
            return None
        difference = None if self.bare_median is None else self.median - self.bare_median
        number = {"median": self.median, "ratio": self.ratio, "difference": difference}[self.target.of]
        if number is None:
            return None
        return number >= self.target.number if self.target.bound == "at least" else number <= self.target.number

    def to_json(self) -> dict[str, Any]:
        """A JSON object; numbers are rounded to four digits."""
        bare = {"what": self.baseline, **_spread(self.bare)} if self.bare else None
        target = None if self.target is None else {**dataclasses.asdict(self.target), "met": self.met}
        ratio = None if self.ratio is None else rounded(self.ratio)
        return {
            "name": self.name,
            "unit": self.unit,
            **_spread(self.values),
            "bare": bare,
            "ratio": ratio,
            "target": target,
        }


@dataclasses.dataclass
class Stopwatch:
    """Seconds of a block, once it is over."""

    seconds: float = math.nan


@contextmanager
def stopwatch() -> Iterator[Stopwatch]:
    """Time the block."""
    watch = Stopwatch()
    began = time.perf_counter()
    try:
        yield watch
    finally:
        watch.seconds = time.perf_counter() - began


def interleaved(runs: int, measured: Callable[[], float], bare: Callable[[], float]) -> tuple[list[float], list[float]]:
    """Both in turns, so that what else the machine does meets both. Returns the values of each."""
    pairs = [(measured(), bare()) for _ in range(runs)]
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that *percent* of the values do not exceed (nearest rank). Raises ValueError for none."""
    if not values:
        raise ValueError("there is no percentile of nothing")
    rank = math.ceil(percent / 100 * len(values))
    return sorted(values)[max(rank, 1) - 1]


def report(bench: str, size: str, database: str, figures: Sequence[Figure]) -> dict[str, Any]:
    """One bench as a JSON object, with the facts of the machine."""
    return {
        "bench": bench,
        "size": size,
        "database": database,
        "machine": machine(),
        "figures": [figure.to_json() for figure in figures],
    }


def machine() -> dict[str, Any]:
    """What the figures depend on: CPUs, Python, system, and how busy the machine was."""
    return {
        "cpus": os.cpu_count(),
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "load_1m": round(os.getloadavg()[0], 2),
    }


def table(title: str, figures: Sequence[Figure]) -> Table:
    """The figures for people."""
    shown = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for name in ("figure", "median", "min", "max", "bare", "ratio", "target", "met"):
        shown.add_column(name, justify="left" if name in ("figure", "target") else "right", overflow="fold")
    for figure in figures:
        met = {None: "", True: "[green]yes[/]", False: "[red]no[/]"}[figure.met]
        shown.add_row(
            f"{figure.name} ({figure.unit})",
            _shown(figure.median),
            _shown(min(figure.values)),
            _shown(max(figure.values)),
            _shown(figure.bare_median),
            _shown(figure.ratio),
            str(figure.target or ""),
            met,
        )
    return shown


def rounded(number: float) -> float:
    """*number* with four significant digits."""
    return float(f"{number:.4g}")


def dumps(reports: Sequence[dict[str, Any]]) -> str:
    """The reports as JSON text."""
    return json.dumps(list(reports), indent=1)


def _spread(values: Sequence[float]) -> dict[str, Any]:
    return {
        "median": rounded(statistics.median(values)),
        "min": rounded(min(values)),
        "max": rounded(max(values)),
        "values": [rounded(value) for value in values],
    }


def _shown(number: float | None) -> str:
    return "" if number is None else f"{rounded(number):,.10g}"
