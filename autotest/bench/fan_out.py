"""Fan-out: the children of a suite, created in one transaction and published, beside the bare inserts and messages."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import peewee
from kombu import Exchange, Queue

from autotest import celery
from autotest.bench import installation, measure, paper_lab
from autotest.bench.installation import Installation, Plan
from autotest.bench.measure import Figure, Target
from autotest.host_info import HostInfo
from autotest.models import database
from autotest.models.afe import HostQueueEntry, Job, JobDependencyLabel, JobKeyval, Label
from autotest.models.database import transaction, utc_now
from autotest.models.lab import LabelQueue
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
_TABLES: tuple[type[peewee.Model], ...] = (Job, JobKeyval, JobDependencyLabel, HostQueueEntry)


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
        with measure.stopwatch() as reading:
            builds.tests(here.settings.builds_dir, _BUILD)
        with measure.stopwatch() as whole:
            woken = suites.fan_out(suite, here.settings, utc_now())
            celery.publish(woken, here.app)
        rows = {table: list(table.select().order_by(table.id).dicts()) for table in _TABLES}
        rows[Job] = [row for row in rows[Job] if row["parent_job"] == suite]
        rows[HostQueueEntry] = [row for row in rows[HostQueueEntry] if row["queue_key"]]
        queues = list(LabelQueue.select().dicts())
    with installation.fresh(plan) as here, database.connection():
        _prepare(queues, rows)
        with measure.stopwatch() as bare:
            _insert(rows)
            _publish(here, woken)
    return whole.seconds - reading.seconds, bare.seconds, reading.seconds
