"""The report on a suite as lines of text, in the form of run_suite (control-files-and-suites.md section 4.10)."""

from __future__ import annotations

import dataclasses
import datetime
from pathlib import PurePath
from typing import Any

from autotest.cli.printing import counted, plain
from autotest.results.summary import Row, SuiteSummary
from autotest.states import EntryStatus, Outcome

PASSED, INFO, FAILED, WAITS = "[ PASSED ]", "[  INFO  ]", "[ FAILED ]", "[  ....  ]"
_MARKS = {
    Outcome.GOOD.value: PASSED,
    Outcome.TEST_NA.value: INFO,
    Outcome.RUNNING.value: WAITS,
    Outcome.NOSTATUS.value: WAITS,
}
_TIMINGS = {
    "downloads_started": "Downloads started",
    "payload_downloads_ended": "Payload downloads ended",
    "suite_started": "Suite started",
    "artifact_downloads_ended": "Artifact downloads ended (at latest)",
    "testing_started": "Testing started",
    "testing_ended": "Testing ended",
}
_FINAL = frozenset({EntryStatus.COMPLETED.value, EntryStatus.FAILED.value, EntryStatus.ABORTED.value})


def lines(found: SuiteSummary, results_dir: str) -> list[str]:
    """Results, timings, result folders, and the reason of the verdict."""
    width = max((len(plain(row.name)) for row in found.rows), default=0) + 3
    report = []
    for row in found.rows:
        report += _row(row, width, found.finished)
    report += ["", "Suite timings:"]
    report += [f"{title}: {found.timings[name] or '-'}" for name, title in _TIMINGS.items()]
    report += ["", "Links to test logs:"]
    folders = [(plain(row.name), PurePath(results_dir, row.log_folder)) for row in found.rows if row.log_folder]
    report += [f"{name:<{width}}{plain(folder)}" for name, folder in folders]
    if found.verdict is not None and found.verdict.message:
        report += ["", f"Reason: {found.verdict.message}"]
    return report


def headline(found: SuiteSummary) -> str:
    """One line: which suite, and how it stands."""
    where = f"suite {plain(found.suite)} of {plain(found.build)}, job {found.job_id}"
    if found.verdict is None:
        return f"{where}: {found.status}; {progress_line(found)}"
    return f"{where}: {found.verdict.message or 'All tests passed.'} (code {found.verdict.code})"


def progress_line(found: SuiteSummary) -> str:
    """``3 of 8 done (2 GOOD, 1 FAIL); running: sleeptest on rack1-h1; 4 Queued``."""
    ended, total = done(found)
    results = {name: count for name, count in found.counts.items() if name not in ("RUNNING", "NOSTATUS")}
    parts = [f"{ended} of {total} done" if total else "no jobs yet"]
    parts[0] += f" ({counted(results)})" if results else ""
    running = [row for row in found.rows if is_running(row) and not row.view.is_suite]
    if running:
        parts.append("running: " + ", ".join(f"{plain(row.name)} on {row.hostname}" for row in running))
    queued = found.entries.get(EntryStatus.QUEUED.value, 0)
    if queued:
        parts.append(f"{queued} Queued")
    return "; ".join(parts)


def done(found: SuiteSummary) -> tuple[int, int]:
    """How many entries of the suite's jobs have ended, and how many there are."""
    return sum(count for status, count in found.entries.items() if status in _FINAL), sum(found.entries.values())


def is_running(row: Row) -> bool:
    """Whether the row is of an entry that holds a host now."""
    return bool(row.hostname) and row.entry_status not in (*_FINAL, "", EntryStatus.QUEUED.value)


def as_dict(found: SuiteSummary) -> dict[str, Any]:
    """The summary for JSON; *return_code* and *return_message* are None until it ended."""
    data = {field.name: getattr(found, field.name) for field in dataclasses.fields(found)}
    data["rows"] = [_row_dict(row) for row in found.rows]
    data["verdict"] = found.verdict.name if found.verdict else None
    data["return_code"] = found.verdict.code if found.verdict else None
    data["return_message"] = found.verdict.message if found.verdict else None
    return data


def _row(row: Row, width: int, finished: bool) -> list[str]:
    name = plain(row.name)
    mark = FAILED if finished and row.status == Outcome.RUNNING.value else _MARKS.get(row.status, FAILED)
    shown = [f"{name:<{width}}{mark}"]
    if row.status != Outcome.GOOD.value:
        status = row.entry_status or row.status if mark == WAITS else row.status
        shown.append(f"{name:<{width}}  {status}: {plain(row.reason)}".rstrip())
    if row.retry:
        shown.append(f"{name:<{width}}  retry_count: {row.retry}")
    return shown


def _row_dict(row: Row) -> dict[str, Any]:
    data = {field.name: getattr(row, field.name) for field in dataclasses.fields(row) if field.name != "view"}
    return {
        key: f"{value:%Y-%m-%d %H:%M:%S}" if isinstance(value, datetime.datetime) else value
        for key, value in data.items()
    }
