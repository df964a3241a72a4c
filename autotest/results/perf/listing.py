"""Listing: tables of comparisons and changes for people; texts from DUTs are made harmless."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.table import Table
from rich.text import Text

_STYLES = {"regression": "red", "worse": "red", "failed": "red", "fix": "green", "better": "green", "passed": "green"}


def table(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> Table:
    """A table of texts and numbers; None is ``-``."""
    made = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    for heading in headings:
        made.add_column(heading, overflow="fold")
    for row in rows:
        made.add_row(*(Text(text, _STYLES.get(text, "")) for text in map(plain, row)))
    return made


def plain(value: object) -> str:
    """On one line, without what would steer a terminal; numbers with six digits."""
    text = "-" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
    return "".join(char if char.isprintable() else " " if char in "\n\t" else "\ufffd" for char in text)


def percent(value: float | None) -> str:
    """A difference in per cent with its sign."""
    return "-" if value is None else f"{value:+.1f} %"


def title(text: str) -> Text:
    """A heading, in bold."""
    return Text(plain(text), "bold")
