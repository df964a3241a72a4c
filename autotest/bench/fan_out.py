"""Fan-out: the children of a suite, created in one transaction and published, beside the bare inserts and messages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

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
from autotest.scheduler.suites import SuiteSpec
from autotest.scheduler.wakes import Wake

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
        pairs = [_once(plan, count) for _ in range(plan.runs)]
        made, bare, read = ([pair[place] for pair in pairs] for place in range(3))
        target = Target("at most", 2.0, of="ratio") if plan.full else None
        figures.append(Figure(f"{count:,} children created and published", "s", made, bare, _BASELINE, target))
        figures.append(Figure(f"{count:,} control files read before", "s", read))
    return figures


def _once(plan: Plan, count: int) -> tuple[float, float, float]:
    """Seconds for the children, for the bare work, and for reading the control files."""
    with installation.fresh(plan) as here, database.connection():
        _stage(here.settings.builds_dir / _BUILD, count)
        hosts.start_lab("bench", "bench:0", [HostInfo("dut1", frozenset({"board:sim", "bluetooth"}))], utc_now())
        spec = SuiteSpec("bench", "sim", _BUILD, paper_lab.OWNER, 50)
        suite, _ = suites.create(spec, here.settings, utc_now())
        with measure.stopwatch() as whole:
            woken = suites.fan_out(suite, here.settings, utc_now())
            celery.publish(woken, here.app)
        with measure.stopwatch() as reading:
            builds.tests(here.settings.builds_dir, _BUILD)
        needed, rows = _rows(suite)
    with installation.fresh(plan) as here, database.connection():
        _insert(needed)
        with measure.stopwatch() as bare:
            _insert(rows)
            _publish(here, woken)
    return whole.seconds - reading.seconds, bare.seconds, reading.seconds


def _rows(suite: int) -> tuple[_Rows, _Rows]:
    """What the children's rows refer to, and the rows that they consist of."""
    found = {table: list(table.select().order_by(table.id).dicts()) for table in (Label, *_TABLES)}
    needed = {Label: found.pop(Label), Job: [row for row in found[Job] if row["id"] == suite]}
    found[Job] = [row for row in found[Job] if row["parent_job"] == suite]
    return needed, {table: [row for row in rows if row.get("job") != suite] for table, rows in found.items()}


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
