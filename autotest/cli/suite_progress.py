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

from autotest.cli import suite_report
from autotest.cli.printing import plain, styled
from autotest.results.summary import SuiteSummary

_ROWS_SHOWN = 20


@contextlib.contextmanager
def shown(console: Console) -> Iterator[Callable[[SuiteSummary], None]]:
    """Hands out what to call with each summary. On a terminal one picture is redrawn; elsewhere a line is printed
    whenever something changed."""
    if console.is_terminal:
        with Live(console=console, auto_refresh=False, transient=True) as live:
            yield lambda found: live.update(picture(found), refresh=True)
        return
    last = [""]

    def line(found: SuiteSummary) -> None:
        text = f"{found.status}; {suite_report.progress_line(found)}"
        if text != last[0]:
            last[0] = text
            console.print(Text(f"{time.strftime('%H:%M:%S')} {text}"))

    yield line


def picture(found: SuiteSummary) -> Group:
    """The suite as one glance: a bar, the counts, and what runs or ended last."""
    ended, total = suite_report.done(found)
    rows = Table.grid(padding=(0, 2))
    busy = [row for row in found.rows if suite_report.is_running(row)]
    rest = [row for row in found.rows if row not in busy and not row.view.is_suite]
    for row in (busy + rest)[:_ROWS_SHOWN]:
        status = row.status if row.entry_status in ("", "Completed", "Failed", "Aborted") else row.entry_status
        rows.add_row(plain(row.name), styled(status), row.hostname, Text(plain(row.reason), overflow="ellipsis"))
    return Group(
        Text(f"suite {plain(found.suite)}, job {found.job_id}: {found.status}; {suite_report.progress_line(found)}"),
        ProgressBar(total=max(total, 1), completed=ended, width=60),
        rows,
    )
