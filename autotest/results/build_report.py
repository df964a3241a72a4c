"""The report on builds: each test that could be scheduled, by build and board, from the latest suite of each."""

from __future__ import annotations

import dataclasses
import datetime
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import peewee

from autotest.models import afe
from autotest.results import facts, suite_rows
from autotest.results.suite_rows import RETRIED, SUITE_FILE, Row, SuiteFacts
from autotest.states import Outcome

REGRESSION, FIX = "regression", "fix"
#: What stands for several results of one test, worst first.
_WORST_FIRST = (
    Outcome.ABORT.value,
    Outcome.ERROR.value,
    Outcome.FAIL.value,
    Outcome.WARN.value,
    RETRIED,
    Outcome.RUNNING.value,
    Outcome.NOSTATUS.value,
    Outcome.ALERT.value,
    Outcome.GOOD.value,
    Outcome.TEST_NA.value,
)
_PENDING = frozenset({Outcome.RUNNING.value, Outcome.NOSTATUS.value})
_BAD = frozenset({Outcome.ABORT.value, Outcome.ERROR.value, Outcome.FAIL.value})
_PASSED = frozenset({Outcome.GOOD.value, RETRIED})
_KEYS = ("suite", "build", "board", "pool")
_LABELS = "child_dependencies"


class Run(NamedTuple):
    """One suite job and its rows; each row goes with the name of the test as it was scheduled."""

    job_id: int
    suite: str
    build: str
    board: str
    pool: str
    owner: str
    created_on: datetime.datetime
    finished: bool
    rows: Sequence[tuple[str, Row]]


class Column(NamedTuple):
    """What was tested: a build on a board."""

    build: str
    board: str


class Cell(NamedTuple):
    """One test in one column: the worst of its results in the latest suite that scheduled it.

    *runs* counts the suites that did; *change* says whether it passed on the build before (REGRESSION, FIX or '').
    """

    state: str
    reason: str
    job_id: int
    suite_job_id: int
    hostname: str
    log_folder: str
    retry: int
    runs: int
    change: str = ""


@dataclasses.dataclass(frozen=True)
class Line:
    """One test of one suite; *cells* by column, None where the suite of that build did not hold it."""

    test: str
    experimental: bool
    cells: Sequence[Cell | None]


@dataclasses.dataclass(frozen=True)
class SuiteTable:
    """One suite. *columns*: newest build first, the boards of one build side by side. *counts*: states by column,
    experimental tests not counted. *hidden*: tests left out, since no column could schedule them."""

    suite: str
    columns: Sequence[Column]
    lines: Sequence[Line]
    counts: Sequence[Mapping[str, int]]
    hidden: int


def of(runs: Iterable[Run], test_na: bool = False) -> list[SuiteTable]:
    """A table for each suite of *runs*, in order of name. *test_na*: show what could not be scheduled too."""
    by_suite: dict[str, list[Run]] = {}
    for run in runs:
        by_suite.setdefault(run.suite, []).append(run)
    return [_table(suite, members, test_na) for suite, members in sorted(by_suite.items())]


def read(
    limit: int,
    suites: Collection[str] = (),
    builds: Collection[str] = (),
    boards: Collection[str] = (),
    since: datetime.datetime | None = None,
) -> list[Run]:
    """The newest *limit* suite jobs of these suites, builds and boards, newest first; a few queries, whatever they
    hold. An empty collection means any."""
    found = _suites(limit, suites, builds, boards, since)
    known = facts.suites([job.id for job, _ in found])
    return [_run(job, keyvals, known[job.id]) for job, keyvals in found]


def find(
    limit: int,
    suites: Collection[str] = (),
    builds: Collection[str] = (),
    boards: Collection[str] = (),
    since: datetime.datetime | None = None,
) -> list[dict[str, Any]]:
    """The suites that :func:`read` finds, without their results, JSON-ready: job_id, suite, build, board, pool,
    child_dependencies, owner, created_on."""
    return [
        {
            "job_id": job.id,
            **{key: keyvals.get(key, "") for key in _KEYS},
            "child_dependencies": [label for label in keyvals.get(_LABELS, "").split(",") if label],
            "owner": job.owner,
            "created_on": _time(job.created_on),
        }
        for job, keyvals in _suites(limit, suites, builds, boards, since)
    ]


def _suites(
    limit: int,
    suites: Collection[str],
    builds: Collection[str],
    boards: Collection[str],
    since: datetime.datetime | None,
) -> list[tuple[afe.Job, dict[str, str]]]:
    """The jobs, newest first, each with those of its keyvals that say what it is."""
    job = afe.Job
    query = job.select().where(job.parent_job.is_null(), job.name.contains(SUITE_FILE))
    if since is not None:
        query = query.where(job.created_on >= since)
    for key, wanted in (("suite", suites), ("build", builds), ("board", boards)):
        if wanted:
            query = query.where(_has(key, wanted))
    jobs = list(query.order_by(job.id.desc()).limit(limit))
    keyvals: dict[int, dict[str, str]] = {row.id: {} for row in jobs}
    pairs = afe.JobKeyval.select(afe.JobKeyval.job, afe.JobKeyval.key, afe.JobKeyval.value).where(
        afe.JobKeyval.job.in_(list(keyvals)), afe.JobKeyval.key.in_((*_KEYS, _LABELS))
    )
    for job_id, key, value in pairs.tuples():
        keyvals[job_id][key] = value
    return [(row, keyvals[row.id]) for row in jobs]


