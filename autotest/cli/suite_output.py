"""What a suite says at its end and on the way: a table, the plain lines of run_suite (spec section 4.10), or JSON."""

from __future__ import annotations

import dataclasses
import datetime
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePath
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from autotest.cli.printing import counted, plain, styled
from autotest.results.summary import Row, SuiteSummary
from autotest.states import EntryStatus, Outcome

PASSED, INFO, FAILED, WAITS = "[ PASSED ]", "[  INFO  ]", "[ FAILED ]", "[  ....  ]"
_MARKS = {
    Outcome.GOOD.value: PASSED,
    Outcome.TEST_NA.value: INFO,
    Outcome.RUNNING.value: WAITS,
    Outcome.NOSTATUS.value: WAITS,
}
_COLOURS = {PASSED: "green", INFO: "cyan", FAILED: "red"}
_TIMINGS = {
    "downloads_started": "Downloads started",
    "payload_downloads_ended": "Payload downloads ended",
    "suite_started": "Suite started",
    "artifact_downloads_ended": "Artifact downloads ended (at latest)",
    "testing_started": "Testing started",
    "testing_ended": "Testing ended",
}
_FINAL = frozenset({EntryStatus.COMPLETED.value, EntryStatus.FAILED.value, EntryStatus.ABORTED.value})
_EXPERIMENTAL = "Experimental tests (not counted):"
_VERDICT_COLOURS = {0: "green", 2: "yellow"}


def lines(found: SuiteSummary, results_dir: str) -> list[str]:
    """Results, timings, results folders, and the reason of the verdict, as run_suite prints them."""
    width = max((len(plain(row.name)) for row in found.rows), default=0) + 3
    regular, on_trial = _parted(found)
    report = [line for row in regular for line in _row(row, width, found.finished)]
    if on_trial:
        report += ["", _EXPERIMENTAL]
        report += [line for row in on_trial for line in _row(row, width, found.finished)]
    report += ["", "Suite timings:"]
    report += [f"{title}: {found.timings[name] or '-'}" for name, title in _TIMINGS.items()]
    report += ["", "Links to test logs:"]
    report += [f"{plain(row.name):<{width}}{_folder(row, results_dir)}" for row in found.rows if row.log_folder]
    if found.verdict is not None and found.verdict.message:
        report += ["", f"Reason: {found.verdict.message}"]
    return report


def coloured(report: Iterable[str]) -> Iterator[Text]:
    """The lines, each mark in its colour."""
    for line in report:
        mark = next((mark for mark in _COLOURS if line.endswith(mark)), "")
        yield Text.assemble(line.removesuffix(mark), (mark, _COLOURS.get(mark, "")))


def screen(found: SuiteSummary, results_dir: str) -> Group:
    """The suite for a terminal: a table of its tests, experimental ones apart, timings, and where the logs are of what
    did not pass."""
    regular, on_trial = _parted(found)
    parts: list[RenderableType] = [_table(regular, found.finished)]
    if on_trial:
        parts += [Text(_EXPERIMENTAL, style="bold"), _table(on_trial, found.finished)]
    width = max(map(len, _TIMINGS.values())) + 2
    parts += [Text(f"{title + ':':<{width}}{found.timings[name] or '-'}") for name, title in _TIMINGS.items()]
    worth = [row.log_folder for row in found.rows if row.status not in (Outcome.GOOD, Outcome.TEST_NA)]
    parts += [Text(), Text(f"Logs: {plain(results_dir)}")]
    parts += [Text(f"  {plain(folder)}", overflow="fold") for folder in dict.fromkeys(worth) if folder]
    return Group(*parts, Text())


def headline(found: SuiteSummary) -> str:
    """One line: which suite, and how it stands."""
    where = f"suite {plain(found.suite)} of {plain(found.build)}, job {found.job_id}"
    if found.verdict is None:
        return f"{where}: {found.status}; {progress_line(found)}"
    return f"{where}: {found.verdict.message or 'All tests passed.'} (code {found.verdict.code})"


def verdict_colour(found: SuiteSummary) -> str:
    """The colour of the headline; '' while the suite runs."""
    return "" if found.verdict is None else _VERDICT_COLOURS.get(found.verdict.code, "red")


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


