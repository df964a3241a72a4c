"""Progress of a suite while it runs: a live picture on a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from autotest.cli import suite_output
from autotest.cli.printing import plain, styled
from autotest.results.summary import SuiteSummary

_ROWS_SHOWN = 20
#: Seconds after which a line is printed again: CI systems end what says nothing for long.
_SILENCE_S = 300.0


@contextlib.contextmanager
def shown(console: Console) -> Iterator[Callable[[SuiteSummary], None]]:
    """Hands out what to call with each summary. On a terminal one picture is redrawn; elsewhere a line is printed
    whenever something changed."""
    if console.is_terminal:
        with Live(console=console, auto_refresh=False, transient=True) as live:
            yield lambda found: live.update(picture(found), refresh=True)
        return
    last, at = "", 0.0

    def line(found: SuiteSummary) -> None:
        nonlocal last, at
        text, now = f"{found.status}; {suite_output.progress_line(found)}", time.monotonic()
        if text != last or now - at > _SILENCE_S:
            last, at = text, now
            console.print(Text(f"{time.strftime('%H:%M:%S')} {text}"))

    yield line


def picture(found: SuiteSummary) -> Group:
    """The suite as one glance: a bar, the counts, and what runs or ended last."""
    ended, total = suite_output.done(found)
    bar = Table.grid()
    bar.add_row(ProgressBar(total=max(total, 1), completed=ended, width=60))
    rows = Table.grid(padding=(0, 2), expand=True)
    for _ in range(3):
        rows.add_column(no_wrap=True)
    # Only the reason gives way.
    rows.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    busy = [row for row in found.rows if suite_output.is_running(row)]
    rest = [row for row in found.rows if row not in busy and not row.view.is_suite]
    for row in (busy + rest)[:_ROWS_SHOWN]:
        rows.add_row(plain(row.name), styled(suite_output.status(row)), row.hostname, plain(row.reason))
    left = len(busy) + len(rest) - _ROWS_SHOWN
    return Group(
        Text(f"suite {plain(found.suite)}, job {found.job_id}: {found.status}; {suite_output.progress_line(found)}"),
        bar,
        rows,
        Text(f"{f'and {left} more; ' if left > 0 else ''}Ctrl-C asks what to do", style="dim"),
    )
