"""`autotest suite`: create, run, wait, list, show and abort, for people and for scripts."""

from __future__ import annotations

import io
import json
import os
import re
import subprocess
import sys
import types

import pytest
from junitparser import JUnitXml
from rich.console import Console

from autotest import api
from autotest.cli import suite_follow, suite_progress
from autotest.models import database
from autotest.scheduler import suite_request, suites

BUILD = "pi4-release/R1-1.0"
ARGUMENTS = ("smoke", "-b", "pi4", "-i", BUILD)


@pytest.fixture
def shelf(installation):
    """The installation with one board, one build, and suite smoke with sleeptest."""
    installation.build()
    installation.test("sleeptest")
    installation.host("rack1-h1", ["board:pi4", "pool:suites"])
    return installation


def end_suite(installation, job_id, status="Completed"):
    """Let the suite's children be created and everything end."""
    with database.connection():
        suites.fan_out(job_id, installation.settings, database.utc_now())
    for job in [*api.list_jobs(parent=job_id), {"id": job_id}]:
        installation.ended(job["id"], status)


def test_create_says_how_to_follow_the_suite(shelf, command):
    assert command("suite", "create", *ARGUMENTS).stdout == ("Suite smoke is job 1. Follow it: autotest suite wait 1\n")
    assert command.json("suite", "create", *ARGUMENTS) == {"id": 2}


def test_create_hands_every_option_to_the_api(shelf, command):
    words = ("-p", "suites", "-r", "CQ", "-t", "30", "-x", "20", "--keyval", "ticket=7", "--owner", "bob")
    command("suite", "create", *ARGUMENTS, *words, "--suite-args", '{"a": 1}', "--label", "board:pi4")
    job = api.show_job(1)
    assert (job["owner"], job["priority"], job["timeout_mins"], job["max_runtime_mins"]) == ("bob", 70, 30, 20)
    assert job["keyvals"].items() >= {"ticket": "7", "pool": "suites"}.items()
    with database.connection():
        asked = suite_request.asked(1)
    assert (asked.suite_args, asked.spec.child_dependencies) == ({"a": 1}, ("board:pi4",))


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (("-b", "pi5"), 5, 'autotest: board: no host carries "board:pi5"; nearest: board:pi4\n'),
        (("--suite-args", "{"), 6, "autotest: --suite-args: not JSON: "),
        (("-r", "soon"), 6, "autotest: priority: priority 'soon' is neither"),
        (("-t", "0"), 6, "Invalid value for '-t'"),
        (("-i", "nosuch"), 3, "nosuch"),
        (("--model", "x"), 5, 'no host carries "model:x"'),
    ],
)
def test_create_refuses_in_one_line(shelf, command, words, code, text):
    result = command("suite", "create", *ARGUMENTS, *words, code=code)
    assert text in result.stderr
    assert result.stdout == ""
    assert "Traceback" not in result.stderr


def test_skip_check_creates_a_suite_for_hosts_that_are_not_there_yet(shelf, command):
    result = command("suite", "create", "smoke", "-b", "pi5", "-i", BUILD, "--skip-check")
    assert result.stdout.startswith("Suite smoke is job 1.")
    (made,) = api.list_suites()
    assert (made["id"], made["board"], made["status"]) == (1, "pi5", "Queued")


def test_wait_prints_the_report_and_exits_with_the_verdict(shelf, command):
    command("suite", "create", *ARGUMENTS)
    end_suite(shelf, 1, "Aborted")
    result = command("suite", "wait", 1, code=3)
    assert "sleeptest   [ FAILED ]\n" in result.stdout
    assert "Reason: Suite job failed.\n" in result.stdout
    assert result.stdout.endswith("Suite job failed. (code 3)\n")


def test_wait_keeps_stdout_for_json(shelf, command):
    command("suite", "create", *ARGUMENTS)
    end_suite(shelf, 1)
    result = command("suite", "wait", 1, "--json", code=4)
    assert json.loads(result.stdout)["return_code"] == 4
    assert "1 of 1 done" in result.stderr


def test_run_creates_follows_and_judges(shelf, command, monkeypatch):
    waited = api.wait_for_suite

    def ended_meanwhile(job_id, timeout, progress):
        end_suite(shelf, job_id)
        return waited(job_id, timeout, progress=progress)

    monkeypatch.setattr(api, "wait_for_suite", ended_meanwhile)
    result = command("suite", "run", *ARGUMENTS, code=4)
    assert result.stdout.startswith("Suite smoke is job 1; if this terminal closes: autotest suite wait 1\n")
    assert "sleeptest     ABORT: The job ended and left no results.\n" in result.stdout


