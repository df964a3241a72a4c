"""`autotest results import`: brings trees of old results folders into the database, and says what was odd."""

from __future__ import annotations

import collections
import json
import os
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from autotest import plurals, settings
from autotest.models import database, schema
from autotest.results.importing import journal, run
from autotest.results.importing.folder_import import Fate, Outcome
from autotest.settings import shown

_PREFIX = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,39}")
_BAD = (Fate.REFUSED, Fate.FAILED)


def _prefix(_: click.Context, __: click.Parameter, value: str) -> str:
    if value and not _PREFIX.fullmatch(value):
        raise click.BadParameter("letters, digits, '_', '.' and '-', at most 40, a letter first")
    return value


@click.command("import")
@click.argument(
    "trees", metavar="DIR...", nargs=-1, required=True, type=click.Path(exists=True, file_okay=False, path_type=Path)
)
@click.option("--prefix", default="", callback=_prefix, metavar="NAME", help="Put NAME/ before every tag.")
@click.option("--processes", type=click.IntRange(1, 256), default=os.cpu_count() or 1, show_default=True)
@click.option("--again", is_flag=True, help="Parse what is imported and unchanged, too.")
@click.option("--dry-run", is_flag=True, help="Parse and tell; write nothing.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def import_(trees: tuple[Path, ...], prefix: str, processes: int, again: bool, dry_run: bool, as_json: bool) -> None:
    """Store the results of every job folder below DIR... in the database.

    What was imported before and has not changed is skipped, so a run that was stopped goes on where it was. A folder
    that cannot be imported is named, the others are still imported, and the exit code is 1.
    """
    config = settings.load()
    url = config.database_url
    database.connect(url)
    with database.connection():
        schema.require_current()
    order = run.Order(trees, url, processes, prefix, dry_run, again)
    book = journal.Journal(config.root_dir / journal.NAME, shown(url))
    counts: collections.Counter[Fate] = collections.Counter()
    told: list[Outcome] = []
    tests = odd = 0
    try:
        for outcome in _progress(run.outcomes(order, book)):
            counts[outcome.fate] += 1
            tests += outcome.tests
            odd += bool(outcome.odd)
            if outcome.odd or outcome.fact:
                told.append(outcome)
    finally:
        book.close()
    told.sort(key=lambda outcome: (outcome.path, outcome.tag))
    if as_json:
        click.echo(json.dumps(_to_json(counts, tests, told), indent=1))
    else:
        _tell(counts, tests, odd, told)
    if any(counts[fate] for fate in _BAD):
        raise SystemExit(1)


def _progress(outcomes: Iterable[Outcome]) -> Iterator[Outcome]:
    # The folders are found while others are parsed: their number is not known before the end.
    columns = (SpinnerColumn(), TextColumn("{task.description}"), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True) as bar:
        task = bar.add_task("folders", total=None)
        for outcome in outcomes:
            bar.advance(task)
            yield outcome


def _to_json(counts: collections.Counter[Fate], tests: int, told: list[Outcome]) -> dict[str, Any]:
    return {
        **{fate.name.lower(): counts[fate] for fate in Fate},
        "tests": tests,
        "problems": [_problem(outcome) for outcome in told if outcome.fact],
        "odd": [
            {"folder": str(outcome.path), "tag": outcome.tag, "count": outcome.odd, "oddities": list(outcome.oddities)}
            for outcome in told
            if outcome.odd
        ],
    }


def _problem(outcome: Outcome) -> dict[str, str]:
    return {"folder": str(outcome.path), "tag": outcome.tag, "fate": outcome.fate.value, "fact": outcome.fact}


def _tell(counts: collections.Counter[Fate], tests: int, odd: int, told: list[Outcome]) -> None:
    for outcome in told:
        for oddity in outcome.oddities:
            click.echo(_plain(f"{outcome.path}: {oddity}"))
        if outcome.odd > len(outcome.oddities):
            rest = plurals.counted(outcome.odd - len(outcome.oddities), "more thing was", "more things were")
            click.echo(_plain(f"{outcome.path}: and {rest} odd"))
    parts = [f"{counts[fate]} {fate.value}" for fate in Fate if counts[fate]]
    read = f"{plurals.counted(tests, 'test')}, {plurals.counted(odd, 'folder')} with something odd"
    click.echo(f"{', '.join(parts) or 'no job folder found'}; {read}")
    for outcome in told:
        if outcome.fate in _BAD:
            click.echo(_plain(f"autotest: {outcome.path}: {outcome.fate.value}: {outcome.fact}"), err=True)


def _plain(text: str) -> str:
    """*text* on one line, without what would steer a terminal."""
    return "".join(char if char.isprintable() else "\ufffd" for char in text)