def report(
    limit: int,
    suites: Collection[str] = (),
    builds: Collection[str] = (),
    boards: Collection[str] = (),
    since: datetime.datetime | None = None,
    test_na: bool = False,
) -> dict[str, Any]:
    """What :func:`of` makes of what :func:`read` finds, JSON-ready: *suites*, *tables*, and *more*, whether there are
    older suites than the newest *limit*."""
    runs = read(limit + 1, suites, builds, boards, since)
    shown = runs[:limit]
    return {
        "suites": [_suite_dict(run) for run in shown],
        "tables": [as_dict(table) for table in of(shown, test_na)],
        "more": len(runs) > limit,
    }


def as_dict(table: SuiteTable) -> dict[str, Any]:
    """A table for JSON: *cells* have a column's place, and *counts* too."""
    return {
        "suite": table.suite,
        "columns": [column._asdict() for column in table.columns],
        "tests": [
            {
                "test": line.test,
                "experimental": line.experimental,
                "cells": [cell and cell._asdict() for cell in line.cells],
            }
            for line in table.lines
        ],
        "counts": [dict(count) for count in table.counts],
        "hidden_test_na": table.hidden,
    }


def _suite_dict(run: Run) -> dict[str, Any]:
    shown = {name: getattr(run, name) for name in ("job_id", *_KEYS, "owner", "finished")}
    return {**shown, "created_on": _time(run.created_on)}


def _has(key: str, values: Collection[str]) -> peewee.Expression:
    keyval = afe.JobKeyval
    return peewee.fn.EXISTS(
        keyval.select(peewee.SQL("1")).where(
            keyval.job == afe.Job.id, keyval.key == key, keyval.value.in_(sorted(values))
        )
    )


def _run(job: afe.Job, keyvals: Mapping[str, str], known: SuiteFacts) -> Run:
    names = {child.job_id: child.test for child in known.children}
    return Run(
        job_id=job.id,
        suite=keyvals.get("suite") or job.name.partition(SUITE_FILE)[2],
        build=keyvals.get("build") or job.name.partition(SUITE_FILE)[0],
        board=keyvals.get("board", ""),
        pool=keyvals.get("pool", ""),
        owner=job.owner or "",
        created_on=job.created_on,
        finished=known.suite.finished and all(child.finished for child in known.children),
        rows=[(names.get(row.job_id, row.name), row) for row in suite_rows.rows(known)],
    )


def _table(suite: str, runs: list[Run], test_na: bool) -> SuiteTable:
    columns = _columns(runs)
    cells: dict[str, dict[Column, Cell]] = {}
    experimental: set[str] = set()
    for run in sorted(runs, key=lambda run: run.job_id):
        for test, rows in _by_test(run).items():
            before = cells.setdefault(test, {}).get(Column(run.build, run.board))
            cells[test][Column(run.build, run.board)] = _cell(run, rows, before)
            if any(row.view.is_experimental for row in rows):
                experimental.add(test)
    shown = [test for test in sorted(cells) if test_na or not all(map(_is_na, cells[test].values()))]
    lines = []
    for test in shown:
        found = [cells[test].get(column) for column in columns]
        kept = [None if cell is not None and _is_na(cell) and not test_na else cell for cell in found]
        lines.append(Line(test, test in experimental, _compared(columns, kept)))
    counted = [line for line in lines if not line.experimental]
    counts = [
        dict(Counter(cell.state for line in counted if (cell := line.cells[place]))) for place in range(len(columns))
    ]
    return SuiteTable(suite, columns, lines, counts, len(cells) - len(shown))


def _columns(runs: Iterable[Run]) -> list[Column]:
    """Builds in order of their latest suite, newest first; the boards of a build in order of name."""
    latest: dict[str, int] = {}
    for run in runs:
        latest[run.build] = max(latest.get(run.build, 0), run.job_id)
    pairs = {Column(run.build, run.board) for run in runs}
    return sorted(pairs, key=lambda column: (-latest[column.build], column.board))


def _by_test(run: Run) -> dict[str, list[Row]]:
    """The rows of each test; the suite job itself counts only when it went wrong."""
    found: dict[str, list[Row]] = {}
    for test, row in run.rows:
        if not row.view.is_suite or row.status in (*_BAD, Outcome.WARN.value):
            found.setdefault(row.name if row.view.is_suite else test, []).append(row)
    return found


def _cell(run: Run, rows: list[Row], before: Cell | None) -> Cell:
    worst = min(rows, key=lambda row: _WORST_FIRST.index(row.state))
    state = worst.entry_status if worst.state in _PENDING and worst.entry_status else worst.state
    return Cell(
        state=state,
        reason=worst.reason,
        job_id=worst.job_id,
        suite_job_id=run.job_id,
        hostname=worst.hostname,
        log_folder=worst.log_folder,
        retry=worst.retry,
        runs=(before.runs if before else 0) + 1,
    )


def _is_na(cell: Cell) -> bool:
    return cell.state == Outcome.TEST_NA.value


def _compared(columns: Sequence[Column], cells: Sequence[Cell | None]) -> list[Cell | None]:
    """Each cell beside the next older build of its board that has a result."""
    found: list[Cell | None] = []
    for place, cell in enumerate(cells):
        older = (
            other.state
            for column, other in zip(columns[place + 1 :], cells[place + 1 :], strict=True)
            if other is not None and column.board == columns[place].board and other.state in _BAD | _PASSED
        )
        found.append(cell and cell._replace(change=_change(next(older, ""), cell.state)))
    return found


def _change(older: str, newer: str) -> str:
    if older in _PASSED and newer in _BAD:
        return REGRESSION
    return FIX if older in _BAD and newer in _PASSED else ""


def _time(moment: datetime.datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}"
