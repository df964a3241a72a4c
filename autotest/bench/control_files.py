"""Control files: 4,000 read by one process, beside reading and ast.parse of the same files; and read again."""

from __future__ import annotations

import ast
import tempfile
from pathlib import Path

from autotest.bench import measure
from autotest.bench.installation import Plan
from autotest.bench.measure import Figure, Target
from autotest.control_files import tree

#: As long as the control files of a large lab are on average.
_TEXT = '''# Copyright of the people who wrote it. Use of this source code is governed by a license that can be
# found in the LICENSE file.

from autotest_lib.server import utils

AUTHOR = "The kernel team"
NAME = "kernel_test{number}.case{number}"
PURPOSE = "Verify that the subsystem {number} keeps its promise after a suspend."
TIME = "{time}"
TEST_TYPE = "server"
TEST_CLASS = "kernel"
TEST_CATEGORY = "Functional"
ATTRIBUTES = "suite:bvt, suite:kernel{group}"
DEPENDENCIES = "servo, wificell, modem:m{group}"
JOB_RETRIES = 2
MAX_RESULT_SIZE_KB = 512000
{bug_template}DOC = """
This test suspends the device {number} times and checks each time that the subsystem comes back, that nothing is
logged beyond what is expected, and that the time it takes stays within the limit.

The argument rounds says how often; the default is what a night can hold.
"""

args_dict = utils.args_to_dict(args)


def run(machine):
    host = hosts.create_host(machine)
    for stage in ("warm", "cold"):
        job.run_test("kernel_test{number}", host=host, tag=stage, rounds=int(args_dict.get("rounds", 10)))


parallel_simple(run, machines)
'''
#: One file in twenty has one.
_BUG_TEMPLATE = """BUG_TEMPLATE = {
    "labels": ["kernel", "suspend"],
    "cc": ["kernel-team@example.com"],
}
"""
_TIMES = ("FAST", "SHORT", "MEDIUM", "LONG", "LENGTHY")
_BASELINE = "the same files opened, read and parsed with ast.parse"


def run(plan: Plan) -> list[Figure]:
    """Seconds for the first reading (its cache is written) and the second one (nothing has changed)."""
    files = 4_000 if plan.full else 50
    with tempfile.TemporaryDirectory(prefix="autotest-bench-") as name:
        root = Path(name, "build")
        paths = _write(root, files)
        plain, bare = measure.interleaved(plan.runs, lambda: _read(root, None), lambda: _parse(paths))
        first, again = [], []
        for number in range(plan.runs):
            cache = Path(name, f"cache.{number}")
            first.append(_read(root, cache))
            again.append(_read(root, cache))
    return [
        Figure(f"{files:,} control files read", "s", plain, bare, _BASELINE, Target("at most", 1.3, "ratio")),
        Figure(f"{files:,} control files read, a cache written", "s", first),
        Figure(
            "the same tree read again with the cache",
            "s",
            again,
            first,
            "the first reading of the same tree, the cache written",
            Target("at most", 0.1, "ratio"),
        ),
    ]


def _write(root: Path, files: int) -> list[str]:
    """*files* control files, two a folder, as in a lab; an unchanged tree is one that was not just written."""
    paths = []
    for number in range(files):
        folder = root / "control" / f"kernel_test{number // 2}"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / ("control" if number % 2 else "control.again")
        template = "" if number % 20 else _BUG_TEMPLATE
        text = _TEXT.format(number=number, group=number % 40, time=_TIMES[number % 5], bug_template=template)
        path.write_text(text)
        paths.append(str(path))
    return paths


def _read(root: Path, cache: Path | None) -> float:
    with measure.stopwatch() as watch:
        tree.read(root, cache)
    return watch.seconds


def _parse(paths: list[str]) -> float:
    with measure.stopwatch() as watch:
        for path in paths:
            with open(path, "rb") as file:
                ast.parse(file.read())
    return watch.seconds
