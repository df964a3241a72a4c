"""A suite as JUnit XML, for CI systems that show test results."""

from __future__ import annotations

import os
from pathlib import Path, PurePath

from junitparser import JUnitXml, Skipped, TestCase, TestSuite
from junitparser.junitparser import FinalResult

from autotest.cli.printing import plain
from autotest.results.export import junit
from autotest.results.summary import Row, SuiteSummary
from autotest.states import Outcome

_PENDING = frozenset({Outcome.RUNNING.value, Outcome.NOSTATUS.value})


def write(found: SuiteSummary, results_dir: str, path: Path) -> None:
    """Write *found* to *path*, all at once. Raises OSError when that cannot be."""
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        document(found, results_dir).write(str(scratch))
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)


def document(found: SuiteSummary, results_dir: str) -> JUnitXml:
    """One test suite, and one for its experimental tests: those are reported as skipped, whatever came out, since a CI
    system would count their failures. The suite job is a test case only when it is not GOOD."""
    xml = JUnitXml()
    parts = {False: "", True: " (experimental)"}
    for experimental, title in parts.items():
        rows = [row for row in found.rows if row.view.is_experimental == experimental and _is_told(row)]
        if rows or not experimental:
            xml.add_testsuite(_suite(found, f"{plain(found.suite)}{title}", rows, results_dir))
    return xml


def _is_told(row: Row) -> bool:
    return not row.view.is_suite or row.status != Outcome.GOOD.value


def _suite(found: SuiteSummary, name: str, rows: list[Row], results_dir: str) -> TestSuite:
    suite = TestSuite(name)
    facts = {"build": found.build, "job_id": found.job_id, "owner": found.owner}
    if found.verdict is not None:
        facts |= {"return_code": found.verdict.code, "return_message": found.verdict.message}
    for key, value in facts.items():
        suite.add_property(key, plain(value))
    # Counting again after each of thousands of cases would take the square of their number.
    suite.add_testcases([_case(found, row, results_dir) for row in rows])
    return suite


def _case(found: SuiteSummary, row: Row, results_dir: str) -> TestCase:
    case = TestCase(plain(row.name), classname=f"{plain(found.suite)}.{plain(row.hostname) or 'no-host'}")
    if row.started_time and row.finished_time:
        case.time = max(0.0, (row.finished_time - row.started_time).total_seconds())
    case.result = _results(row)
    told = [f"job {row.job_id}"]
    if row.log_folder:
        told.append(f"logs: {plain(PurePath(results_dir, row.log_folder))}")
    if row.retry:
        told.append(f"retry_count: {row.retry}")
    if row.status == Outcome.WARN.value:
        told.append(f"WARN: {plain(row.reason)}")
    case.system_out = "\n".join(told)
    return case


def _results(row: Row) -> list[FinalResult]:
    message = plain(row.reason)
    passed = row.status in (Outcome.GOOD.value, Outcome.WARN.value, Outcome.ALERT.value)
    if row.view.is_experimental and not passed and row.status not in _PENDING:
        return [Skipped(f"experimental: {row.status}: {message}", row.status)]
    return junit.judged(row.status, message)
