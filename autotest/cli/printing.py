"""Printing: tables, facts and JSON in one manner for all commands; texts from DUTs and strangers are made harmless."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from autotest.results.summary import RETRIED
from autotest.states import EntryStatus, HostStatus, Outcome

#: Wide enough that a table in a pipe is never folded.
_PIPE_WIDTH = 4000
_GOOD, _BUSY, _BAD, _QUIET = "green", "cyan", "red", "dim"
_STYLES = {
    **{status.value: _BUSY for status in (*EntryStatus, *HostStatus)},
    HostStatus.READY.value: _GOOD,
    HostStatus.REPAIR_FAILED.value: _BAD,
    EntryStatus.QUEUED.value: _QUIET,
    EntryStatus.COMPLETED.value: _GOOD,
    EntryStatus.FAILED.value: _BAD,
    EntryStatus.ABORTED.value: "yellow",
    Outcome.GOOD.value: _GOOD,
    Outcome.TEST_NA.value: _QUIET,
    Outcome.NOSTATUS.value: _QUIET,
    Outcome.RUNNING.value: _BUSY,
    Outcome.WARN.value: "yellow",
    RETRIED: "yellow",
    **{word.value: _BAD for word in (Outcome.FAIL, Outcome.ERROR, Outcome.ABORT)},
}


def as_json(value: Any) -> None:
    """Print one JSON document."""
    click.echo(json.dumps(value, indent=1))


def plain(text: object) -> str:
    """*text* on one line, without what would steer a terminal; '' for None."""
    shown = "" if text is None else str(text)
    return "".join(char if char.isprintable() else " " if char in "\n\t" else "\ufffd" for char in shown)


def styled(text: object) -> Text:
    """*text* in the colour of the status that it is, if it is one."""
    shown = plain(text)
    return Text(shown, style=_STYLES.get(shown, ""))


def console(stderr: bool = False) -> Console:
    """Where tables and progress go; no folding where nobody looks."""
    stream = sys.stderr if stderr else sys.stdout
    return Console(stderr=stderr, highlight=False, width=None if stream.isatty() else _PIPE_WIDTH)


def table(columns: Sequence[str], rows: Iterable[Sequence[object]], nothing: str) -> None:
    """Print a table, or the line *nothing* when there are no rows."""
    shown = Table(*columns, box=box.SIMPLE_HEAD, pad_edge=False)
    for column in shown.columns:
        column.overflow = "fold"
    for row in rows:
        shown.add_row(*(styled(cell) for cell in row))
    if shown.row_count:
        console().print(shown)
    else:
        click.echo(nothing)


def facts(pairs: Mapping[str, object]) -> None:
    """Print ``name: value`` lines, values aligned; what is empty or None is left out."""
    known = {name: plain(value) for name, value in pairs.items() if value not in (None, "")}
    width = max(map(len, known), default=0) + 2
    for name, value in known.items():
        click.echo(f"{name + ':':<{width}}{click.style(value, fg=_colour(value))}")


def counted(counts: Mapping[str, int]) -> str:
    """``3 Completed, 1 Queued``."""
    return ", ".join(f"{number} {name}" for name, number in sorted(counts.items()))


def page(rows: list[dict[str, Any]], limit: int, json_wanted: bool, option: str, key: str) -> list[dict[str, Any]]:
    """The first *limit* of *rows*, of which the caller fetched one more; says on stderr how to see the rest."""
    if len(rows) > limit and not json_wanted:
        click.echo(f"There are more: {option} {rows[limit - 1][key]}", err=True)
    return rows[:limit]


def _colour(value: str) -> str | None:
    style = _STYLES.get(value)
    return style if style in click.termui._ansi_colors else None
