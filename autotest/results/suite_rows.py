"""Rows: which results of a suite count, and as what; from facts, without a database (control-files-and-suites 4.9)."""

from __future__ import annotations

import dataclasses
import datetime
import re
from collections.abc import Iterator
from typing import NamedTuple

from autotest.results.verdict import View
from autotest.states import FINAL, NEVER_RAN, EntryStatus, Outcome

SUITE_JOB = "Suite job"
#: Between the build and the suite in the name of a suite job.
SUITE_FILE = "-test_suites/control."
NO_RESULTS = "The job ended and left no results."
NO_TEST_RAN = "No test ran."
#: How a result that is GOOD on a retry is counted and shown: what passes only at times is not fine.
RETRIED = "RETRIED"

_SERVER = "SERVER_JOB"
_CLIENT = "CLIENT_JOB"
_FAILED = frozenset({Outcome.FAIL.value, Outcome.ERROR.value, Outcome.ABORT.value})
#: ``<board>-<type>/<version>/<suite>/`` (section 4.6), or ``<build>/<suite>/`` of a build that is called by one word.
_PREFIX = re.compile(r"(?:[^/]*/[^/]*(?:/\d+)?|[^/]+)/[^/]+/(?=.)")
_OUTCOME_OF = {
    EntryStatus.COMPLETED.value: Outcome.GOOD,
    EntryStatus.FAILED.value: Outcome.FAIL,
    EntryStatus.ABORTED.value: Outcome.ABORT,
    EntryStatus.STOPPED.value: Outcome.ABORT,
    EntryStatus.QUEUED.value: Outcome.NOSTATUS,
}


class Entry(NamedTuple):
    """One host queue entry."""

    hostname: str
    status: str
    complete: bool
    aborted: bool
    reason: str
    execution_subdir: str
    started_on: datetime.datetime | None
    finished_on: datetime.datetime | None


class StoredTest(NamedTuple):
    """One test row with what its job says of it; *job_id* is the AFE job's. A retry makes its original *invalid*."""

    job_id: int
    tag: str
    hostname: str
    job_started: datetime.datetime | None
    job_finished: datetime.datetime | None
    name: str
    subdir: str | None
    status: str
    reason: str
    started_time: datetime.datetime | None
    finished_time: datetime.datetime | None
    invalid: bool


class Child(NamedTuple):
    """One job: a child of a suite, or the suite itself. *aborted_tags* are tags whose job keyvals name an aborter.

    *is_experimental*: its test is on trial and does not decide about the suite. *suite_name*: the name of the suite
    job, '' for a job of no suite.
    """

    job_id: int
    name: str
    owner: str
    max_runtime_mins: int
    entries: tuple[Entry, ...]
    tests: tuple[StoredTest, ...]
    aborted_tags: frozenset[str]
    retry_count: int
    is_experimental: bool = False
    parent_job_id: int | None = None
    suite_name: str = ""

    @property
    def finished(self) -> bool:
        return all(entry.complete for entry in self.entries)

    @property
    def status(self) -> str:
        """The entries' status, if they agree; else that of the first one that is not final."""
        pending = [entry.status for entry in self.entries if entry.status not in FINAL]
        return next(iter([*pending, *(entry.status for entry in self.entries)]), "")

    @property
    def test(self) -> str:
        """The test as it was scheduled: the job's name without ``<build>/<suite>/``."""
        build, _, suite = self.suite_name.partition(SUITE_FILE)
        prefix = f"{build}/{suite}/"
        if suite and self.name.startswith(prefix):
            return self.name.removeprefix(prefix)
        return short_name(self.name)

    def entry_of(self, tag: str) -> Entry | None:
        """The entry that wrote the folder *tag*."""
        if len(self.entries) == 1:
            return self.entries[0]
        subdir = tag.partition("/")[2]
        return next((entry for entry in self.entries if subdir and entry.execution_subdir == subdir), None)


class SuiteFacts(NamedTuple):
    """The suite job and its children, in order of creation."""

    suite: Child
    children: tuple[Child, ...]


@dataclasses.dataclass(frozen=True)
class Row:
    """One line of a result table.

    *status* is an Outcome word; while nothing is stored yet it is RUNNING or NOSTATUS and *entry_status* says more.
    *log_folder* is relative to the results root, '' when there is none. *retry* counts the jobs this one retries.
    """

    name: str
    status: str
    reason: str
    job_id: int
    hostname: str
    entry_status: str
    log_folder: str
    retry: int
    started_time: datetime.datetime | None
    finished_time: datetime.datetime | None
    view: View = dataclasses.field(repr=False)

    @property
    def state(self) -> str:
        """The status, with a pass that took a retry as a state of its own."""
        return RETRIED if self.retry and self.status == Outcome.GOOD.value else self.status


def rows(facts: SuiteFacts) -> tuple[Row, ...]:
    """The suite job first, then the tests that only the suite knows, then every child's, in order of creation."""
    own = [test for test in facts.suite.tests if test.name == _SERVER]
    found = [_suite_row(facts.suite, test) for test in own] or list(_without_results(facts.suite, is_suite=True))
    missing = {child.job_id: child for child in facts.children if not child.tests}
    for test in facts.suite.tests:
        if test.subdir is None and not test.name.startswith(_CLIENT):
            found.append(_suite_level_row(facts.suite, test, missing))
    for child in facts.children:
        valid = tuple(test for test in child.tests if not test.invalid)
        if valid:
            found.extend(_rows_of(child, valid))
        elif child.job_id in missing:
            found.extend(_without_results(child))
    return tuple(found)


def rows_of_job(child: Child) -> Iterator[Row]:
    """The rows of one job. SERVER_JOB and CLIENT_JOB show only if they failed and no real test did; a folder in which
    no test ever ran is one row of the job's own."""
    if child.tests:
        yield from _rows_of(child, child.tests)
    else:
        yield from _without_results(child)


