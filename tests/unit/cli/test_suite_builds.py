"""`autotest suite report`: results by build and board, as a table that fits and as JSON."""

from __future__ import annotations

import datetime

import pytest
from rich.console import Console

from autotest import api
from autotest.cli import printing
from autotest.results import build_report
from autotest.results.build_report import Run
from autotest.results.suite_rows import Row
from autotest.results.verdict import View
from autotest.states import Outcome

NOW = datetime.datetime(2026, 3, 1, 12, 0, tzinfo=datetime.timezone.utc)


def run(job_id, build, **tests):
    """A suite smoke of *build* on pi4 with these results."""
    rows = []
    for name, status in tests.items():
        retry = int(status == "RETRIED")
        word = "GOOD" if retry else status
        view = View(name, Outcome(word), is_experimental=name == "new")
        rows.append((name, Row(name, word, "it broke", job_id, "h1", "Completed", "", retry, None, None, view)))
    return Run(job_id, "smoke", build, "pi4", "", "ann", NOW, True, rows)


@pytest.fixture
def report(command, monkeypatch):
    """report(runs, *words) is what the command prints on these suites; report.asked holds its questions."""
    asked = []

    def shown(runs, *words, more=False):
        def answer(suites, builds, boards, since, test_na, limit):
            asked.append((suites, builds, boards, since, test_na, limit))
            tables = [build_report.as_dict(table) for table in build_report.of(runs, test_na)]
            return {"suites": [], "tables": tables, "more": more}

        monkeypatch.setattr(api, "suite_report", answer)
        return command("suite", "report", *words)

    shown.asked = asked
    return shown


def lines(text):
    return [" ".join(line.split()) for line in text.splitlines()]


def test_builds_stand_side_by_side_with_what_changed(report):
    shown = lines(report([run(1, "b1", a="GOOD", b="FAIL"), run(2, "b2", a="FAIL", b="RETRIED")]).stdout)
    assert shown[0] == "suite smoke"
    assert "b2 b1" in shown
    assert "a - FAIL GOOD" in shown
    assert "b + RETRIED FAIL" in shown
    assert "passed / ended 0 / 2, 1 on retry 1 / 2" in shown
    assert "a FAIL (regression) [b2, pi4, job 2] it broke" in shown


def test_experimental_tests_are_marked(report):
    shown = lines(report([run(1, "b1", new="FAIL", a="GOOD")]).stdout)
    assert "new (experimental) FAIL" in shown
    assert "passed / ended 1 / 1" in shown


def test_test_na_is_a_switch(report):
    runs = [run(1, "b1", wifi="TEST_NA", a="GOOD")]
    short, full = report(runs).stdout, report(runs, "--test-na").stdout
    assert "not shown, since no host could run them: 1 (--test-na shows them)" in short
    assert "TEST_NA" not in short
    assert "wifi TEST_NA" in lines(full)


def test_the_options_are_the_questions(report):
    report([], "-s", "smoke", "-s", "bvt", "-i", "b1", "-b", "pi4", "--since", "7d", "--limit", 5, "--test-na")
    assert report.asked == [(("smoke", "bvt"), ("b1",), ("pi4",), datetime.timedelta(days=7), True, 5)]


def test_nothing_and_more_are_said(report):
    assert report([]).stdout == "No suites.\n"
    assert "There are older suites: --limit (now 50)" in report([run(1, "b1", a="GOOD")], more=True).stderr


@pytest.mark.parametrize(("width", "columns"), [(80, 3), (160, 9)])
def test_on_a_terminal_as_many_builds_are_shown_as_fit(report, monkeypatch, width, columns):
    monkeypatch.setattr(printing, "console", lambda: Console(width=width, highlight=False))
    text = report([run(number, f"pi4-release/R{number}-1.0.0", a="GOOD") for number in range(1, 13)]).stdout
    assert max(map(len, text.splitlines())) <= width
    assert f"{12 - columns} older columns do not fit" in text
    assert f"a {'GOOD ' * columns}".strip() in lines(text)


def test_json_is_the_report(command, monkeypatch, installation):
    assert command.json("suite", "report") == {"suites": [], "tables": [], "more": False}
