"""``autotest demo``: runs the main job of this system on simulated machines, and shows what came out."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from types import FrameType

import click
from rich.console import Console

from autotest.demo.installation import Installation
from autotest.demo.processes import Crew


@click.command()
@click.option(
    "--dir",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".demo"),
    show_default=True,
    help="Everything is written below this folder, which is made anew.",
)
@click.option(
    "--tests",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    help="Where control/ and test_suites/ are; default: here.",
)
@click.option("--keep", is_flag=True, help="Leave it all running until Ctrl-C.")
def demo(folder: Path, tests: Path, keep: bool) -> None:
    """Run the smoke suite on a simulated lab of eight DUTs.

    Exit status 0 when every test ended as the suite promises, also those that fail on purpose.
    """
    console = Console(highlight=False, soft_wrap=not sys.stdout.isatty())
    # Also where whoever started us ignores SIGINT, as shells do for what they put into the background.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    installation = Installation(folder, tests)
    began = time.monotonic()
    installation.lay_out()
    # The API of this process works on the demo's installation, whatever is set outside.
    os.environ.update({"AUTOTEST_CONFIG": str(installation.settings_file)})
    with Crew(installation.logs, installation.environment) as crew:
        console.print(f"starting broker, database, 8 simulated DUTs, workers and Flower below {installation.folder}")
        installation.start(crew)
        # Imported now: it reads the settings that were just written.
        from autotest.demo import story

        summaries = story.run(console, crew.check)
        for summary in summaries:
            console.print()
            console.print(story.table(summary))
        wrong = story.surprises(summaries)
        console.print()
        for line in wrong:
            console.print(f"not as promised: {line}", style="red")
        if not wrong:
            console.print(
                f"every test ended as smoke promises, in {time.monotonic() - began:.0f} s", style="bold green"
            )
        console.print(f"results: {installation.results}")
        console.print(f"logs:    {installation.logs}")
        console.print(f"Flower:  {installation.flower}/tasks" + ("" if keep else " (with --keep)"))
        if keep:
            _stay(console, installation, crew)
    sys.exit(1 if wrong else 0)


def _stay(console: Console, installation: Installation, crew: Crew) -> None:
    console.print()
    console.print(f"It runs on. In another terminal: export AUTOTEST_CONFIG={installation.settings_file}")
    console.print("then: autotest host list; autotest suite run smoke -b pi4 -i demo-1 -p suites. Ctrl-C ends it.")
    try:
        while True:
            crew.check()
            time.sleep(0.5)
    except KeyboardInterrupt:
        console.print("ending it all")


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