def short_name(job_name: str) -> str:
    """A job's name without ``<build>/<suite>/``."""
    return _PREFIX.sub("", job_name, count=1)


def _rows_of(child: Child, tests: tuple[StoredTest, ...]) -> Iterator[Row]:
    """The rows of those *tests* of the job."""
    # Also of tests that are not among the rows, since somebody or a retry made them invalid.
    told = {_folder_of(test) for test in child.tests if not _is_record(test)}
    failed = {test.tag for test in tests if not _is_record(test) and test.status in _FAILED}
    for test in tests:
        name = test.name
        if _is_record(test):
            if test.status == Outcome.GOOD or test.tag in failed:
                continue
            name = f"{child.test}_{test.name}"
        told.add(_folder_of(test))
        yield _test_row(child, test, name)
    for test in tests:
        if _folder_of(test) not in told:
            told.add(_folder_of(test))
            yield _row_without_tests(child, test)
    stored = {_folder_of(test) for test in tests}
    for entry in child.entries:
        if len(child.entries) > 1 and entry.execution_subdir not in stored:
            yield _entry_row(child, entry)


def _folder_of(test: StoredTest) -> str:
    """The folder in the job's own; entries that ran together share one, which holds one a host."""
    return test.tag.partition("/")[2].partition("/")[0]


def _is_record(test: StoredTest) -> bool:
    return test.name == _SERVER or test.name.startswith(_CLIENT)


def _row_without_tests(child: Child, record: StoredTest) -> Row:
    """What ended well and ran nothing. run_suite knows no such view, so that it never decides."""
    row = _test_row(child, record, child.test or record.name)
    return dataclasses.replace(
        row, reason=row.reason or NO_TEST_RAN, view=dataclasses.replace(row.view, ran_nothing=True)
    )


def _suite_row(suite: Child, test: StoredTest) -> Row:
    row = _test_row(suite, test, SUITE_JOB)
    return dataclasses.replace(row, view=dataclasses.replace(row.view, is_suite=True))


def _suite_level_row(suite: Child, test: StoredTest, missing: dict[int, Child]) -> Row:
    """A TEST_NA, or the ABORT of a child without results: that child's id then replaces the suite's."""
    name = short_name(test.name)
    child = suite
    if test.status == Outcome.ABORT:
        matching = [other for other in missing.values() if other.name == test.name or other.test == name]
        if matching:
            child = missing.pop(matching[0].job_id)
    row = _test_row(suite, test, name)
    entry = child.entries[0] if child.entries and child is not suite else None
    reason = row.reason or (entry.reason if entry else "")
    return dataclasses.replace(
        row,
        job_id=child.job_id,
        reason=reason or (NEVER_RAN if test.status == Outcome.ABORT else ""),
        hostname=entry.hostname if entry else row.hostname,
        entry_status=child.status if child is not suite else "",
        retry=child.retry_count,
        view=View(name, row.view.status, never_ran=True, is_experimental=child.is_experimental),
    )


def _test_row(child: Child, test: StoredTest, name: str) -> Row:
    entry = child.entry_of(test.tag)
    subdir = "" if test.subdir in (None, "", "----") else f"/{test.subdir}"
    return Row(
        name=name,
        status=test.status,
        reason=test.reason or "",
        job_id=child.job_id,
        hostname=test.hostname or (entry.hostname if entry else ""),
        entry_status=entry.status if entry else child.status,
        log_folder=f"{test.tag}{subdir}",
        retry=child.retry_count,
        started_time=test.started_time,
        finished_time=test.finished_time,
        view=View(
            name=name,
            status=Outcome(test.status),
            was_aborted=test.tag in child.aborted_tags or bool(entry and entry.aborted),
            over_runtime=_over_runtime(test.job_started, test.job_finished, child.max_runtime_mins),
            is_retry=child.retry_count > 0,
            is_experimental=child.is_experimental,
        ),
    )


def _over_runtime(started: datetime.datetime | None, finished: datetime.datetime | None, max_runtime_mins: int) -> bool:
    if started is None or finished is None:
        return False
    return finished - started > datetime.timedelta(minutes=max_runtime_mins)


def _without_results(child: Child, is_suite: bool = False) -> Iterator[Row]:
    for entry in child.entries:
        yield _entry_row(child, entry, is_suite)


def _entry_row(child: Child, entry: Entry, is_suite: bool = False) -> Row:
    """What an entry alone says: it waits, it runs, or it ended and no test ever began."""
    name = SUITE_JOB if is_suite else child.test
    outcome = _OUTCOME_OF.get(entry.status, Outcome.RUNNING)
    never_ran = entry.complete and not is_suite
    if never_ran:
        outcome = Outcome.ABORT
    default = NEVER_RAN if entry.status == EntryStatus.ABORTED else NO_RESULTS
    folder = f"{child.job_id}-{child.owner}/{entry.execution_subdir}" if entry.execution_subdir else ""
    return Row(
        name=name,
        status=outcome.value,
        reason=entry.reason or (default if never_ran else ""),
        job_id=child.job_id,
        hostname=entry.hostname,
        entry_status=entry.status,
        log_folder=folder,
        retry=child.retry_count,
        started_time=entry.started_on,
        finished_time=entry.finished_on,
        view=View(
            name=name,
            status=outcome,
            is_suite=is_suite,
            never_ran=never_ran,
            was_aborted=entry.aborted,
            over_runtime=_over_runtime(entry.started_on, entry.finished_on, child.max_runtime_mins),
            is_retry=child.retry_count > 0,
            is_experimental=child.is_experimental,
        ),
    )
