"""Fan-out: the children of a suite, created in one transaction and published, beside the bare inserts and messages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import peewee
from kombu.utils.uuid import uuid

from autotest import celery
from autotest.bench import installation, measure, paper_lab
from autotest.bench.installation import Installation, Plan
from autotest.bench.measure import Figure, Target
from autotest.host_info import HostInfo
from autotest.models import database
from autotest.models.afe import HostQueueEntry, Job, JobDependencyLabel, JobKeyval, Label
from autotest.models.database import transaction, utc_now
from autotest.scheduler import builds, hosts, suites
from autotest.scheduler.suite_request import Asked
from autotest.scheduler.wakes import Wake
from autotest.suite.spec import SuiteSpec

_BUILD = "build-1"
_ROWS = 500
_BATCH = 1000
_BASELINE = "the same rows by insert_many in one transaction, and the same messages by producer.batch"
_CONTROL = """\
AUTHOR = "The Autotest team"
NAME = "test{number}"
TIME = "FAST"
TEST_TYPE = "client"
ATTRIBUTES = "suite:bench"
DEPENDENCIES = "bluetooth"
DOC = "For the benchmarks."
job.run_test("test{number}")
"""
_SUITE = 'AUTHOR = "The Autotest team"\nNAME = "bench"\nTIME = "FAST"\nTEST_TYPE = "server"\nDOC = "All."\n'
#: What a child consists of.
_TABLES: tuple[Any, ...] = (Job, JobKeyval, JobDependencyLabel, HostQueueEntry)
_Rows = dict[Any, list[dict[str, Any]]]


def run(plan: Plan) -> list[Figure]:
    """Seconds for 1,000 and for 10,000 children."""
    figures = []
    for count in (1_000, 10_000) if plan.full else (50,):
        runs = [_once(plan, count) for _ in range(plan.runs)]
        made, bare, read, peak = ([run[place] for run in runs] for place in range(4))
        ratio, memory = (Target("at most", 2.0, of="ratio"), Target("at most", 300)) if plan.full else (None, None)
        figures.append(
            Figure(f"{count:,} children, from the call until all are queued", "s", made, bare, _BASELINE, ratio)
        )
        figures.append(Figure(f"{count:,} control files read once", "s", read))
        figures.append(Figure(f"{count:,} children, peak memory of the process", "MB", peak, target=memory))
    return figures


class _Run(NamedTuple):
    """Seconds of the whole from the call on, of the bare work, and of reading the control files once; peak in MB."""

    whole: float
    bare: float
    reading: float
    peak: float


def _once(plan: Plan, count: int) -> _Run:
    with installation.fresh(plan) as here, database.connection():
        _stage(here.settings.builds_dir / _BUILD, count)
        hosts.start_lab("bench", "bench:0", [HostInfo("dut1", frozenset({"board:sim", "bluetooth"}))], utc_now())
        builds_given = {"version": _BUILD}
        spec = SuiteSpec("bench", "sim", builds_given, paper_lab.OWNER, priority=50, test_source_build=_BUILD)
        with measure.stopwatch() as reading:
            builds.tests(here.settings.builds_dir, _BUILD)
        with _peak_memory() as peak, measure.stopwatch() as whole:
            suite, _ = suites.create(Asked(spec), here.settings, utc_now())
            woken = suites.fan_out(suite, here.settings, utc_now())
            celery.publish(woken, here.app)
        needed, rows = _rows(suite)
    with installation.fresh(plan) as here, database.connection():
        _insert(needed)
        with measure.stopwatch() as bare:
            _insert(rows)
            _publish(here, woken)
    return _Run(whole.seconds, bare.seconds, reading.seconds, peak[0])


def _rows(suite: int) -> tuple[_Rows, _Rows]:
    """What the children's rows refer to, and the rows that they consist of."""
    found = {table: list(table.select().order_by(table.id).dicts()) for table in (Label, *_TABLES)}
    needed = {Label: found.pop(Label), Job: [row for row in found[Job] if row["id"] == suite]}
    found[Job] = [row for row in found[Job] if row["parent_job"] == suite]
    return needed, {table: [row for row in rows if row.get("job") != suite] for table, rows in found.items()}


@contextmanager
def _peak_memory() -> Iterator[list[float]]:
    """The most memory (MB) that this process held during the block, once it is over."""
    found: list[float] = []
    Path("/proc/self/clear_refs").write_text("5")
    try:
        yield found
    finally:
        lines = Path("/proc/self/status").read_text().splitlines()
        found.append(next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")))


def _insert(rows: _Rows) -> None:
    with transaction():
        for table, values in rows.items():
            for some in peewee.chunked(values, _ROWS):
                table.insert_many(some).execute()


def _publish(here: Installation, woken: list[Wake]) -> None:
    with here.app.producer_or_acquire() as producer:
        for some in peewee.chunked(woken, _BATCH):
            with producer.batch(_BATCH):
                for wake in some:
                    headers = {"task": wake.task, "id": uuid()}
                    producer.publish(
                        [wake.args, {}, {}], exchange="", routing_key=wake.queue, priority=wake.step, headers=headers
                    )


def _stage(build: Path, count: int) -> None:
    """A build with so many tests, all of suite ``bench``."""
    (build / "test_suites").mkdir(parents=True)
    (build / "test_suites" / "control.bench").write_text(_SUITE)
    (build / "control").mkdir()
    for number in range(count):
        (build / "control" / f"control.test{number}").write_text(_CONTROL.format(number=number))
