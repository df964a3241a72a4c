"""Samples of any job, stored again and again: the rows say what the records say, on either database, and stay."""

from __future__ import annotations

import dataclasses
import datetime
import itertools
import math
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autotest.models import database, tko
from autotest.results import store
from autotest.results.parsing import records
from autotest.results.parsing.records import Iteration, JobRecord, JobResult, KernelRecord, PerfValue
from autotest.states import Outcome

JOB = JobRecord(
    status_version=1,
    user="ann",
    label=None,
    machine="h1",
    machine_group="eve",
    owner=None,
    queued_time=None,
    started_time=None,
    finished_time=None,
    aborted_by=None,
    aborted_on=None,
    build=None,
    build_version=None,
    suite=None,
    board=None,
    exit_status=Outcome.GOOD,
    keyvals={"user": "ann"},
    host_attributes={},
)
SMILE = "\U0001f600"
LONG = SMILE * 300
#: Texts that a database may take for one another, or not at all.
TEXTS = st.sampled_from(
    ["t", "T", "t ", "t\0", "te\u0301", "t\u00e9", "'; --", "%s", "\\", "", SMILE, LONG, LONG + "x", "\udcff"]
)
TIMES = st.none() | st.datetimes(timezones=st.just(datetime.timezone.utc))
NUMBERS = st.floats() | st.sampled_from([math.nan, math.inf, -math.inf, 5e-324, 1.7976931348623157e308, 0.1 + 0.2])
VALUES = st.none() | TEXTS | st.integers() | st.floats(allow_nan=False)
PERF_VALUES = st.builds(
    PerfValue, TEXTS, NUMBERS, NUMBERS, st.none() | TEXTS, st.booleans(), st.none() | TEXTS, st.just(1)
)


@st.composite
def a_test(draw) -> records.TestRecord:
    samples = draw(
        st.lists(
            st.tuples(st.dictionaries(TEXTS, TEXTS, max_size=2), st.dictionaries(TEXTS, NUMBERS, max_size=3)),
            max_size=3,
        )
    )
    return records.TestRecord(
        name=draw(TEXTS),
        subdir=draw(st.none() | TEXTS),
        status=draw(st.sampled_from(list(Outcome))),
        reason=draw(TEXTS | st.just(SMILE * 5000)),
        started_time=draw(TIMES),
        finished_time=draw(TIMES),
        kernel=KernelRecord(),
        attributes=draw(st.dictionaries(TEXTS, VALUES, max_size=3)),
        iterations=tuple(Iteration(number, *pair) for number, pair in enumerate(samples, 1)),
        perf_values=tuple(draw(st.lists(PERF_VALUES, max_size=4))),
    )


JOBS = st.lists(a_test(), max_size=5).map(lambda tests: JobResult(JOB, KernelRecord(), tuple(tests)))
SAMPLES = (tko.TestAttribute, tko.IterationAttribute, tko.IterationResult, tko.IterationPerfValue)
numbers = itertools.count(1)
on_one_database = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)


def cut(value: object, longest: int) -> str | None:
    return None if value is None else str(value).replace("\0", "").replace("\udcff", "\ufffd")[:longest]


def wanted(result: JobResult) -> dict:
    """What the rows of a job should say, by name, subdir and which of that name and subdir it is."""
    seen: Counter = Counter()
    found = {}
    for test in result.tests:
        key = (cut(test.name, 300), cut(test.subdir, 300))
        seen[key] += 1
        found[(*key, seen[key])] = (
            test.status.value,
            cut(test.reason, 4096),
            test.started_time,
            test.finished_time,
            {cut(name, 255): cut(value, 16_000) for name, value in test.attributes.items()},
            {
                (one.index, cut(name, 256)): cut(text, 16_000)
                for one in test.iterations
                for name, text in one.attr.items()
            },
            {
                (one.index, cut(name, 256)): number if math.isfinite(number) else None
                for one in test.iterations
                for name, number in one.perf.items()
            },
            metrics_of(test.perf_values),
        )
    return found


def finite(number: float) -> float | None:
    return number if math.isfinite(number) else None


def metrics_of(values) -> dict:
    """What is stored of each metric, by graph, description and how often it was written before, from 1."""
    times: Counter = Counter()
    found = {}
    for one in values:
        metric = (cut(one.graph, 256), cut(one.description, 256))
        times[metric] += 1
        rest = (finite(one.value), finite(one.stddev), cut(one.units, 32), one.higher_is_better)
        found[(*metric, times[metric])] = rest
    return found


def rows_of(job_idx: int) -> dict:
    """The same from the database; a row that is there twice is an error."""
    seen: Counter = Counter()
    found = {}
    tests = tko.TestResult.select().where(tko.TestResult.job == job_idx).order_by(tko.TestResult.test_idx)
    for test in tests:
        seen[test.test, test.subdir] += 1
        attributes, texts, values, metrics = (table.select().where(table.test == test.test_idx) for table in SAMPLES)
        found[test.test, test.subdir, seen[test.test, test.subdir]] = (
            test.status.word,
            test.reason,
            test.started_time,
            test.finished_time,
            once((row.attribute, row.value) for row in attributes.where(~tko.TestAttribute.user_created)),
            once(((row.iteration, row.attribute), row.value) for row in texts),
            once(((row.iteration, row.attribute), row.value) for row in values),
            once(
                ((row.graph, row.description, row.iteration), (row.value, row.stddev, row.units, row.higher_is_better))
                for row in metrics
            ),
        )
    return found


