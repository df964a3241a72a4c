"""`autotest job`: what people see of a job, above all why it waits."""

from __future__ import annotations

import json

import pytest

from autotest import api
from autotest.models import database
from autotest.scheduler import hosts, wakes

BUILD = "pi4-release/R1-1.0"


@pytest.fixture
def nap(installation):
    """Creates a job that needs board:pi4; one host carries it."""
    installation.host("rack1-h1")
    return lambda **arguments: api.create_job("nap", "pass", **{"dependencies": ["board:pi4"], **arguments})


def test_create_reads_name_labels_and_side_from_the_control_file(installation, command):
    path = installation.test("sleeptest", needs="modem")
    installation.host("rack1-h1", ["board:pi4", "modem"])
    assert command("job", "create", path, "--label", "board:pi4").stdout == (
        "Job 1 is created. Look at it: autotest job show 1\n"
    )
    found = command.json("job", "show", 1)
    assert (found["name"], found["labels"]) == ("sleeptest", ["board:pi4", "modem"])
    assert command.json("job", "create", path, "-m", "rack1-h1", "--name", "mine", "--priority", "CQ") == {"id": 2}
    assert command.json("job", "show", 2)["entries"][0]["host"] == "rack1-h1"


def test_create_refuses_a_control_file_that_does_not_parse(installation, command, tmp_path):
    path = tmp_path / "control"
    path.write_text("NAME = (\n")
    result = command("job", "create", path, code=1)
    assert str(path) in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_show_explains_a_job_that_waits_for_a_locked_host(installation, command, nap):
    nap()
    api.lock_host("rack1-h1", "fan", by="alice")
    shown = command("job", "show", 1).stdout
    assert "waits for: 1 host carries board:pi4; none is free: rack1-h1 locked by alice (fan)\n" in shown
    (entry,) = command.json("job", "show", 1)["entries"]
    assert entry["waiting"] == {
        "labels": ["board:pi4"],
        "hosts": 1,
        "free": [],
        "blocked": {"rack1-h1": "locked by alice (fan)"},
        "served": False,
    }


@pytest.mark.parametrize(
    ("columns", "why"),
    [
        ({"status": "Repair Failed", "status_reason": "no ssh"}, "rack1-h2 Repair Failed (no ssh)"),
        ({"lab": None}, "rack1-h2 in no lab, so that no worker reaches it"),
        ({}, "free and about to be claimed: rack1-h2"),
    ],
)
def test_show_names_what_is_wrong_with_the_host(installation, command, columns, why):
    installation.host("rack1-h2", **columns)
    api.create_job("nap", "pass", dependencies=["board:pi4"])
    assert why in command("job", "show", 1).stdout


def test_show_names_the_job_that_has_the_host(installation, command, nap):
    running, waits = nap(), nap()
    token = installation.lease("rack1-h1", running).id
    assert f"rack1-h1 leased to job {running} (run_test)" in command("job", "show", waits).stdout
    (entry,) = command.json("job", "show", running)["entries"]
    assert (entry["lease"]["token"], entry["lease"]["running"], entry["waiting"]) == (token, True, None)
    assert f"token {token} since" in command("job", "show", running).stdout


def test_show_says_when_the_worker_of_the_lab_is_gone(installation, command, nap):
    nap()
    installation.lab("desk", silent_s=125)
    assert "rack1-h1 of lab desk, no worker seen for 125 s" in command("job", "show", 1).stdout


def test_show_says_when_every_host_with_the_label_is_gone(installation, command, nap):
    nap()
    with database.connection():
        hosts.set_labels(hosts.named("rack1-h1").id, ["board:pi5"])
    shown = command("job", "show", 1).stdout
    assert "waits for: no host carries board:pi4; nearest: board:pi4" in shown


def test_many_blocked_hosts_are_counted_and_some_are_named(installation, command):
    for number in range(1, 16):
        installation.host(f"h{number}", locked=True, lock_reason="move")
    api.create_job("nap", "pass", dependencies=["board:pi4"])
    shown = command("job", "show", 1).stdout
    assert "15 hosts carry board:pi4; none is free: 15 locked" in shown
    assert "  h12: locked by somebody (move)\n  and 3 more hosts (all of them: --json)\n" in shown


def test_hostile_texts_cannot_steer_the_terminal(installation, command, nap):
    nap(keyvals={"k": "\x1b[2Jx\ny"})
    shown = command("job", "show", 1).stdout
    assert "k=\ufffd[2Jx y" in shown


