"""The report on a suite: the lines of run_suite, whatever tests are called and whatever they say."""

from __future__ import annotations

import json

from autotest.cli import suite_report
from autotest.results import verdict
from autotest.results.summary import Row, SuiteSummary
from autotest.results.verdict import View
from autotest.states import Outcome


def row(name: str, status: str = "GOOD", reason: str = "", entry_status: str = "Completed", retry: int = 0) -> Row:
    """One result on rack1-h1."""
    return Row(name, status, reason, 5, "rack1-h1", entry_status, f"5-ann/rack1-h1/{name}", retry, None, None,
               View(name, Outcome(status)))  # fmt: skip


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
        timings=dict.fromkeys(suite_report._TIMINGS, "") | {"suite_started": "2026-03-01 12:00:00"},
        verdict=judged,
    )


def test_names_are_padded_and_every_result_has_its_mark():
    found = summary(row("sleeptest"), row("failtest", "FAIL", "it broke"), row("wifi", "TEST_NA", "no label"))
    assert suite_report.lines(found, "/r")[:5] == [
        "sleeptest   [ PASSED ]",
        "failtest    [ FAILED ]",
        "failtest      FAIL: it broke",
        "wifi        [  INFO  ]",
        "wifi          TEST_NA: no label",
    ]


def test_a_warning_counts_as_failed_and_a_retry_says_so():
    assert suite_report.lines(summary(row("a", "WARN", "odd", retry=2)), "/r")[:3] == [
        "a   [ FAILED ]",
        "a     WARN: odd",
        "a     retry_count: 2",
    ]


def test_timings_folders_and_the_reason_follow():
    report = suite_report.lines(summary(row("a")), "/r")
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
    report = suite_report.lines(summary(first, second), "/r")
    assert report.count("a   /r/5-ann/rack1-h1/a") == 2


def test_a_reason_cannot_steer_the_terminal_or_forge_a_line():
    report = suite_report.lines(summary(row("a\x1b[2J", "FAIL", "x\nb   [ PASSED ]\x1b]0;y\x07\udcff")), "/r")
    assert not any(char in line for line in report for char in "\x1b\x07\n\udcff")
    assert "b   [ PASSED ]" not in report


def test_what_has_not_ended_is_neither_passed_nor_failed():
    report = suite_report.lines(summary(row("a", "RUNNING", entry_status="Verifying"), judged=None), "/r")
    assert report[:2] == ["a   [  ....  ]", "a     Verifying:"]


def test_progress_says_what_is_done_runs_and_waits():
    found = summary(
        row("a"), row("b", "RUNNING", entry_status="Running"), judged=None, Completed=1, Running=1, Queued=3
    )
    assert suite_report.progress_line(found) == "1 of 5 done (1 GOOD); running: b on rack1-h1; 3 Queued"


def test_the_headline_carries_the_verdict():
    assert suite_report.headline(summary()) == "suite smoke of b1, job 4: Tests failed. (code 1)"
    assert suite_report.headline(summary(judged=verdict.OK)).endswith("All tests passed. (code 0)")
    assert suite_report.headline(summary(judged=None)).endswith(": Running; no jobs yet (1 GOOD)")


def test_the_json_form_holds_the_code_and_every_row():
    data = json.loads(json.dumps(suite_report.as_dict(summary(row("a"), row("a")))))
    assert (data["return_code"], data["return_message"], data["verdict"]) == (1, "Tests failed.", "test_failure")
    assert [entry["name"] for entry in data["rows"]] == ["a", "a"]
    assert suite_report.as_dict(summary(judged=None))["return_code"] is None
