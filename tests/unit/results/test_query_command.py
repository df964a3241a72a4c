"""`autotest results query` and its kin: tables that fit, JSON, CSV, saved questions, labels."""

from __future__ import annotations

import csv
import datetime
import io
import json

import pytest
from click.testing import CliRunner
from rich.console import Console

from autotest import cli
from autotest.models import database
from autotest.models.tko import IterationResult, Kernel, Machine, Status, TkoJob
from autotest.models.tko import TestResult as Result
from autotest.results import query_output
from autotest.results.query import answers
from autotest.results.query.questions import Builds, History, Matrix, Perf, Qualification, Reasons, Table

NOW = datetime.datetime(2026, 11, 21, 12, 0, tzinfo=datetime.timezone.utc)
HOSTILE = "\x1b[31m[bold]ä\n\U0001f600"


@pytest.fixture(autouse=True)
def lab(db, monkeypatch):
    """Thirty builds of one suite; the newest one failed. The commands use that database."""
    monkeypatch.setenv("AUTOTEST_DATABASE", db)
    monkeypatch.setenv("LOGNAME", "ann")
    machine, kernel = Machine.create(hostname="rack1-host3"), Kernel.create(printable="UNKNOWN")
    words = {row.word: row.status_idx for row in Status.select()}
    for number in range(30):
        job = TkoJob.create(
            tag=f"{number}-ann/rack1-host3",
            machine=machine,
            build_version=f"R124-144{number:02}.0.0",
            suite="bvt",
            board="eve",
            started_time=NOW - datetime.timedelta(hours=30 - number),
        )
        result = Result.create(
            test="network_WiFiPing",
            subdir="network_WiFiPing",
            job=job,
            machine=machine,
            kernel=kernel,
            status=words["FAIL" if number == 29 else "GOOD"],
            reason=HOSTILE if number == 29 else "",
            finished_time=NOW - datetime.timedelta(hours=30 - number),
        )
        IterationResult.insert(test=result, iteration=1, attribute="fps", value=float(number)).execute()


def run(*arguments, code=0):
    # The command opens its own connection, as in a process of its own.
    database.db.close()
    done = CliRunner().invoke(cli.main, ["results", *map(str, arguments)])
    database.db.connect(reuse_if_open=True)
    assert done.exit_code == code, done.output
    return done


EVERY = [
    ["query", "--where", "suite = bvt"],
    ["query", "--group", "--columns", "test,status"],
    ["matrix", "--last", "20"],
    ["history", "network_WiFiPing"],
    ["builds", "--last", "2"],
    ["details", "--where", "suite = bvt"],
    ["reasons"],
    ["perf"],
    ["perf", "fps", "--by", "board"],
    ["perf", "fps", "--bins", "3"],
    ["machines"],
]


@pytest.mark.parametrize("arguments", EVERY, ids=" ".join)
def test_each_question_is_answered_for_people_and_programs(arguments):
    people = run(*arguments).stdout
    rows = list(csv.reader(io.StringIO(run(*arguments, "--csv").stdout)))

    assert "\x1b" not in people
    assert isinstance(json.loads(run(*arguments, "--json").stdout), dict)
    assert len(rows) > 1
    assert {len(row) for row in rows} == {len(rows[0])}


@pytest.mark.parametrize(
    "question",
    [
        Reasons(),
        Matrix(),
        Matrix(rows=("test", "host", "board", "suite", "tag"), columns=("build", "status")),
        Table(),
        History(test="network_WiFiPing"),
        Builds(last=3),
        Perf(metric="fps", by="host"),
        Perf(metric="fps", bins=3),
        Qualification(),
    ],
    ids=repr,
)
@pytest.mark.parametrize("width", [80, 40])
def test_every_answer_fits_the_terminal(question, width):
    out = Console(width=width, record=True, file=io.StringIO(), highlight=False)

    for part in query_output.shown(answers.to(question, NOW), out.width):
        out.print(part)

    lines = out.export_text().splitlines()
    assert len(lines) > 2
    assert max(map(len, lines)) <= width


def test_a_matrix_shows_the_newest_builds_that_fit_and_says_so():
    out = Console(width=80, record=True, file=io.StringIO(), highlight=False)

    for part in query_output.shown(answers.to(Matrix(), NOW), 80):
        out.print(part)

    text = out.export_text()
    assert "14429" in text
    assert "14410" not in text
    assert "columns before these are not shown" in text
    assert "29/30" in text


def test_a_history_says_since_when_it_fails():
    assert "not passed since R124-14429.0.0, 2026-11-21 11:00:00" in run("history", "network_WiFiPing").stdout


def test_a_mistake_is_one_line_with_its_position():
    done = run("query", "--where", "hots = a", code=1)

    assert done.stderr.startswith("autotest: condition, character 1: no field is called 'hots'; did you mean 'host'?")
    assert done.stderr.count("\n") == 1


def test_a_database_without_its_tables_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("AUTOTEST_DATABASE", f"sqlite:///{tmp_path / 'empty.db'}")

    assert "run: autotest db migrate" in run("builds", code=1).stderr


