"""Parser: lines a second of long status logs, and the reasons of one test that gives a thousand of them."""

from __future__ import annotations

import tempfile
from pathlib import Path

from autotest.bench import measure
from autotest.bench.installation import Plan
from autotest.bench.measure import Figure, Target
from autotest.results import parser

_FIELDS = "timestamp={when}\tlocaltime=Mar 01 12:00:00\t"
_GOOD = f"\tGOOD\ttest{{number}}\ttest{{number}}\t{_FIELDS}"
#: One test, five lines: what START, results and END of it look like.
_TEST = (
    f"START\ttest{{number}}\ttest{{number}}\t{_FIELDS}\n"
    f"{_GOOD}ready\n{_GOOD}half of it is done\n{_GOOD}completed successfully\n"
    f"END GOOD\ttest{{number}}\ttest{{number}}\t{_FIELDS}\n"
)
_LINES_OF_A_TEST = 5
_KEYVAL = "job_queued=1\njob_started=1\nuser=bench\nlabel=bench\nhostname=dut1\nstatus_version={version}\n"
_WARNING = "\tWARN\ttest\ttest\ttimestamp=1772366401\tsector {number} of the disk is slow\n"
_BASELINE = "the same file read and each line split at its tabs"


def run(plan: Plan) -> list[Figure]:
    """Lines a second and seconds; no result files beside the log, so that only the log counts."""
    tests = 100_000 if plan.full else 600
    warnings = 1000 if plan.full else 50
    with tempfile.TemporaryDirectory(prefix="autotest-bench-") as name:
        folders = {version: _folder(Path(name, str(version)), version) for version in (0, 1)}
        figures = [_speed(plan, folder, version, tests) for version, folder in sorted(folders.items(), reverse=True)]
        seconds, bare = _of_warnings(plan, folders[1], warnings)
    target = Target("at most", 0.1) if plan.full else None
    return [*figures, Figure(f"one test with {warnings:,} distinct warnings", "s", seconds, bare, _BASELINE, target)]


def _speed(plan: Plan, folder: Path, version: int, tests: int) -> Figure:
    lines = tests * _LINES_OF_A_TEST
    with (folder / "status.log").open("w") as log:
        for number in range(tests):
            log.write(_TEST.format(number=number, when=1772366400 + number))
    ours, bare = measure.interleaved(plan.runs, lambda: lines / _parse(folder), lambda: lines / _split(folder))
    target = Target("at least", 150_000) if plan.full else None
    what = f"status log of version {version}, {lines:,} lines, {tests:,} tests"
    return Figure(what, "lines/s", ours, bare, _BASELINE, target)


def _of_warnings(plan: Plan, folder: Path, warnings: int) -> tuple[list[float], list[float]]:
    start, *_, end = _TEST.format(number="", when=1772366400).splitlines(keepends=True)
    log = start + "".join(_WARNING.format(number=number) for number in range(warnings)) + end
    (folder / "status.log").write_text(log)
    return measure.interleaved(plan.runs, lambda: _parse(folder), lambda: _split(folder))


def _folder(folder: Path, version: int) -> Path:
    folder.mkdir()
    (folder / "keyval").write_text(_KEYVAL.format(version=version))
    return folder


def _parse(folder: Path) -> float:
    with measure.stopwatch() as watch:
        parser.read(folder)
    return watch.seconds


def _split(folder: Path) -> float:
    with measure.stopwatch() as watch, (folder / "status.log").open("rb") as log:
        for line in log:
            line.rstrip(b"\n").split(b"\t")
    return watch.seconds
