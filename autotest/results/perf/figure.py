"""Figure: series and their changes laid out as lines, dots and words, which svg and png only have to draw."""

from __future__ import annotations

import dataclasses
import math
import sys
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from autotest import errors, plurals
from autotest.results.perf.directions import Direction, Effect
from autotest.results.perf.series import Change, Point, Series

#: Panels in one figure at most.
MOST_PANELS = 12

_WIDTH, _HEIGHT = 960, 280
_LEFT, _RIGHT, _TOP, _BOTTOM = 90, 20, 40, 50
_INK, _FAINT, _LINE = "#24292f", "#d0d7de", "#0550ae"
_COLOURS = {Effect.BETTER: "#116329", Effect.WORSE: "#a40e26", Effect.CHANGED: "#6e4600"}
_BETTER = {Direction.UP: "higher is better", Direction.DOWN: "lower is better"}
_MOST_LABELS, _TICKS, _LONGEST_LABEL, _LONGEST_TITLE = 8, 5, 20, 110


class Line(NamedTuple):
    """A polyline through points (x, y), in pixels from the top left corner."""

    points: tuple[tuple[float, float], ...]
    colour: str
    width: float = 1.0
    dashed: bool = False


class Dot(NamedTuple):
    """A filled circle; *title* says what it stands for, where a picture can say it."""

    x: float
    y: float
    radius: float
    colour: str
    title: str


class Words(NamedTuple):
    """Text whose *anchor* (``start``, ``middle``, ``end``) lies at (x, y), the base line."""

    x: float
    y: float
    text: str
    size: int = 12
    anchor: str = "start"
    colour: str = _INK


Shape = Line | Dot | Words


@dataclasses.dataclass(frozen=True)
class Figure:
    """What to draw, in order, on white; sizes in pixels. *title* is for who cannot see it."""

    width: int
    height: int
    title: str
    shapes: tuple[Shape, ...]


class _Frame(NamedTuple):
    """Where values and points lie in one panel."""

    top: int
    low: float
    high: float
    builds: int

    def x(self, place: float) -> float:
        room = _WIDTH - _LEFT - _RIGHT
        return round(_LEFT + room * (place + 0.5) / self.builds, 2)

    def y(self, value: float) -> float:
        room = _HEIGHT - _TOP - _BOTTOM
        # Each share is finite, however far apart the values are.
        share = (value / 2 - self.low / 2) / (self.high / 2 - self.low / 2)
        return round(self.top + _HEIGHT - _BOTTOM - room * share, 2)


def of_series(several: Sequence[tuple[Series, Sequence[Change]]]) -> Figure:
    """One panel for each series, below each other. Raises ValidationError for none, and for more than MOST_PANELS."""
    if not 1 <= len(several) <= MOST_PANELS:
        names = "; ".join(one.name for one, _changes in several[:5])
        raise errors.ValidationError(
            {"series": f"{len(several)} are meant ({names} ...); one picture has 1 to {MOST_PANELS}: narrow them"}
        )
    shapes = [shape for place, (one, changes) in enumerate(several) for shape in _panel(one, changes, place * _HEIGHT)]
    title = "; ".join(one.name for one, _changes in several)
    return Figure(_WIDTH, _HEIGHT * len(several), title, tuple(shapes))


def ticks(low: float, high: float) -> list[float]:
    """Round values from *low* to *high*, some five of them."""
    raw = (high / _TICKS) - (low / _TICKS)
    if not (math.isfinite(raw) and raw > 0):
        return [low, high]
    power = 10.0 ** math.floor(math.log10(raw))
    step = next((factor * power for factor in (1, 2, 5) if factor * power >= raw), 10 * power)
    first = math.ceil(low / step)
    last = math.floor(high / step)
    if step == 0 or last - first > 2 * _TICKS:
        return [low, high]
    return [number * step for number in range(first, last + 1)]


def widened(low: float, high: float) -> tuple[float, float]:
    """Where a frame for values from *low* to *high* ends, finite and not in one place: a constant series lies in the
    middle, the others keep a twentieth free above and below."""
    margin = (high / 20 - low / 20 if high > low else abs(low) / 10) or 1.0
    most = sys.float_info.max
    return max(low - margin, -most), min(high + margin, most)


def shortened(text: str, longest: int) -> str:
    """*text* with at most *longest* characters, without what does not print."""
    clean = "".join(char if char.isprintable() else "\ufffd" for char in text)
    return clean if len(clean) <= longest else clean[: longest - 3] + "..."


def _panel(one: Series, changes: Sequence[Change], top: int) -> Iterator[Shape]:
    points = one.points
    frame = _frame(points, top)
    better = f" ({_BETTER[one.direction]})" if one.direction else ""
    yield Words(_LEFT, top + 22, shortened(one.name, _LONGEST_TITLE) + better, 14)
    for value in ticks(frame.low, frame.high):
        y = frame.y(value)
        yield Line(((_LEFT, y), (_WIDTH - _RIGHT, y)), _FAINT)
        yield Words(_LEFT - 8, y + 4, f"{value:.6g}", 11, "end")
    yield from _build_names(points, frame)
    for place, point in enumerate(points):
        x = frame.x(place)
        if point.high > point.low:
            yield Line(((x, frame.y(point.low)), (x, frame.y(point.high))), _FAINT, 3)
    yield Line(tuple((frame.x(place), frame.y(point.value)) for place, point in enumerate(points)), _LINE, 1.5)
    for place, point in enumerate(points):
        basis = f"{plurals.counted(point.runs, 'run')}, {plurals.counted(point.count, 'value')}"
        title = f"{point.build}: {point.value:.6g} ({basis})"
        yield Dot(frame.x(place), frame.y(point.value), 3, _LINE, title)
    place_of = {point.build: place for place, point in enumerate(points)}
    for number, change in enumerate(changes):
        yield from _mark(change, frame, place_of, number)


def _frame(points: Sequence[Point], top: int) -> _Frame:
    low, high = min(point.low for point in points), max(point.high for point in points)
    return _Frame(top, *widened(low, high), len(points))


def _build_names(points: Sequence[Point], frame: _Frame) -> Iterator[Words]:
    every = math.ceil(len(points) / _MOST_LABELS)
    for place in range(0, len(points), every):
        # Two rows, so that neighbours do not touch.
        drop = 18 if (place // every) % 2 == 0 else 34
        name = shortened(points[place].build.rpartition("/")[2], _LONGEST_LABEL)
        yield Words(frame.x(place), frame.top + _HEIGHT - _BOTTOM + drop, name, 11, "middle")


def _mark(change: Change, frame: _Frame, place_of: dict[str, int], number: int) -> Iterator[Shape]:
    place = place_of[change.first_after]
    colour = _COLOURS[change.effect]
    x = frame.x(place - 0.5)
    top = frame.top + _TOP
    yield Line(((x, top), (x, frame.top + _HEIGHT - _BOTTOM)), colour, 1.5, dashed=True)
    size = f"{change.percent:+.1f} %" if change.percent is not None else f"{change.after - change.before:+.6g}"
    anchor, gap = ("end", -4) if place > frame.builds * 2 / 3 else ("start", 4)
    yield Words(x + gap, top + 10 + 14 * (number % 3), f"{size} {change.effect.value}", 11, anchor, colour)
    after = (frame.x(place - 0.5), frame.x(place + change.builds_after - 0.5))
    yield Line(tuple((each, frame.y(change.after)) for each in after), colour, 1.5)