def status(row: Row) -> str:
    """What to show as the status: the result's, or the entry's while there is none."""
    return row.state if row.entry_status in (*_FINAL, "") else row.entry_status


def as_dict(found: SuiteSummary) -> dict[str, Any]:
    """The summary for JSON. *tests* by an id that stays the same as long as the results do; *return_code* and
    *return_message* are None until it ended."""
    data = {field.name: getattr(found, field.name) for field in dataclasses.fields(found)}
    del data["rows"]
    data["tests"] = {key: _row_dict(row) for key, row in by_id(found.rows).items()}
    data["verdict"] = found.verdict.name if found.verdict else None
    data["return_code"] = found.verdict.code if found.verdict else None
    data["return_message"] = found.verdict.message if found.verdict else None
    return data


def by_id(rows: Iterable[Row]) -> dict[str, Row]:
    """Rows by ``<job id>/<name>``, with ``#2`` behind it for the second of one job and name."""
    found: dict[str, Row] = {}
    for row in rows:
        key, count = f"{row.job_id}/{row.name}", 1
        while key in found:
            count += 1
            key = f"{row.job_id}/{row.name}#{count}"
        found[key] = row
    return found


def dump(found: SuiteSummary, results_dir: str) -> str:
    """The line that run_suite prints with --json_dump; of two tests with one name the second is ``<name>#<job id>``."""
    tests: dict[str, Any] = {}
    for row in found.rows:
        name = row.name if row.name not in tests else f"{row.name}#{row.job_id}"
        tests[name] = {
            "status": row.status,
            "reason": row.reason,
            "retry_count": row.retry,
            "link_to_logs": _folder(row, results_dir) if row.log_folder else "",
        }
    return dumped(
        found.verdict.code if found.verdict else None,
        found.verdict.message if found.verdict else "",
        tests=tests,
        suite_timings=dict(found.timings),
        suite_job_id=found.job_id,
    )


def dumped(return_code: int | None, return_message: str, **more: Any) -> str:
    """``#JSON_START#...#JSON_END#`` on one line."""
    data = {**more, "return_code": return_code, "return_message": return_message}
    return f"#JSON_START#{json.dumps(data)}#JSON_END#"


def _parted(found: SuiteSummary) -> tuple[list[Row], list[Row]]:
    """The rows that count, and those of experimental tests."""
    regular = [row for row in found.rows if not row.view.is_experimental]
    return regular, [row for row in found.rows if row.view.is_experimental]


def _table(rows: Sequence[Row], finished: bool) -> Table:
    shown = Table("test", "status", "host", "job", "reason", box=box.SIMPLE_HEAD, pad_edge=False)
    for column, overflow in zip(shown.columns, ("fold", "ellipsis", "fold", "ellipsis", "fold"), strict=True):
        column.overflow = "fold" if overflow == "fold" else "ellipsis"
    shown.columns[1].no_wrap = shown.columns[3].no_wrap = True
    for row in rows:
        tries = f" (retry {row.retry})" if row.retry else ""
        word = row.state if finished else status(row)
        shown.add_row(plain(row.name) + tries, styled(word), row.hostname, str(row.job_id), Text(plain(row.reason)))
    return shown


def _folder(row: Row, results_dir: str) -> str:
    return plain(PurePath(results_dir, row.log_folder))


def _row(row: Row, width: int, finished: bool) -> list[str]:
    name = plain(row.name)
    mark = FAILED if finished and row.status == Outcome.RUNNING.value else _MARKS.get(row.status, FAILED)
    shown = [f"{name:<{width}}{mark}"]
    if row.status != Outcome.GOOD.value:
        word = row.entry_status or row.status if mark == WAITS else row.status
        shown.append(f"{name:<{width}}  {word}: {plain(row.reason)}".rstrip())
    if row.retry:
        shown.append(f"{name:<{width}}  retry_count: {row.retry}")
    return shown


def _row_dict(row: Row) -> dict[str, Any]:
    data = {field.name: getattr(row, field.name) for field in dataclasses.fields(row) if field.name != "view"}
    data |= {"state": row.state, "experimental": row.view.is_experimental}
    return {
        key: f"{value:%Y-%m-%d %H:%M:%S}" if isinstance(value, datetime.datetime) else value
        for key, value in data.items()
    }
