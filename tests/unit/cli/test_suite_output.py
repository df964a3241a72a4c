"""The report on a suite: the lines of run_suite, whatever tests are called and whatever they say."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from autotest.cli import suite_output
from autotest.results import verdict
from autotest.results.summary import Row, SuiteSummary
from autotest.results.verdict import View
from autotest.states import Outcome


def row(
    name: str,
    status: str = "GOOD",
    reason: str = "",
    entry_status: str = "Completed",
    retry: int = 0,
    job_id: int = 5,
    experimental: bool = False,
) -> Row:
    """One result on rack1-h1."""
    view = View(name, Outcome(status), is_experimental=experimental)
    folder = f"{job_id}-ann/rack1-h1/{name}"
    return Row(name, status, reason, job_id, "rack1-h1", entry_status, folder, retry, None, None, view)


def summary(*rows: Row, judged: verdict.Verdict | None = verdict.TEST_FAILURE, **entries: int) -> SuiteSummary:
    """A suite with these results; it has ended when there is a verdict."""
    return SuiteSummary(
        job_id=4,
        name="b1-test_suites/control.smoke",
        suite="smoke",
        build="b1",
        owner="ann",
        status="Completed" if judged else "Running",
        finished=judged is not None,
        rows=rows,
        counts={"GOOD": 1},
        entries=entries,
        timings=dict.fromkeys(suite_output._TIMINGS, "") | {"suite_started": "2026-03-01 12:00:00"},
        verdict=judged,
    )


def test_names_are_padded_and_every_result_has_its_mark():
    found = summary(row("sleeptest"), row("failtest", "FAIL", "it broke"), row("wifi", "TEST_NA", "no label"))
    assert suite_output.lines(found, "/r")[:5] == [
        "sleeptest   [ PASSED ]",
        "failtest    [ FAILED ]",
        "failtest      FAIL: it broke",
        "wifi        [  INFO  ]",
        "wifi          TEST_NA: no label",
    ]


def test_a_warning_counts_as_failed_and_a_retry_says_so():
    assert suite_output.lines(summary(row("a", "WARN", "odd", retry=2)), "/r")[:3] == [
        "a   [ FAILED ]",
        "a     WARN: odd",
        "a     retry_count: 2",
    ]


def test_timings_folders_and_the_reason_follow():
    report = suite_output.lines(summary(row("a")), "/r")
    start = report.index("Suite timings:")
    assert report[start + 1 : start + 7] == [
        "Downloads started: -",
        "Payload downloads ended: -",
        "Suite started: 2026-03-01 12:00:00",
        "Artifact downloads ended (at latest): -",
        "Testing started: -",
        "Testing ended: -",
    ]
    assert report[start + 8 :] == ["Links to test logs:", "a   /r/5-ann/rack1-h1/a", "", "Reason: Tests failed."]


def test_two_results_of_one_name_keep_their_folders():
    first, second = row("a"), row("a", "FAIL", "x")
    report = suite_output.lines(summary(first, second), "/r")
    assert report.count("a   /r/5-ann/rack1-h1/a") == 2


def test_a_reason_cannot_steer_the_terminal_or_forge_a_line():
    report = suite_output.lines(summary(row("a\x1b[2J", "FAIL", "x\nb   [ PASSED ]\x1b]0;y\x07\udcff")), "/r")
    assert not any(char in line for line in report for char in "\x1b\x07\n\udcff")
    assert "b   [ PASSED ]" not in report


def test_what_has_not_ended_is_neither_passed_nor_failed():
    report = suite_output.lines(summary(row("a", "RUNNING", entry_status="Verifying"), judged=None), "/r")
    assert report[:2] == ["a   [  ....  ]", "a     Verifying:"]


def test_progress_says_what_is_done_runs_and_waits():
    found = summary(
        row("a"), row("b", "RUNNING", entry_status="Running"), judged=None, Completed=1, Running=1, Queued=3
    )
    assert suite_output.progress_line(found) == "1 of 5 done (1 GOOD); running: b on rack1-h1; 3 Queued"


def test_the_headline_carries_the_verdict():
    assert suite_output.headline(summary()) == "suite smoke of b1, job 4: Tests failed. (code 1)"
    assert suite_output.headline(summary(judged=verdict.OK)).endswith("All tests passed. (code 0)")
    assert suite_output.headline(summary(judged=None)).endswith(": Running; no jobs yet (1 GOOD)")


def test_the_json_form_holds_the_code_and_every_row():
    data = json.loads(json.dumps(suite_output.as_dict(summary(row("a"), row("a")))))
    assert (data["return_code"], data["return_message"], data["verdict"]) == (1, "Tests failed.", "test_failure")
    assert [(key, entry["name"]) for key, entry in data["tests"].items()] == [("5/a", "a"), ("5/a#2", "a")]
    assert suite_output.as_dict(summary(judged=None))["return_code"] is None


@given(st.lists(st.builds(row, st.sampled_from(["a", "a#2", "b"]), job_id=st.integers(1, 2))))
def test_no_result_overwrites_another(rows):
    found = suite_output.by_id(rows)
    assert list(found.values()) == rows
    assert suite_output.by_id(found.values()).keys() == found.keys()


def test_experimental_tests_are_told_apart():
    report = suite_output.lines(summary(row("a"), row("new", "FAIL", "odd", experimental=True), row("b")), "/r")
    assert report[:6] == [
        "a     [ PASSED ]",
        "b     [ PASSED ]",
        "",
        "Experimental tests (not counted):",
        "new   [ FAILED ]",
        "new     FAIL: odd",
    ]


def shown(found: SuiteSummary, width: int) -> str:
    """The screen of a terminal of *width* columns."""
    console = Console(width=width, record=True, file=open("/dev/null", "w"))  # noqa: SIM115 - closed with the process
    console.print(suite_output.screen(found, "/var/lib/results"))
    return console.export_text()


@pytest.mark.parametrize("width", [60, 80, 160])
def test_a_terminal_shows_a_table_and_where_the_logs_of_failures_are(width):
    tests = (
        row("sleeptest"),
        row("failtest", "FAIL", "it broke"),
        row("flaky", retry=1),
        row("new", experimental=True),
    )
    text = shown(summary(*tests), width)
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert "sleeptest GOOD rack1-h1 5" in lines
    assert "failtest FAIL rack1-h1 5 it broke" in lines
    assert "flaky (retry 1) RETRIED rack1-h1 5" in lines
    assert lines.index("Experimental tests (not counted):") < lines.index("new GOOD rack1-h1 5")
    assert "Suite started: 2026-03-01 12:00:00" in lines
    assert lines[lines.index("Logs: /var/lib/results") + 1 :][0] == "5-ann/rack1-h1/failtest"
    assert max(map(len, text.splitlines())) <= width


def test_markup_in_names_and_reasons_is_text():
    text = shown(summary(row("a", "FAIL", "[red]x[/nonsense]")), 80)
    assert "[red]x[/nonsense]" in text


def test_the_dump_is_run_suites_with_one_entry_for_each_of_two_tests_of_one_name():
    line = suite_output.dump(summary(row("a"), row("a", "FAIL", "x\n", retry=2, job_id=6)), "/r")
    assert line.startswith("#JSON_START#{")
    assert line.endswith("}#JSON_END#")
    assert "\n" not in line
    data = json.loads(line.removeprefix("#JSON_START#").removesuffix("#JSON_END#"))
    assert list(data["tests"]) == ["a", "a#6"]
    assert data["tests"]["a#6"] == {
        "status": "FAIL",
        "reason": "x\n",
        "retry_count": 2,
        "link_to_logs": "/r/6-ann/rack1-h1/a",
    }
    assert (data["return_code"], data["return_message"], data["suite_job_id"]) == (1, "Tests failed.", 4)
    assert list(data["suite_timings"]) == list(suite_output._TIMINGS)
