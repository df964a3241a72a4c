"""Figures: every series can be drawn, and no name of a test gets out of its place in the picture."""

from __future__ import annotations

import io
import math
import sys
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from autotest import errors
from autotest.results.perf import figure, png, series, svg
from autotest.results.perf.directions import Direction
from autotest.results.perf.series import Point, Series
from autotest.results.perf.values import Source

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
SVG = "{http://www.w3.org/2000/svg}"


def made(numbers, test: str = "gpu", metric: str = "fps") -> Series:
    points = tuple(Point(f"R1-{place}.0.0", each, 1, 1, each, each) for place, each in enumerate(numbers))
    return Series(test, "eve", metric, points, Source(test, "eve", "R1-0.0.0", "h1", 1, None), Direction.UP)


def drawn(*several: Series) -> figure.Figure:
    return figure.of_series([(one, series.changes(one)) for one in several])


def test_a_change_stands_in_the_picture_with_its_size():
    picture = svg.rendered(drawn(made([60.0] * 10 + [45.0] * 10))).decode()
    assert "-25.0 % worse" in picture
    assert "higher is better" in picture
    assert picture.count("<circle") == 20


@given(st.text(max_size=200), st.text(max_size=50))
def test_an_svg_is_xml_that_holds_names_as_text_only(test, metric):
    root = ET.fromstring(svg.rendered(drawn(made([1.0, 2.0], test, metric))))
    assert {element.tag for element in root.iter()} == {
        f"{SVG}{tag}" for tag in ("svg", "title", "rect", "polyline", "circle", "text")
    }


@given(st.lists(NUMBERS, min_size=1, max_size=30))
def test_any_numbers_lie_inside_the_picture(numbers):
    picture = drawn(made(numbers))
    for shape in picture.shapes:
        if isinstance(shape, figure.Dot):
            assert 0 <= shape.x <= picture.width
            assert 0 <= shape.y <= picture.height


@given(NUMBERS, NUMBERS)
def test_ticks_are_few_and_lie_between_the_ends(one, other):
    low, high = sorted((one, other))
    found = figure.ticks(low, high)
    assert len(found) <= 12
    assert all(math.isfinite(each) for each in found)
    slack = (high / 1e6 - low / 1e6) + 1e-300
    assert all(low - slack <= each <= high + slack for each in found)


def test_a_png_is_a_picture_of_the_same_figure_at_twice_its_size():
    picture = drawn(made([60.0] * 10 + [45.0] * 10), made([1.0], "☃ [x] <b>"))
    image = Image.open(io.BytesIO(png.rendered(picture)))
    assert (image.format, image.size) == ("PNG", (2 * picture.width, 2 * picture.height))
    assert len(image.getcolors(maxcolors=1 << 20) or ()) > 5


def test_without_pillow_the_way_out_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(errors.RequestError, match=r"autotest\[plot\].*\.svg"):
        png.rendered(drawn(made([1.0])))


@pytest.mark.parametrize("count", [0, figure.MOST_PANELS + 1])
def test_no_series_and_too_many_are_refused(count):
    with pytest.raises(errors.ValidationError, match="narrow them"):
        drawn(*[made([1.0])] * count)