def test_list_is_paged_and_filtered(installation, command, nap):
    ids = [nap(owner="bob"), nap(), nap(owner="bob")]
    api.abort_jobs(ids[:1])
    result = command("job", "list", "--limit", 2)
    assert "There are more: --before 2" in result.stderr
    assert [row["id"] for row in command.json("job", "list", "--before", 3, "--owner", "bob")] == [1]
    assert [row["id"] for row in command.json("job", "list", "--status", "Aborted")] == [1]
    assert command.json("job", "list", "--limit", 1)[0]["entries"] == {"Queued": 1}
    assert command("job", "list", "--owner", "carol").stdout == "No jobs.\n"


def test_a_suite_is_in_the_list_of_suites_and_its_jobs_under_it(installation, command, nap):
    installation.build()
    suite = api.create_suite_job("smoke", "pi4", BUILD)
    nap()
    assert [row["id"] for row in command.json("job", "list")] == [suite + 1]
    assert command.json("job", "list", "--suite", suite) == []
    assert command.json("job", "show", suite)["entries"][0]["waits_for"] == "the suites worker, to create its jobs"


def test_abort_is_rehearsed_first(installation, command, nap):
    nap()
    assert command("job", "abort", 1, "--dry-run").stdout == "would abort nap, job 1 (Queued)\n"
    assert command.json("job", "abort", 1)[0]["job_id"] == 1
    assert installation.entries(1)[0].status == "Aborted"


@pytest.mark.parametrize("words", [("abort", 1, 9), ("abort", 9, "--dry-run"), ("show", 9)])
def test_an_unknown_job_is_named(installation, command, nap, words):
    nap()
    result = command("job", *words, code=1)
    assert result.stderr == "autotest: there is no job 9; see: autotest job list\n"
    assert not installation.entries(1)[0].aborted


@pytest.mark.parametrize("words", [("show", "x"), ("abort",), ("list", "--limit", "0"), ("list", "--status", "Bored")])
def test_a_command_line_that_makes_no_sense_is_a_usage_error(installation, command, words):
    assert "Usage:" in command("job", *words, code=2).stderr


def test_queues_tell_which_one_nobody_serves(installation, command, nap):
    nap()
    nap(priority="CQ")
    api.lock_host("rack1-h1", "fan")
    result = command("job", "queues")
    assert "NOT SERVED: 1 host carries board:pi4; none is free: rack1-h1 locked by ann (fan)" in result.stdout
    (queue,) = json.loads(command("job", "queues", "--json").stdout)
    assert (queue["entries"], queue["priority"], queue["oldest_job"], queue["hosts"], queue["free"]) == (2, 70, 1, 1, 0)
    assert (queue["served"], queue["labels"]) == (False, ["board:pi4"])


def test_no_queue_is_listed_once_nothing_waits(installation, command, nap):
    nap()
    api.abort_jobs([1])
    assert command("job", "queues").stdout == "No entry waits.\n"


@pytest.mark.parametrize(("word", "number"), [("CQ", 70), ("13", 13), ("post build", None), ("PostBuild", 30)])
def test_a_job_that_waits_gets_another_priority(installation, command, nap, word, number):
    nap()
    if number is None:
        assert "'post build' is neither a number nor one of" in command("job", "priority", 1, word, code=1).stderr
        return
    assert command("job", "priority", 1, word).stdout == f"job 1 nap has priority {word}\n"
    assert api.show_job(1)["priority"] == number
    assert [entry.priority for entry in installation.entries(1)] == [number]


def test_a_new_priority_wakes_the_queue_and_leaves_what_ended(installation, command, nap):
    nap()
    nap()
    installation.ended(1)
    queue = wakes.label_queue(installation.entries(2)[0].queue_key)
    installation.messages(queue)
    assert command.json("job", "priority", 1, 2, "Super") == [{"id": 2, "name": "nap"}]
    assert (installation.messages(queue), api.show_job(1)["priority"]) == (1, 40)
    assert command("job", "priority", 1, "Super").stdout == "Nothing to change: every job has ended.\n"


def test_an_unknown_job_changes_none(installation, command, nap):
    nap()
    assert "there is no job 9" in command("job", "priority", 1, 9, "Super", code=1).stderr
    assert api.show_job(1)["priority"] == 40
