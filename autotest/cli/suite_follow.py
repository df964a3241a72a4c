"""Following a suite to its end: Ctrl-C asks what is meant, and a database that is away for a while is waited for."""

from __future__ import annotations

import sys
import time

import click
from rich.text import Text

from autotest import api, errors, plurals
from autotest.cli import printing, suite_progress
from autotest.cli.failures import INTERRUPTED, Failure
from autotest.results.summary import SuiteSummary

#: So long the database may be away before the wait is given up, and so often it is asked again; seconds.
OUTAGE, LOOK_AGAIN = 600.0, 2.0

ABORT, DETACH, CONTINUE = "a", "d", "c"
_QUESTION = "Ctrl-C: (a)bort the suite, (d)etach and let it go on, or (c)ontinue to watch it?"


def to_the_end(job_id: int, timeout: float | None, quiet: bool = False) -> SuiteSummary:
    """Show progress until the suite ended; returns its summary. *quiet*: on stderr, stdout is for a program.

    Raises NotFound, NotFinished after *timeout* seconds, and Failure when the user detached; the suite goes on.
    """
    end = None if timeout is None else time.monotonic() + timeout
    while True:
        try:
            return _watch(job_id, end, timeout, quiet)
        except KeyboardInterrupt:
            choice = _asked()
        if choice == DETACH:
            raise Failure(f"detached; suite job {job_id} goes on: autotest suite wait {job_id}", INTERRUPTED)
        if choice == ABORT:
            gone = api.abort_jobs([job_id], reason="aborted with Ctrl-C")
            entries = plurals.counted(len(gone), "entry", "entries")
            click.echo(f"Aborted: {entries} of suite job {job_id}. Waiting for what runs to stop.", err=True)


def _watch(job_id: int, end: float | None, timeout: float | None, quiet: bool) -> SuiteSummary:
    console = printing.console(stderr=quiet)
    seen, told = time.monotonic(), False
    with suite_progress.shown(console) as progress:

        def look(found: SuiteSummary) -> None:
            nonlocal seen, told
            seen, told = time.monotonic(), False
            progress(found)

        while True:
            try:
                left = None if end is None else max(0.0, end - time.monotonic())
                return api.wait_for_suite(job_id, left, progress=look)
            except errors.NotFinished as problem:
                raise errors.NotFinished(
                    f"suite job {job_id} has not ended after {timeout:g} s; it goes on: autotest suite wait {job_id}"
                ) from problem
            except errors.DatabaseUnreachable as problem:
                if time.monotonic() - seen > OUTAGE:
                    raise
                if not told:
                    console.print(Text(f"{problem}; the suite goes on, and so does the wait"))
                told = True
            time.sleep(LOOK_AGAIN)


def _asked() -> str:
    """What Ctrl-C means; without a terminal, or with a second Ctrl-C, it means to detach."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return DETACH
    click.echo(err=True)
    try:
        choices = click.Choice([ABORT, DETACH, CONTINUE], case_sensitive=False)
        return str(click.prompt(_QUESTION, type=choices, default=CONTINUE, show_choices=False, err=True))
    except click.Abort:
        click.echo(err=True)
        return DETACH
