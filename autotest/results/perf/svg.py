"""SVG: a figure as a picture of lines and words, without scripts, styles from outside or fonts."""

from __future__ import annotations

from collections.abc import Iterator
from xml.sax.saxutils import escape, quoteattr

from autotest.results.perf.figure import Dot, Figure, Line, Shape


def rendered(figure: Figure) -> bytes:
    """The figure as an SVG file, UTF-8."""
    return "\n".join(_lines(figure)).encode("utf-8", "replace")


def _lines(figure: Figure) -> Iterator[str]:
    size = f'width="{figure.width}" height="{figure.height}" viewBox="0 0 {figure.width} {figure.height}"'
    yield f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" font-family="sans-serif">'
    yield f"<title>{_text(figure.title)}</title>"
    yield '<rect width="100%" height="100%" fill="#ffffff"/>'
    yield from map(_shape, figure.shapes)
    yield "</svg>\n"


def _shape(shape: Shape) -> str:
    if isinstance(shape, Line):
        points = " ".join(f"{x:g},{y:g}" for x, y in shape.points)
        dashes = ' stroke-dasharray="5 4"' if shape.dashed else ""
        return (
            f'<polyline points="{points}" fill="none" stroke={_attribute(shape.colour)} '
            f'stroke-width="{shape.width:g}"{dashes}/>'
        )
    if isinstance(shape, Dot):
        place = f'cx="{shape.x:g}" cy="{shape.y:g}" r="{shape.radius:g}"'
        return f"<circle {place} fill={_attribute(shape.colour)}><title>{_text(shape.title)}</title></circle>"
    place = f'x="{shape.x:g}" y="{shape.y:g}" font-size="{shape.size}" text-anchor={_attribute(shape.anchor)}'
    return f"<text {place} fill={_attribute(shape.colour)}>{_text(shape.text)}</text>"


def _text(text: str) -> str:
    return escape("".join(char if char.isprintable() else "\ufffd" for char in text))


def _attribute(text: str) -> str:
    return quoteattr(text)
