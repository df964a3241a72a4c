"""PNG: a figure drawn by Pillow, which the extra ``plot`` brings."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from autotest import errors
from autotest.results.perf.figure import Dot, Figure, Line

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

#: Pixels of the picture for one of the figure.
_SCALE = 2
_DASH, _GAP = 5, 4
_ANCHORS = {"start": "ls", "middle": "ms", "end": "rs"}


def rendered(figure: Figure) -> bytes:
    """The figure as a PNG file, twice as large. Raises RequestError when Pillow is not installed."""
    try:
        from PIL import Image, ImageDraw, ImageFont
    except ImportError as problem:
        raise errors.RequestError(
            "PNG needs Pillow: install autotest[plot] (pip install pillow), or write a .svg file instead"
        ) from problem
    image = Image.new("RGB", (figure.width * _SCALE, figure.height * _SCALE), "#ffffff")
    draw = ImageDraw.Draw(image)
    for shape in figure.shapes:
        if isinstance(shape, Line):
            _line(draw, shape)
        elif isinstance(shape, Dot):
            x, y, radius = shape.x * _SCALE, shape.y * _SCALE, shape.radius * _SCALE
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=shape.colour)
        else:
            font = ImageFont.load_default(shape.size * _SCALE)
            place = (shape.x * _SCALE, shape.y * _SCALE)
            draw.text(place, shape.text, fill=shape.colour, font=font, anchor=_ANCHORS[shape.anchor])
    written = io.BytesIO()
    image.save(written, "PNG")
    return written.getvalue()


def _line(draw: ImageDraw, line: Line) -> None:
    points = [(x * _SCALE, y * _SCALE) for x, y in line.points]
    width = max(1, round(line.width * _SCALE))
    if not line.dashed:
        draw.line(points, fill=line.colour, width=width)
        return
    # Only upright lines are dashed.
    (x, top), (_same_x, bottom) = points
    y = top
    while y < bottom:
        draw.line([(x, y), (x, min(y + _DASH * _SCALE, bottom))], fill=line.colour, width=width)
        y += (_DASH + _GAP) * _SCALE