def once(pairs) -> dict:
    pairs = list(pairs)
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


def indexes(job_idx: int) -> dict:
    """test_idx of each test, by the same key."""
    row = tko.TestResult
    found = row.select(row.test, row.subdir, row.test_idx).where(row.job == job_idx).order_by(row.test_idx).tuples()
    seen: Counter = Counter()
    keyed = {}
    for name, subdir, index in found:
        seen[name, subdir] += 1
        keyed[name, subdir, seen[name, subdir]] = index
    return keyed


def everything() -> dict:
    """Every row of every table that a store writes."""
    tables = (tko.TkoJob, tko.TkoJobKeyval, tko.TestResult, tko.TestLabelTest, *SAMPLES)
    return {table.__name__: Counter(table.select().tuples()) for table in tables}


@pytest.mark.usefixtures("db")
@on_one_database
@given(result=JOBS)
def test_the_rows_of_any_job_say_what_its_records_say_and_stay_when_it_is_stored_again(result):
    tag = f"{next(numbers)}-ann/h1"
    job_idx = store.save(result, tag)
    assert rows_of(job_idx) == wanted(result)
    before = everything()

    assert store.save(result, tag) == job_idx

    assert everything() == before


@pytest.mark.usefixtures("db")
@on_one_database
@given(first=JOBS, second=JOBS, is_longer=st.booleans())
def test_a_job_that_changed_between_two_parses_keeps_what_people_made_of_the_tests_that_stay(first, second, is_longer):
    if is_longer:
        second = dataclasses.replace(second, tests=first.tests + second.tests)
    tag = f"{next(numbers)}-ann/h1"
    before = indexes(store.save(first, tag))
    label, _ = tko.TestLabel.get_or_create(name="flaky")
    for index in before.values():
        tko.TestLabelTest.create(testlabel=label, test=index)
        tko.TestAttribute.create(test=index, attribute="bug", value=str(index), user_created=True)

    job_idx = store.save(second, tag)

    assert rows_of(job_idx) == wanted(second)
    after = indexes(job_idx)
    stayed = before.keys() & after.keys()
    assert {key: after[key] for key in stayed} == {key: before[key] for key in stayed}
    kept = {before[key] for key in stayed}
    marked = tko.TestLabelTest.select().join(tko.TestResult).where(tko.TestResult.job == job_idx)
    assert {row.test_id for row in marked} == kept
    noted = tko.TestAttribute.select().where(tko.TestAttribute.test.in_([*before.values(), *after.values()]))
    assert {(row.test_idx, row.value) for row in noted.where(tko.TestAttribute.user_created)} == {
        (index, str(index)) for index in kept
    }
    for table in (tko.TestLabelTest, *SAMPLES):
        assert not table.select().where(table.test.in_(list(set(before.values()) - kept))).exists()


@pytest.mark.usefixtures("db")
def test_names_that_are_one_once_they_are_cut_are_one_row_with_the_later_value():
    perf = {"m" * 256 + "a": 1.0, "m" * 256 + "b": 2.0}
    test = records.TestRecord("t", "t", Outcome.GOOD, "", None, None, KernelRecord(), {}, (Iteration(1, {}, perf),))

    store.save(JobResult(JOB, KernelRecord(), (test,)), "1-ann/h1")

    assert [(row.attribute, row.value) for row in tko.IterationResult.select()] == [("m" * 256, 2.0)]


@pytest.mark.usefixtures("db")
def test_only_the_tests_whose_samples_changed_are_written_anew(monkeypatch):
    def job(last: float) -> JobResult:
        values = (1.0, 2.0, last)
        blocks = [(Iteration(1, {"mode": "fast"}, {"fps": value}),) for value in values]
        tests = [
            records.TestRecord(f"t{number}", None, Outcome.GOOD, "", None, None, KernelRecord(), {"version": 1}, block)
            for number, block in enumerate(blocks)
        ]
        return JobResult(JOB, KernelRecord(), tuple(tests))

    store.save(job(3.0), "1-ann/h1")
    sent = []
    run = database.db.obj.execute_sql
    with monkeypatch.context() as patch:
        patch.setattr(database.db.obj, "execute_sql", lambda sql, *rest: sent.append((sql, rest)) or run(sql, *rest))
        store.save(job(4.0), "1-ann/h1")

    written = [rest[0] for sql, rest in sent if sql.startswith("INSERT") and "tko_iteration" in sql]
    index = tko.IterationResult.select(tko.IterationResult.test).where(tko.IterationResult.value == 4.0).scalar()
    assert written == [[index, 1, "fps", 4.0]]
    assert not any("tko_test_attributes" in sql for sql, _ in sent if not sql.startswith("SELECT"))


def test_jobs_that_are_stored_at_the_same_time_do_not_mix_their_samples(db):
    def job(number: int) -> JobResult:
        tests = [
            records.TestRecord(
                f"t{one}",
                None,
                Outcome.GOOD,
                "",
                None,
                None,
                KernelRecord(),
                {"version": number},
                (Iteration(1, {}, {"fps": 1000.0 * number + one}),),
            )
            for one in range(200)
        ]
        return JobResult(JOB, KernelRecord(), tuple(tests))

    def save(number: int) -> int:
        with database.connection():
            return store.save(job(number), f"{number}-ann/h1")

    database.db.close()
    with ThreadPoolExecutor(4) as pool:
        stored = list(pool.map(save, range(1, 9)))

    with database.connection():
        for number, job_idx in enumerate(stored, 1):
            assert rows_of(job_idx) == wanted(job(number))
