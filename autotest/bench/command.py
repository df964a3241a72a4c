"""``scripts/bench NAME``: runs one benchmark, or all of them, and prints JSON, on a terminal also a table."""

from __future__ import annotations

import importlib
import logging
import signal
import sys
from pathlib import Path

import click
from rich.console import Console

from autotest.bench import measure
from autotest.bench.installation import Plan
from autotest.settings import shown

#: Each is a module of this room with ``run(plan) -> list[Figure]``.
BENCHES = (
    *("claim", "fan-out", "dispatch", "steps", "children", "no-op", "parser", "store", "questions", "staging"),
    "control-files",
)


@click.command()
@click.argument("name", type=click.Choice(["all", *BENCHES]))
@click.option("--runs", type=click.IntRange(1, 100), default=5, show_default=True, help="How often each is measured.")
@click.option("--size", type=click.Choice(["small", "full"]), default="full", show_default=True)
@click.option("--json", "file", type=click.Path(dir_okay=False, path_type=Path), help="Write the JSON there.")
@click.option("--database", default="", metavar="URL", help="An empty MariaDB database instead of SQLite.")
def bench(name: str, runs: int, size: str, file: Path | None, database: str) -> None:
    """Measure what this system costs, each figure beside the bare cost of the same work.

    Targets are for the full size; --size small only shows that a bench works.
    """
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    # What a bench started and wrote goes with it, also when somebody ends it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    plan = Plan(runs, size == "full", database)
    console = Console(stderr=True)
    reports = []
    for chosen in BENCHES if name == "all" else [name]:
        module = importlib.import_module(f"autotest.bench.{chosen.replace('-', '_')}")
        figures = module.run(plan)
        reports.append(measure.report(chosen, size, shown(database) or "sqlite", figures))
        if sys.stdout.isatty() or file is not None:
            console.print(measure.table(f"{chosen}, {size}, {runs} runs", figures))
    text = measure.dumps(reports)
    if file is not None:
        file.write_text(text + "\n", encoding="utf-8")
    else:
        click.echo(text)
