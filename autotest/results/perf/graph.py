"""Graph: answers to questions laid out as pictures: metrics as lines with error bars, histograms as bars."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from autotest import errors, plurals
from autotest.results.perf.figure import MOST_PANELS, Dot, Figure, Line, Shape, Words, shortened, ticks, widened
from autotest.results.query import metrics, qualification
from autotest.results.query.answers import Answer

#: Lines of one picture at most: so many colours are told from each other.
MOST_SERIES = 12

_WIDTH, _PLOT, _BARS = 960, 300, 220
_LEFT, _RIGHT, _TOP, _BOTTOM = 90, 20, 40, 50
_LEGEND_ROW, _LEGEND_COLUMNS, _LONGEST_NAME = 18, 4, 28
_FAINT, _BAR = "#d0d7de", "#0550ae"
_COLOURS = (
    *("#0550ae", "#a40e26", "#116329", "#8250df", "#953800", "#0f766e"),
    *("#bf3989", "#57606a", "#4d2d00", "#1f883d", "#6639ba", "#d1242f"),
)
_MOST_LABELS, _LONGEST_LABEL = 14, 20


class _Panel(NamedTuple):
    """Where values lie in one panel of *height* pixels from *top*, with room for so many *places* beside each other."""

    top: float
    height: float
    low: float
    high: float
    places: int

    @property
    def width(self) -> float:
        """Of one place."""
        return (_WIDTH - _LEFT - _RIGHT) / max(1, self.places)

    def x(self, place: float) -> float:
        return round(_LEFT + self.width * (place + 0.5), 2)

    def y(self, value: float) -> float:
        # Each share is finite, however far apart the values are.
        share = (value / 2 - self.low / 2) / (self.high / 2 - self.low / 2)
        return round(self.top + self.height * (1 - share), 2)


def of_answer(answer: Answer) -> Figure:
    """The picture of an answer. Raises ValidationError for one that has none, and for more series than fit."""
    if isinstance(answer, metrics.Plot):
        return _plot(answer)
    if isinstance(answer, metrics.Histograms):
        _check(len(answer.series), MOST_PANELS)
        bars = [
            (
                answer.metric + (f", {one.name}" if answer.by else ""),
                [(f"{each.low:.4g} - {each.high:.4g}", each.count) for each in one.bins],
            )
            for one in answer.series
        ]
        return _bars(bars, f"histogram of {answer.metric}")
    if isinstance(answer, qualification.Machines):
        counts = [(each.name, len(each.hosts)) for each in answer.bins]
        return _bars([("machines by how many of their tests passed", counts)], "machine qualification")
    raise errors.ValidationError({"output": "there is a picture of a metric, of its histogram and of machines only"})


def _check(count: int, most: int) -> None:
    if not 1 <= count <= most:
        raise errors.ValidationError({"output": f"{count} series; one picture has 1 to {most}: narrow them"})


def _plot(answer: metrics.Plot) -> Figure:
    """One panel, a line for each series, bars of one standard deviation."""
    series = [one for one in answer.series if one.points]
    _check(len(series), MOST_SERIES)
    rows = math.ceil(len(series) / _LEGEND_COLUMNS) if answer.by else 0
    spans = [_span(point) for one in series for point in one.points]
    panel = _panel(_TOP + rows * _LEGEND_ROW, _PLOT, [end for span in spans for end in span], len(answer.places))
    place_of = {x: place for place, x in enumerate(answer.places)}
    title = answer.metric + (f" by {answer.by}" if answer.by else "") + f" over {answer.x}"
    shapes: list[Shape] = [Words(_LEFT, 24, shortened(title, 110), 14)]
    if answer.by:
        shapes += _legend([one.name for one in series])
    shapes += _scale(panel, [x or "-" for x in answer.places])
    for number, one in enumerate(series):
        # Beside each other, so that no bar hides another one.
        aside = (number - (len(series) - 1) / 2) * min(0.04, 0.6 / len(series))
        shapes += _line(one, {x: place + aside for x, place in place_of.items()}, panel, _COLOURS[number])
    height = int(panel.top + panel.height + _BOTTOM)
    return Figure(_WIDTH, height, title, tuple(shapes))


def _span(point: metrics.Point) -> tuple[float, float]:
    deviation = point.deviation or 0.0
    ends = point.mean - deviation, point.mean + deviation
    return ends if all(map(math.isfinite, ends)) else (point.mean, point.mean)


def _line(one: metrics.Series, place_of: Mapping[str | None, float], panel: _Panel, colour: str) -> Iterator[Shape]:
    centres = [(panel.x(place_of[point.x]), panel.y(point.mean)) for point in one.points]
    for point, (x, _y) in zip(one.points, centres, strict=True):
        low, high = _span(point)
        if low < high:
            yield Line(((x, panel.y(low)), (x, panel.y(high))), colour, 1)
    yield Line(tuple(centres), colour, 1.5)
    for point, (x, y) in zip(one.points, centres, strict=True):
        name = f"{one.name}, " if one.name else ""
        values = plurals.counted(point.count, "value")
        yield Dot(x, y, 3, colour, f"{name}{point.x or '-'}: {point.mean:.6g} ({values})")


def _legend(names: Sequence[str | None]) -> Iterator[Shape]:
    for number, name in enumerate(names):
        x = _LEFT + (number % _LEGEND_COLUMNS) * (_WIDTH - _LEFT - _RIGHT) / _LEGEND_COLUMNS
        y = _TOP + 4 + (number // _LEGEND_COLUMNS) * _LEGEND_ROW
        yield Line(((x, y - 4), (x + 18, y - 4)), _COLOURS[number], 3)
        yield Words(x + 24, y, shortened(name or "-", _LONGEST_NAME))


def _bars(several: Sequence[tuple[str, Sequence[tuple[str, int]]]], title: str) -> Figure:
    """A panel for each (name, bars), a bar is (name, height); all panels have one scale."""
    highest = max(height for _name, bars in several for _bar, height in bars)
    shapes: list[Shape] = []
    whole = _TOP + _BARS + _BOTTOM
    for number, (name, bars) in enumerate(several):
        panel = _Panel(number * whole + _TOP, _BARS, 0.0, float(max(1, highest)), len(bars))
        shapes.append(Words(_LEFT, number * whole + 24, shortened(name, 110), 14))
        shapes += _scale(panel, [bar for bar, _height in bars])
        for place, (_bar, height) in enumerate(bars):
            if height:
                x, foot = panel.x(place), panel.y(0)
                shapes.append(Line(((x, foot), (x, panel.y(height))), _BAR, round(panel.width * 0.8, 2)))
                shapes.append(Words(x, panel.y(height) - 4, str(height), 11, "middle"))
    return Figure(_WIDTH, whole * len(several), title, tuple(shapes))


def _panel(top: float, height: float, values: Sequence[float], places: int) -> _Panel:
    return _Panel(top, height, *widened(min(values), max(values)), places)


def _scale(panel: _Panel, names: Sequence[str]) -> Iterator[Shape]:
    """Lines at round values, and some names below."""
    for value in ticks(panel.low, panel.high):
        y = panel.y(value)
        yield Line(((_LEFT, y), (_WIDTH - _RIGHT, y)), _FAINT)
        yield Words(_LEFT - 8, y + 4, f"{value:.6g}", 11, "end")
    every = math.ceil(len(names) / _MOST_LABELS)
    for number, place in enumerate(range(0, len(names), every)):
        # Two rows, so that neighbours do not touch.
        drop = 18 if number % 2 == 0 else 34
        name = shortened(names[place], _LONGEST_LABEL)
        yield Words(panel.x(place), panel.top + panel.height + drop, name, 11, "middle")
