"""Tables of the worker's commands; what DUTs and strangers wrote is made harmless."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

#: Wide enough that a table in a pipe is never folded.
_PIPE_WIDTH = 4000


def show(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table to stdout."""
    shown = Table(*columns, box=box.SIMPLE_HEAD, pad_edge=False)
    for column in shown.columns:
        column.overflow = "fold"
    for row in rows:
        shown.add_row(*(cell if isinstance(cell, Text) else Text(plain(cell)) for cell in row))
    Console(highlight=False, width=None if sys.stdout.isatty() else _PIPE_WIDTH).print(shown)


def plain(text: object) -> str:
    """*text* on one line, without what would steer a terminal; '' for None."""
    said = "" if text is None else str(text)
    return "".join(char if char.isprintable() else " " if char in "\n\t" else "\ufffd" for char in said)
