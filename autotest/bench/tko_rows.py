"""TKO rows: a million results as a lab leaves them, written fast into an empty, migrated database.

Each build runs five suites on five boards; each test is a job of its own, so that it leaves two rows: SERVER_JOB and
the test. One in fifty is retried; one in ten measures something. The same seed gives the same rows.
"""

from __future__ import annotations

import dataclasses
import datetime
import random
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import click

from autotest import errors, settings
from autotest.models import database, schema, tko
from autotest.models.database import db, transaction

BOARDS = ("eve", "kevin", "link", "octopus", "pi4")
#: Suite -> how many tests it has.
SUITES = {"bvt": 50, "cq": 20, "perf": 20, "regression": 100, "smoke": 10}
HOSTS_OF_A_BOARD = 40

_FIRST = datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone.utc)
_BETWEEN_BUILDS = datetime.timedelta(hours=12)
_CHUNK = 5_000
#: Out of a thousand.
_STATUSES = {"GOOD": 940, "FAIL": 25, "ERROR": 10, "WARN": 10, "ABORT": 8, "TEST_NA": 7}
_RETRIED = 0.02
_REASONS = {
    "GOOD": "completed successfully",
    "FAIL": "iteration {number} differs from what was expected",
    "ERROR": "AutoservRunError: command <ping -c 3 10.0.0.{number}> failed, rc=1",
    "WARN": "{number} messages in dmesg",
    "ABORT": "Job aborted unexpectedly",
    "TEST_NA": "DUT lacks the dependency wifi",
}


@dataclasses.dataclass(frozen=True)
class Filled:
    """What there is to ask about: builds oldest first, and how many test rows were written."""

    builds: tuple[str, ...]
    rows: int


@dataclasses.dataclass(frozen=True)
class _Result:
    """One run of one test: a row of tko_jobs and two of tko_tests. Retries follow what they retry."""

    job: int
    build: int
    board: int
    suite: str
    test: str
    host: int
    status: str
    started: datetime.datetime
    retries: int | None
    is_retried: bool


def fill(rows: int, seed: int = 7) -> Filled:
    """Write about *rows* test rows (whole builds). The caller has a connection open."""
    results = list(_results(rows, random.Random(seed)))
    words = {word: index for index, word in tko.Status.select(tko.Status.status_idx, tko.Status.word).tuples()}
    with transaction():
        _write(tko.Kernel, [(1, "UNKNOWN", "UNKNOWN", "UNKNOWN")])
        _write(tko.Machine, _machines())
        _write(tko.TkoJob, map(_job, results))
        _write(tko.TkoJobKeyval, _keyvals(results))
        _write(tko.TestResult, _tests(results, words))
        _write(tko.IterationResult, _measured(results, random.Random(seed)))
    if not database.is_sqlite():
        for table in (tko.TkoJob, tko.TestResult):
            db.execute_sql(f"ANALYZE TABLE {table._meta.table_name}")
    count = results[-1].build + 1 if results else 0
    return Filled(tuple(_version(number) for number in range(count)), 2 * len(results))


def _results(rows: int, chance: random.Random) -> Iterator[_Result]:
    words, weights = list(_STATUSES), list(_STATUSES.values())
    job = build = 0
    while 2 * job < rows:
        for board in range(len(BOARDS)):
            for suite, tests in SUITES.items():
                for number in range(tests):
                    job += 1
                    is_retried = chance.random() < _RETRIED
                    status = "FAIL" if is_retried else chance.choices(words, weights)[0]
                    host = board * HOSTS_OF_A_BOARD + chance.randrange(HOSTS_OF_A_BOARD) + 1
                    began = _FIRST + build * _BETWEEN_BUILDS + datetime.timedelta(seconds=chance.randrange(20_000))
                    name = f"{suite}_Test{number:03}"
                    made = _Result(job, build, board, suite, name, host, status, began, None, is_retried)
                    yield made
                    if is_retried:
                        job += 1
                        again = began + datetime.timedelta(hours=1)
                        yield dataclasses.replace(
                            made, job=job, status="GOOD", started=again, retries=made.job, is_retried=False
                        )
        build += 1


