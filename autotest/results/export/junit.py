"""JUnit XML, for CI systems: one test suite for each suite, board and build."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TextIO

from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite
from junitparser.junitparser import FinalResult

from autotest.results.export.base import Record, clean
from autotest.states import Outcome

_PASSED = frozenset({Outcome.GOOD.value, Outcome.WARN.value, Outcome.ALERT.value})


def write(records: Iterable[Record], title: str, out: TextIO) -> None:
    """See :class:`autotest.results.export.base.Exporter`. The counts stand before the cases, so that all of them are
    held in memory."""
    cases: dict[tuple[str, str, str], list[TestCase]] = {}
    for record in records:
        group = (clean(record.suite), clean(record.board), clean(record.build))
        cases.setdefault(group, []).append(_case(record))
    xml = JUnitXml(clean(title))
    for (suite_name, board, build), members in cases.items():
        suite = TestSuite(" ".join(part for part in (suite_name or "no suite", board) if part))
        suite.add_property("build", build)
        suite.add_property("board", board)
        # Counting again after each of thousands of cases would take the square of their number.
        suite.add_testcases(members)
        xml.add_testsuite(suite)
    xml.update_statistics()
    out.write(xml.tostring().decode("utf-8"))
    out.write("\n")


def judged(status: str, message: str) -> list[FinalResult]:
    """What JUnit makes of the outcome *status*: nothing for one that passed."""
    if status in _PASSED:
        return []
    if status == Outcome.TEST_NA.value:
        return [Skipped(message, status)]
    if status == Outcome.FAIL.value:
        return [Failure(message, status)]
    return [Error(message or "no result", status)]


def _case(record: Record) -> TestCase:
    classname = f"{clean(record.suite) or 'no-suite'}.{clean(record.host) or 'no-host'}"
    case = TestCase(clean(record.test), classname=classname)
    if record.seconds is not None:
        case.time = record.seconds
    case.result = judged(record.status, clean(record.reason))
    told = [f"job {record.job_id or ''}".rstrip(), f"logs: {clean(record.folder)}"]
    if record.status == Outcome.WARN.value:
        told.append(f"WARN: {clean(record.reason)}")
    if record.perf:
        told.append(f"perf: {json.dumps(record.perf)}")
    case.system_out = "\n".join(told)
    return case