def test_a_wait_that_lasts_too_long_leaves_the_suite_alone(shelf, command):
    command("suite", "create", *ARGUMENTS)
    result = command("suite", "wait", 1, "--timeout", 0, code=4)
    assert "it goes on: autotest suite wait 1" in result.stderr
    assert api.list_suites()[0]["status"] == "Queued"


def test_ctrl_c_without_a_terminal_says_how_to_pick_up_again(shelf, command, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(api, "wait_for_suite", interrupted)
    result = command("suite", "run", *ARGUMENTS, code=130)
    assert "detached; suite job 1 goes on: autotest suite wait 1" in result.stderr
    assert api.list_suites()[0]["status"] == "Queued"


def test_ctrl_c_and_abort_waits_for_the_end_and_tells_the_verdict(shelf, command, monkeypatch):
    waited, terminal = api.wait_for_suite, types.SimpleNamespace(isatty=lambda: True)

    def interrupted(*_, **__):
        monkeypatch.setattr(api, "wait_for_suite", waited)
        monkeypatch.setattr(suite_follow, "sys", types.SimpleNamespace(stdin=terminal, stderr=terminal))
        raise KeyboardInterrupt

    monkeypatch.setattr(api, "wait_for_suite", interrupted)
    result = command("suite", "run", *ARGUMENTS, code=3, answer="a\n")
    assert "(a)bort the suite, (d)etach and let it go on, or (c)ontinue" in result.stderr
    assert "Aborted: 1 entry of suite job 1." in result.stderr
    assert result.stdout.endswith("Suite job failed. (code 3)\n")


def test_a_suite_can_be_created_and_left_alone(shelf, command):
    for words in (("-c",), ("--no-wait",)):
        result = command("suite", "run", *ARGUMENTS, *words)
        assert "Follow it: autotest suite wait" in result.stdout
    assert command.json("suite", "run", *ARGUMENTS, "-c") == {"id": 3}


def test_an_old_suite_is_reported_on_again(shelf, command):
    command("suite", "create", *ARGUMENTS)
    end_suite(shelf, 1)
    command("suite", "run", *ARGUMENTS, "--mock-job-id", 1, code=4)
    assert len(api.list_suites()) == 1


def test_every_report_can_be_had_at_once(shelf, command, tmp_path):
    command("suite", "create", *ARGUMENTS)
    end_suite(shelf, 1)
    place = tmp_path / "out.xml"
    result = command("suite", "wait", 1, "--plain", "--json-dump", "--junit", place, code=4)
    assert "Suite timings:\nDownloads started: 20" in result.stdout
    dumped = re.search("#JSON_START#(.*)#JSON_END#", result.stdout)
    assert json.loads(dumped[1])["return_code"] == 4
    assert [case.name for suite in JUnitXml.fromfile(str(place)) for case in suite] == ["sleeptest"]


def test_the_dump_stays_out_of_the_json(shelf, command):
    command("suite", "create", *ARGUMENTS)
    end_suite(shelf, 1)
    result = command("suite", "wait", 1, "--json", "--json-dump", code=4)
    assert list(json.loads(result.stdout)["tests"]) == ["1/Suite job", "2/sleeptest"]
    assert "#JSON_START#" in result.stderr


def test_list_shows_the_newest_first_and_says_how_to_see_more(shelf, command):
    for _ in range(3):
        command("suite", "create", *ARGUMENTS)
    result = command("suite", "list", "--limit", 2)
    assert "There are more: --before 2" in result.stderr
    assert [row["id"] for row in command.json("suite", "list", "--before", 2)] == [1]
    row = command.json("suite", "list", "--limit", 1)[0]
    assert (row["suite"], row["build"], row["board"], row["status"]) == ("smoke", BUILD, "pi4", "Queued")


def test_list_says_that_there_is_nothing(shelf, command):
    assert command("suite", "list", "--owner", "bob").stdout == "No suites.\n"
    assert command.json("suite", "list", "--status", "running") == []


def test_show_tells_how_a_suite_stands(shelf, command):
    command("suite", "create", *ARGUMENTS)
    with database.connection():
        suites.fan_out(1, shelf.settings, database.utc_now())
    result = command("suite", "show", 1)
    assert result.stdout.startswith(f"suite smoke of {BUILD}, job 1: Running; 0 of 1 done; 1 Queued\n")
    assert "sleeptest" in result.stdout
    assert command.json("suite", "show", 1)["tests"]["2/sleeptest"]["status"] == "NOSTATUS"


@pytest.mark.parametrize(("verb", "code"), [("show", 1), ("wait", 6), ("abort", 1)])
def test_a_job_that_is_no_suite_is_refused(shelf, command, verb, code):
    api.create_job("nap", "pass", dependencies=["board:pi4"])
    assert "job 1 is not a suite; see: autotest job show 1" in command("suite", verb, 1, code=code).stderr
    assert "there is no job 9" in command("suite", verb, 9, code=code).stderr


def test_an_abort_is_rehearsed_first_and_reaches_the_children(shelf, command):
    command("suite", "create", *ARGUMENTS)
    with database.connection():
        suites.fan_out(1, shelf.settings, database.utc_now())
    rehearsed = command("suite", "abort", 1, "--dry-run").stdout
    assert f"would abort {BUILD}/smoke/sleeptest, job 2 (Queued)\n" in rehearsed
    assert not any(entry.aborted for entry in shelf.entries(1))
    assert command("suite", "abort", 1, "--reason", "wrong").stdout == rehearsed.replace("would abort", "aborted")
    assert command("suite", "abort", 1).stdout.startswith("Nothing to abort")
    assert shelf.entries(2)[0].reason == "wrong"


def test_progress_on_a_terminal_is_one_picture(shelf, command):
    command("suite", "create", *ARGUMENTS)
    end_suite(shelf, 1)
    screen = io.StringIO()
    with suite_progress.shown(Console(file=screen, force_terminal=True, width=100)) as progress:
        progress(api.suite_summary(1))
    assert "sleeptest" in screen.getvalue()


def test_progress_in_a_pipe_is_a_line_for_each_change(shelf, command):
    command("suite", "create", *ARGUMENTS)
    pipe = io.StringIO()
    with suite_progress.shown(Console(file=pipe)) as progress:
        progress(api.suite_summary(1))
        progress(api.suite_summary(1))
        end_suite(shelf, 1)
        progress(api.suite_summary(1))
    lines = pipe.getvalue().splitlines()
    assert [line.partition(" ")[2] for line in lines] == ["Queued; no jobs yet", "Completed; 1 of 1 done (1 ABORT)"]


def test_a_real_process_creates_and_lists(shelf):
    environment = {**os.environ, "AUTOTEST_BROKER": "memory://"}
    result = subprocess.run(
        [sys.executable, "-c", "from autotest.cli import main; main()", "suite", "create", *ARGUMENTS, "--json"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert json.loads(result.stdout) == {"id": 1}
    assert api.list_suites()[0]["suite"] == "smoke"


def test_a_real_process_names_the_database_that_does_not_answer(tmp_path):
    environment = {**os.environ, "AUTOTEST_DATABASE": "mysql://root:secret@127.0.0.1:1/afe"}
    result = subprocess.run(
        [sys.executable, "-c", "from autotest.cli import main; main()", "suite", "list"],
        env=environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (result.returncode, result.stdout) == (3, "")
    assert result.stderr.startswith("autotest: the database mysql://127.0.0.1:1/afe does not answer")
    assert len(result.stderr.splitlines()) == 1
    assert "secret" not in result.stderr


def test_explain_tells_host_by_host_what_is_missing(shelf, command):
    shelf.test("wifitest", needs="wificell,camera")
    shelf.host("rack1-h2", ["board:pi4", "pool:suites", "camera"])
    command("suite", "create", *ARGUMENTS, "-p", "suites")
    told = command("suite", "explain", 1, "wifitest").stdout
    assert told.startswith("wifitest needs board:pi4, camera, pool:suites")
    assert re.search(r"rack1-h2 +wificell *\n", told)
    assert re.search(r"rack1-h1 +camera, wificell *\n", told)
    assert told.index("rack1-h2") < told.index("rack1-h1")
    assert command.json("suite", "explain", 1, "wifitest", "--limit", 1)["hosts"] == [
        {"hostname": "rack1-h2", "lacks": ["wificell"]}
    ]


def test_explain_names_near_tests_for_one_that_is_not_there(shelf, command):
    command("suite", "create", *ARGUMENTS)
    assert "has no test 'sleptest'; nearest: sleeptest" in command("suite", "explain", 1, "sleptest", code=1).stderr
