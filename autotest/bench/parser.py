"""Parser: lines a second of a status log of version 1, beside reading the same file line by line."""

from __future__ import annotations

import tempfile
from pathlib import Path

from autotest.bench import measure
from autotest.bench.installation import Plan
from autotest.bench.measure import Figure
from autotest.results import parser

#: One test: what START, result and END of it look like.
_TEST = """\
START\ttest{number}\ttest{number}\ttimestamp={when}\tlocaltime=Mar 01 12:00:00\t
\tGOOD\ttest{number}\ttest{number}\ttimestamp={when}\tlocaltime=Mar 01 12:00:00\tcompleted successfully
END GOOD\ttest{number}\ttest{number}\ttimestamp={when}\tlocaltime=Mar 01 12:00:00\t
"""
_LINES_OF_A_TEST = 3
_KEYVAL = "job_queued=1772366400\njob_started=1772366400\nuser=bench\nlabel=bench\nhostname=dut1\nstatus_version=1\n"
_BASELINE = "the same file read and each line split at its tabs"


def run(plan: Plan) -> list[Figure]:
    """Lines a second; no result files beside the log, so that only the log counts."""
    lines = 500_000 if plan.full else 3_000
    with tempfile.TemporaryDirectory(prefix="autotest-bench-") as name:
        folder = Path(name)
        _write(folder, lines)
        ours, bare = measure.interleaved(plan.runs, lambda: lines / _parse(folder), lambda: lines / _split(folder))
    return [Figure(f"status log of {lines:,} lines parsed", "lines/s", ours, bare, _BASELINE)]


def _write(folder: Path, lines: int) -> None:
    (folder / "keyval").write_text(_KEYVAL)
    with (folder / "status.log").open("w") as log:
        for number in range(lines // _LINES_OF_A_TEST):
            log.write(_TEST.format(number=number, when=1772366400 + number))
        log.write("INFO\t----\t----\ttimestamp=1772366400\tthe rest\n" * (lines % _LINES_OF_A_TEST))


def _parse(folder: Path) -> float:
    with measure.stopwatch() as watch:
        parser.read(folder)
    return watch.seconds


def _split(folder: Path) -> float:
    with measure.stopwatch() as watch, (folder / "status.log").open("rb") as log:
        for line in log:
            line.rstrip(b"\n").split(b"\t")
    return watch.seconds
