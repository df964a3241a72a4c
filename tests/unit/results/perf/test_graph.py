"""Graphs: answers as pictures, every point within its frame, whatever the numbers."""

from __future__ import annotations

import sys
from xml.etree import ElementTree

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from autotest import errors
from autotest.results.perf import graph, png, svg
from autotest.results.perf.figure import Dot, Line, Words
from autotest.results.query.counts import Counts
from autotest.results.query.metrics import Bin, Histogram, Histograms, Names, Plot, Point, Series
from autotest.results.query.qualification import Bin as HostBin
from autotest.results.query.qualification import Machines

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)


def point(x, mean=1.0, deviation=None):
    return Point(x, 1, mean, mean, mean, mean, deviation)


def plot(*series, places=("R1", "R2", "R3")):
    return Plot("fps", "build", "board", places, tuple(series))


def dots(figure):
    return [shape for shape in figure.shapes if isinstance(shape, Dot)]


def words(figure):
    return [shape.text for shape in figure.shapes if isinstance(shape, Words)]


def test_a_line_for_each_series_with_its_name_and_no_point_where_nothing_was_measured():
    eve = Series("eve", (point("R1"), point("R2"), point("R3")))
    pi = Series("pi4", (point("R1", 2.0), point("R3", 3.0)))

    figure = graph.of_answer(plot(eve, pi))

    assert {"eve", "pi4", "R1", "R2", "R3", "fps by board over build"} <= set(words(figure))
    assert [dot.title for dot in dots(figure)[3:]] == ["pi4, R1: 2 (1 value)", "pi4, R3: 3 (1 value)"]
    assert dots(figure)[0].x < dots(figure)[1].x < dots(figure)[2].x


@given(st.lists(st.tuples(NUMBERS, st.none() | st.floats(0, allow_infinity=False)), min_size=1, max_size=5))
@example([(sys.float_info.max, None)])
@example([(5e-324, None), (0.0, None)])
def test_whatever_was_measured_lies_in_the_picture(values):
    places = tuple(f"R{number}" for number in range(len(values)))
    points = tuple(point(x, mean, deviation) for x, (mean, deviation) in zip(places, values, strict=True))

    figure = graph.of_answer(plot(Series(None, points), places=places))

    for shape in figure.shapes:
        ends = shape.points if isinstance(shape, Line) else [(shape.x, shape.y)]
        assert all(0 <= x <= figure.width and 0 <= y <= figure.height for x, y in ends), shape
    ElementTree.fromstring(svg.rendered(figure))


def test_bars_are_as_high_as_what_they_count():
    series = (Histogram("eve", (Bin(0.0, 1.0, 4), Bin(1.0, 2.0, 0))), Histogram("pi4", (Bin(0.0, 1.0, 2),)))

    figure = graph.of_answer(Histograms("fps", "board", series))

    bars = [shape for shape in figure.shapes if isinstance(shape, Line) and shape.width > 10]
    heights = [abs(end[1] - start[1]) for start, end in (bar.points for bar in bars)]
    assert heights[0] == pytest.approx(2 * heights[1])
    assert {"fps, eve", "fps, pi4", "4", "2"} <= set(words(figure))
    assert png.rendered(figure).startswith(b"\x89PNG")


def test_machines_are_bars_by_how_often_they_pass():
    answer = Machines({"h1": Counts({"GOOD": 1})}, (HostBin("N/A", ()), HostBin("100 %", ("h1",))))

    assert {"N/A", "100 %", "1"} <= set(words(graph.of_answer(answer)))


def test_a_hostile_name_is_text():
    figure = graph.of_answer(plot(Series("<script>\x1b", (point("]]>&"),)), places=("]]>&",)))

    tree = ElementTree.fromstring(svg.rendered(figure))

    assert "<script>\ufffd" in "".join(tree.itertext())
    assert not [element for element in tree.iter() if element.tag.endswith("script")]


@pytest.mark.parametrize(
    "answer",
    [
        Names(("fps",)),
        plot(),
        plot(*(Series(str(number), (point("R1"),)) for number in range(graph.MOST_SERIES + 1))),
    ],
    ids=["no picture", "no series", "too many"],
)
def test_what_has_no_picture_is_refused(answer):
    with pytest.raises(errors.ValidationError):
        graph.of_answer(answer)
