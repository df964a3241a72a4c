"""What the demo shows: ``smoke`` on both boards, watched live, and whether each test ended as the suite promises."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from autotest import api, errors
from autotest.demo.installation import BOARDS, BUILD, POOL
from autotest.results.summary import SuiteSummary

#: What ``smoke`` ends with on every board of the demo; bluetoothtest runs only where a DUT has bluetooth.
EXPECTED = {
    "bluetoothtest": "GOOD",
    "errortest": "ERROR",
    "failtest": "FAIL",
    "filetest.large": "GOOD",
    "filetest.small": "GOOD",
    "perftest": "GOOD",
    "reboottest.after": "GOOD",
    "reboottest.before": "GOOD",
    "sleeptest": "GOOD",
    "sleeptest.outruns": "ERROR",
    "thermaltest": "TEST_NA",
}
#: smoke holds tests that fail on purpose: run_suite's code for that.
EXPECTED_CODE = 1
DUTS = 8
REPAIRED, DEAD = "pi4-3", "pi4-4"
_PATIENCE_S = 180.0
_LOOK_EVERY = 0.4
_COLOURS = {"GOOD": "green", "TEST_NA": "yellow", "FAIL": "red", "ERROR": "red", "ABORT": "magenta", "WARN": "yellow"}


def run(console: Console, check: Callable[[], None]) -> list[SuiteSummary]:
    """Create the suites and watch them to their end; *check* raises when a process of the installation died.

    Raises LabError when they do not end in time.
    """
    _until(lambda: len(api.list_hosts()) == DUTS, "the lab worker registered no hosts", check)
    ids = [api.create_suite_job("smoke", board, BUILD, POOL, max_runtime_mins=5, timeout_mins=10) for board in BOARDS]
    for board, job_id in zip(BOARDS, ids, strict=True):
        console.print(f"suite smoke for {board}: job {job_id}")
    if not console.is_terminal:
        return _wait(ids, check, _Lines(console).show)
    with Live(console=console, refresh_per_second=4, transient=True) as live:
        return _wait(ids, check, lambda now: live.update(_picture(now)))


def surprises(summaries: list[SuiteSummary]) -> list[str]:
    """What went otherwise than the suite promises, one line each; nothing is the expected outcome."""
    return [line for summary in summaries for line in _surprises(summary)] + list(_host_surprises())


def table(summary: SuiteSummary) -> Table:
    """The result table of one suite."""
    code = summary.verdict.code if summary.verdict is not None else "-"
    message = summary.verdict.message if summary.verdict is not None else ""
    shown = Table(
        title=f"{summary.suite} of {summary.build}, job {summary.job_id}: run_suite code {code} {message}",
        title_justify="left",
        title_style="bold",
        box=None,
        pad_edge=False,
    )
    for name in ("test", "status", "host", "job", "reason"):
        shown.add_column(name, no_wrap=name != "reason", overflow="fold")
    for row in summary.rows:
        # A reason is a test's own words, and no markup.
        shown.add_row(
            row.name.rpartition("/")[2], _coloured(row.status), row.hostname, str(row.job_id), Text(row.reason)
        )
    return shown


def _wait(ids: list[int], check: Callable[[], None], show: Callable[[list[SuiteSummary]], None]) -> list[SuiteSummary]:
    def ended() -> bool:
        show([api.suite_summary(job_id) for job_id in ids])
        return all(api.suite_summary(job_id).finished for job_id in ids)

    _until(ended, "the suites did not end", check)
    return [api.suite_summary(job_id) for job_id in ids]


def _until(true: Callable[[], bool], otherwise: str, check: Callable[[], None]) -> None:
    last = time.monotonic() + _PATIENCE_S
    while not true():
        check()
        if time.monotonic() > last:
            raise errors.LabError(f"{otherwise} within {_PATIENCE_S:g} s; look at the logs")
        time.sleep(_LOOK_EVERY)


def _picture(now: list[SuiteSummary]) -> Group:
    suites = Table("suite", "status", "entries", "tests so far", box=None, pad_edge=False)
    for summary in now:
        suites.add_row(
            f"job {summary.job_id}", summary.status, _counts(summary.entries), Text.from_markup(_tests(summary.counts))
        )
    hosts = Table("host", "status", "doing", "labels", box=None, pad_edge=False)
    for host in api.list_hosts():
        hosts.add_row(host["hostname"], host["status"], _doing(host), " ".join(host["labels"]))
    return Group(suites, Text(), hosts)


def _doing(host: Mapping[str, Any]) -> str:
    lease = host["lease"]
    if lease is None:
        return ""
    entry = lease.get("job_id")
    return f"{lease['step']}" + (f", job {entry}" if entry else "")


class _Lines:
    """Progress where there is no terminal: a line whenever something changed."""

    def __init__(self, console: Console):
        self._console = console
        self._last = ""

    def show(self, now: list[SuiteSummary]) -> None:
        line = "; ".join(f"job {each.job_id} {each.status}: {_counts(each.entries) or 'no tests yet'}" for each in now)
        if line != self._last:
            self._last = line
            self._console.print(line)


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))


def _tests(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {_coloured(status)}" for status, count in sorted(counts.items()))


def _coloured(status: str) -> str:
    colour = _COLOURS.get(status)
    return f"[{colour}]{status}[/]" if colour else status


def _surprises(summary: SuiteSummary) -> Iterator[str]:
    found = Counter((row.name, row.status) for row in summary.rows if not row.view.is_suite)
    for name, status in EXPECTED.items():
        if (name, status) not in found:
            got = ", ".join(word for test, word in found if test == name) or "nothing"
            yield f"job {summary.job_id}: {name} should end {status}, and ended {got}"
    code = summary.verdict.code if summary.verdict is not None else None
    if code != EXPECTED_CODE:
        yield f"job {summary.job_id}: run_suite's code should be {EXPECTED_CODE}, and is {code}"


def _host_surprises() -> Iterator[str]:
    repaired = api.show_host(REPAIRED)
    if not any(task["task"] == "Repair" and task["state"] == "passed" for task in repaired["tasks"]):
        yield f"{REPAIRED} fails its first verify and should have been repaired"
    dead = api.show_host(DEAD)
    if dead["status"] not in ("Repairing", "Repair Failed"):
        yield f"{DEAD} is dead and should wait for a repair, and is {dead['status']}"