def _machines() -> Iterator[tuple[Any, ...]]:
    for board, name in enumerate(BOARDS):
        for host in range(board * HOSTS_OF_A_BOARD + 1, (board + 1) * HOSTS_OF_A_BOARD + 1):
            yield host, _hostname(host), name, None


def _hostname(host: int) -> str:
    return f"rack{host // 10}-host{host % 10}"


def _version(build: int) -> str:
    return f"R{100 + build // 20}-{14000 + build}.0.0"


def _job(result: _Result) -> tuple[Any, ...]:
    build = f"{BOARDS[result.board]}-release/{_version(result.build)}"
    end = result.started + datetime.timedelta(minutes=5)
    return (
        result.job,
        f"{result.job}-ann/{_hostname(result.host)}",
        f"{build}/{result.suite}/{result.test}",
        "ann",
        result.host,
        _text(result.started - datetime.timedelta(minutes=10)),
        _text(result.started),
        _text(end),
        result.job,
        None,
        build,
        _version(result.build),
        result.suite,
        BOARDS[result.board],
    )


def _keyvals(results: Iterable[_Result]) -> Iterator[tuple[Any, ...]]:
    number = 0
    for result in results:
        pairs = {"experimental": "True" if result.test.endswith("9") else "False"}
        if result.retries:
            pairs["retry_original_job_id"] = str(result.retries)
        for key, value in pairs.items():
            number += 1
            yield number, result.job, key, value


def _tests(results: Iterable[_Result], words: dict[str, int]) -> Iterator[tuple[Any, ...]]:
    for result in results:
        began, end = _text(result.started), _text(result.started + datetime.timedelta(minutes=5))
        index = 2 * result.job - 1
        good = words["GOOD" if result.status != "ABORT" else "ABORT"]
        reason = _REASONS[result.status].format(number=result.job % 50)
        shared = (result.host, result.is_retried, end, began)
        job, test = result.job, result.test
        partner = None if result.retries is None else 2 * result.retries - 1
        yield index, job, "SERVER_JOB", "----", 1, good, "", *shared, partner
        yield index + 1, job, test, test, 1, words[result.status], reason, *shared, partner and partner + 1


def _measured(results: Iterable[_Result], chance: random.Random) -> Iterator[tuple[Any, ...]]:
    for result in results:
        if result.suite != "perf" or result.status != "GOOD":
            continue
        for iteration in range(1, 4):
            yield 2 * result.job, iteration, "frames_per_second", round(chance.gauss(60 - result.board, 1.5), 3)


def _text(moment: datetime.datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S.%f")


def _write(model: type[database.BaseModel], rows: Iterable[tuple[Any, ...]]) -> None:
    """Rows with every column, in the order of the model's fields."""
    columns = [field.column_name for field in model._meta.sorted_fields]
    mark = "?" if database.is_sqlite() else "%s"
    quoted = ", ".join(f'"{name}"' if database.is_sqlite() else f"`{name}`" for name in columns)
    statement = f"INSERT INTO {model._meta.table_name} ({quoted}) VALUES ({', '.join([mark] * len(columns))})"
    cursor, remaining = db.cursor(), iter(rows)
    while chunk := list(islice(remaining, _CHUNK)):
        cursor.executemany(statement, chunk)


@click.command()
@click.option("--rows", type=click.IntRange(1), default=1_000_000, show_default=True, help="About so many test rows.")
@click.option("--seed", type=int, default=7, show_default=True, help="The same seed gives the same rows.")
@click.argument("url", metavar="DATABASE")
def main(url: str, rows: int, seed: int) -> None:
    """Fill DATABASE (sqlite:///PATH or mysql://USER:PASSWORD@HOST/NAME), which has no results yet, with results."""
    try:
        database.connect(url)
        with database.connection():
            schema.migrate()
            if tko.TestResult.select().exists():
                raise errors.ConfigError(f"{settings.shown(url)} has results already; nothing was written")
            filled = fill(rows, seed)
    except errors.AutotestError as problem:
        raise click.ClickException(str(problem)) from problem
    click.echo(f"{filled.rows:,} test rows, builds {filled.builds[0]} to {filled.builds[-1]}")


if __name__ == "__main__":
    main(prog_name="tko_rows")