def test_json_and_csv_exclude_each_other():
    assert "exclude each other" in run("builds", "--json", "--csv", "--save", "both", code=2).stderr
    assert "exclude each other" in run("machines", "--json", "--output", "a.svg", code=2).stderr
    assert json.loads(run("saved", "list", "--json").stdout) == []


def test_nothing_found_is_said():
    assert run("query", "--where", "test = x").stdout == "No results.\n"
    assert run("matrix", "--where", "test = x").stdout == "No results.\n"


def test_a_saved_question_is_asked_again():
    asked = run("matrix", "--where", "suite = bvt", "--last", "3", "--save", "nightly", "--json").stdout

    assert run("saved", "list").stdout == "ann  nightly  view=matrix&where=suite+%3D+bvt&last=3\n"
    assert json.loads(run("saved", "list", "--all", "--json").stdout)[0]["owner"] == "ann"
    assert run("saved", "run", "nightly", "--json").stdout == asked
    assert run("saved", "delete", "nightly").stdout == "deleted nightly\n"
    assert run("saved", "list").stdout == "Nothing is saved.\n"
    assert "ann saved no question as 'nightly'" in run("saved", "run", "nightly", code=1).stderr


def test_results_are_labelled_and_taken_out():
    where = ["--where", "status = FAIL"]

    assert run("label", "create", "flaky", "--description", "now and then").stdout == "created flaky\n"
    assert run("label", "add", "flaky", *where, "--dry-run").stdout == "flaky: 1 result would change\n"
    assert run("label", "add", "flaky", *where).stdout == "flaky: 1 result changed\n"
    assert "1  flaky  (now and then)" in run("label", "list").stdout
    assert json.loads(run("label", "list", "--json").stdout)[0]["results"] == 1
    assert run("label", "remove", "flaky", *where).stdout == "flaky: 1 result changed\n"
    assert run("label", "delete", "flaky").stdout == "deleted flaky, which 0 results carried\n"
    run("label", "invalidate", *where)
    assert run("query", *where).stdout == "No results.\n"
    run("label", "restore", *where)
    assert "FAIL" in run("query", *where).stdout


def test_labels_refuse_to_mean_everything():
    assert "say which results" in run("label", "invalidate", code=1).stderr


def test_one_result_is_told_by_its_number_or_its_folder():
    number = Result.get(Result.status == Status.get(word="FAIL")).test_idx

    by_number = run("details", number).stdout

    assert by_number == run("details", "29-ann/rack1-host3/network_WiFiPing").stdout
    assert by_number.startswith("network_WiFiPing FAIL on rack1-host3\n")
    assert "\x1b" not in by_number
    assert "29-ann/rack1-host3/network_WiFiPing (not there)" in by_number
    assert "measured\n  fps  29" in by_number


def test_a_result_that_does_not_count_is_told_when_it_is_named():
    Result.update(invalid=True).execute()

    assert json.loads(run("details", "29-ann/rack1-host3", "--json").stdout)["results"]
    assert json.loads(run("details", "-w", "suite = bvt", "--json").stdout)["results"] == []


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["details"], 2, "name results, or say with --where which"),
        (["details", "1", "-w", "suite = bvt"], 2, "name results, or say with --where which"),
        (["details", "nope/x"], 1, "no result is stored as nope/x"),
        (["query", "--count", "--csv"], 2, "--count goes with --where and --json"),
        (["perf", "-o", "x.gif"], 2, "ends neither in .svg nor in .png"),
        (["perf", "-o", "x.svg"], 1, "there is a picture of a metric"),
        (["attribute", "set", "bug", "1"], 1, "a condition that means all of them is refused"),
    ],
)
def test_what_cannot_be_told_is_said(arguments, code, message):
    assert message in run(*arguments, code=code).stderr


def test_results_are_counted_without_being_listed():
    assert run("query", "--count", "-w", "status = GOOD").stdout == "29\n"
    assert json.loads(run("query", "--count", "--json").stdout) == {"count": 30}


def test_people_give_attributes_and_take_them_away():
    where = ["-w", "status = FAIL"]

    assert run("attribute", "set", "bug", "4711", *where, "--dry-run").stdout == "bug: 1 result would change\n"
    assert run("query", "--count", "-w", "attr.bug = 4711").stdout == "0\n"
    assert run("attribute", "set", "bug", "4711", *where).stdout == "bug: 1 result changed\n"
    assert run("query", "--count", "-w", "attr.bug = 4711").stdout == "1\n"
    run("attribute", "remove", "bug", *where)
    assert run("query", "--count", "-w", "attr.bug = 4711").stdout == "0\n"


def test_a_question_is_drawn_and_drawn_again(tmp_path):
    first, again = tmp_path / "first.svg", tmp_path / "again.svg"

    run("perf", "fps", "--by", "board", "--output", first, "--save", "speed")
    run("saved", "run", "speed", "--output", again)

    assert first.read_bytes() == again.read_bytes()
    assert b"fps by board over build" in again.read_bytes()
