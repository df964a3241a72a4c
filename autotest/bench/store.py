"""Store: what the results of a job cost to become rows, beside a bare executemany of the same rows."""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import peewee

from autotest.bench import installation, measure
from autotest.bench.installation import Plan
from autotest.bench.measure import Figure, Target
from autotest.models import database, tko
from autotest.models.database import db
from autotest.results import store
from autotest.results.parsing.records import Iteration, JobRecord, JobResult, KernelRecord, TestRecord
from autotest.states import Outcome

_METRICS = 10
#: Tests of a small job, and iterations of each.
_SMALL = 5
_LONGEST_S = {"sqlite": 1.5, "mysql": 3.0}
_MOST_OF_BARE = 1.5
_BASELINE = "executemany of the same rows of tko_tests, attributes and values, in one transaction, test_idx known"
_WHEN = datetime.datetime(2026, 3, 1, tzinfo=datetime.timezone.utc)
_Table = tuple[Sequence[peewee.Field], list[tuple[Any, ...]]]


def run(plan: Plan) -> list[Figure]:
    """Seconds for a job that is new, and for the same one again; jobs a second for small ones, as imports have them."""
    tests, iterations = (100, 100) if plan.full else (5, 5)
    result = _result(tests, iterations)
    size = f"{tests} tests, {tests * iterations * _METRICS:,} perf values"
    with installation.fresh(plan, with_broker=False), database.connection():
        job_idx = store.save(result, "1-bench/dut1")
        numbers = itertools.count(2)
        ours, beside = measure.interleaved(
            plan.runs, lambda: _stored(result, next(numbers)), lambda: _bare(result, job_idx)
        )
        again = [_stored(result, 2) for _ in range(plan.runs)]
        small = _result(_SMALL, _SMALL)
        many = 200 if plan.full else 3
        each = measure.interleaved(
            plan.runs,
            lambda: many / sum(_stored(small, next(numbers)) for _ in range(many)),
            lambda: many / sum(_bare(small, job_idx) for _ in range(many)),
        )
        longest = _LONGEST_S["sqlite" if database.is_sqlite() else "mysql"]
    quick = Target("at most", longest) if plan.full else None
    near = Target("at most", _MOST_OF_BARE, "ratio") if plan.full else None
    return [
        Figure(f"a new job stored, {size}", "s", ours, beside, _BASELINE, quick),
        Figure(f"the same, against the bare rows, {size}", "s", ours, beside, _BASELINE, near),
        Figure(f"the same job stored again, {size}", "s", again, beside, _BASELINE),
        Figure(f"jobs of {_SMALL} tests, {_SMALL * _SMALL * _METRICS} perf values", "jobs/s", *each, _BASELINE),
    ]


def _result(tests: int, iterations: int) -> JobResult:
    kernel = KernelRecord()
    samples = tuple(
        Iteration(number, {}, {f"metric{metric}": number * 1.37 + metric / 7 for metric in range(_METRICS)})
        for number in range(1, iterations + 1)
    )
    records = tuple(
        TestRecord(
            name=f"bench_Test{number:03}",
            subdir=f"bench_Test{number:03}",
            status=Outcome.GOOD,
            reason="completed successfully",
            started_time=_WHEN,
            finished_time=_WHEN,
            kernel=kernel,
            attributes={"version": 1, "host-platform": "eve", "sysinfo-uname": "Linux dut1 5.4.0"},
            iterations=samples,
        )
        for number in range(tests)
    )
    job = JobRecord(
        status_version=1,
        user="bench",
        label="bench",
        machine="dut1",
        machine_group="eve",
        owner=None,
        queued_time=_WHEN,
        started_time=_WHEN,
        finished_time=_WHEN,
        aborted_by=None,
        aborted_on=None,
        build=None,
        build_version=None,
        suite=None,
        board=None,
        exit_status=Outcome.GOOD,
        keyvals={"user": "bench", "status_version": 1},
        host_attributes={},
    )
    return JobResult(job, kernel, records)


def _stored(result: JobResult, job: int) -> float:
    with measure.stopwatch() as watch:
        store.save(result, f"{job}-bench/dut1")
    return watch.seconds


def _bare(result: JobResult, job_idx: int) -> float:
    first = tko.TestResult.select(peewee.fn.MAX(tko.TestResult.test_idx)).scalar() + 1
    tables = list(_rows(result, first, tko.TestResult.get(tko.TestResult.test_idx == first - 1), job_idx))
    with measure.stopwatch() as watch, database.transaction():
        cursor = db.cursor()
        for fields, rows in tables:
            cursor.executemany(_statement(fields), rows)
    return watch.seconds


def _rows(result: JobResult, first: int, like: tko.TestResult, job_idx: int) -> Iterator[_Table]:
    """Columns and rows of every table that grows with the job, for tests from test_idx *first* on."""
    test, attribute, number = tko.TestResult, tko.TestAttribute, tko.IterationResult
    when = f"{_WHEN:%Y-%m-%d %H:%M:%S.%f}"
    same = (like.kernel_idx, like.status_id, like.machine_idx, when, when, False, job_idx)
    numbered = list(enumerate(result.tests, first))
    columns = (test.kernel, test.status, test.machine, test.started_time, test.finished_time, test.invalid, test.job)
    yield (
        (test.test_idx, test.test, test.subdir, test.reason, *columns),
        [(index, one.name, one.subdir, one.reason, *same) for index, one in numbered],
    )
    yield (
        (attribute.test, attribute.attribute, attribute.value, attribute.user_created),
        [(index, key, str(value), False) for index, one in numbered for key, value in one.attributes.items()],
    )
    yield (
        (number.test, number.iteration, number.attribute, number.value),
        [
            (index, each.index, key, value)
            for index, one in numbered
            for each in one.iterations
            for key, value in each.perf.items()
        ],
    )


def _statement(fields: Sequence[peewee.Field]) -> str:
    mark = "?" if database.is_sqlite() else "%s"
    columns = ", ".join(field.column_name for field in fields)
    return f"INSERT INTO {fields[0].model._meta.table_name} ({columns}) VALUES ({', '.join([mark] * len(fields))})"
