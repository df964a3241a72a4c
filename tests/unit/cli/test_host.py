"""`autotest host`: the inventory, and what is done to hosts by hand."""

from __future__ import annotations

import pytest

from autotest import api


def test_list_is_in_natural_order_and_says_who_is_not_free(installation, command):
    for name in ("rack1-h10", "rack1-h9"):
        installation.host(name)
    installation.host("rack1-h11", ["board:pi5"], locked=True, lock_reason="fan")
    assert [row["hostname"] for row in command.json("host", "list")] == ["rack1-h9", "rack1-h10", "rack1-h11"]
    assert "locked by somebody (fan)" in command("host", "list").stdout


@pytest.mark.parametrize(
    ("words", "names"),
    [
        (("--label", "modem"), ["h2"]),
        (("--label", "modem", "--label", "board:pi4"), ["h2"]),
        (("--status", "repair failed"), ["h3"]),
        (("--lab", "rack"), ["h2"]),
        (("--locked",), ["h1"]),
        (("--unlocked",), ["h2", "h3"]),
        (("--after", "h1", "--limit", "1"), ["h2"]),
    ],
)
def test_list_can_be_narrowed(installation, command, words, names):
    installation.host("h1", locked=True)
    installation.host("h2", ["board:pi4", "modem"], lab="rack")
    installation.host("h3", status="Repair Failed")
    assert [row["hostname"] for row in command.json("host", "list", *words)] == names


def test_list_says_how_to_see_more_or_that_there_is_nothing(installation, command):
    assert command("host", "list").stdout == "No hosts.\n"
    for name in ("h1", "h2"):
        installation.host(name)
    assert "There are more: --after h1" in command("host", "list", "--limit", 1).stderr


def test_show_tells_lock_lease_and_tasks(installation, command):
    installation.host("h1")
    job = api.create_job("nap", "pass", dependencies=["board:pi4"])
    token = installation.lease("h1", job).id
    api.lock_host("h1", "fan", by="alice")
    installation.task("h1", "Verify", is_complete=True, success=True)
    installation.task("h1", "Repair", is_complete=True)
    installation.task("h1", "Verify", is_active=True)
    shown = command("host", "show", "h1").stdout
    assert f"takes work: no, leased to job {job} (run_test)\n" in shown
    assert ": fan\n" in shown
    assert f"token {token} for job {job} since" in shown
    found = command.json("host", "show", "h1")
    assert [(task["task"], task["state"]) for task in found["tasks"]] == [
        ("Verify", "running"),
        ("Repair", "failed"),
        ("Verify", "passed"),
    ]
    assert found["lease"].items() >= {"token": token, "step": "run_test", "job_id": job, "running": True}.items()


def test_show_tells_why_a_host_waits_for_people(installation, command):
    installation.host("h1", status="Repair Failed", status_reason="no ssh after power cycle")
    assert "reason:     no ssh after power cycle\n" in command("host", "show", "h1").stdout


def test_add_says_when_no_worker_reaches_the_host(installation, command):
    installation.lab("desk")
    assert "belongs to no lab yet" in command("host", "add", "h1", "--label", "board:pi4").stdout
    words = ("--lab", "desk", "--attribute", "port=2222", "--platform", "pi4", "--protection", 2)
    found = command.json("host", "add", "h2", *words)
    assert (found["lab"], found["labels"], found["attributes"]["port"]) == ("desk", ["pi4"], "2222")
    assert found["protection"] == 2


@pytest.mark.parametrize(
    ("words", "code", "text"),
    [
        (("h1",), 1, "autotest: hostname: h1 is there already; see: autotest host show h1\n"),
        (("h2", "--lab", "nowhere"), 1, "autotest: no lab is called 'nowhere'; labs: desk\n"),
        (("h2", "--attribute", "port"), 1, "autotest: --attribute: 'port' is not KEY=VALUE\n"),
        (("h2", "--protection", "9"), 2, "Invalid value for '--protection'"),
    ],
)
def test_add_refuses_in_one_line(installation, command, words, code, text):
    installation.host("h1")
    assert text in command("host", "add", *words, code=code).stderr


def test_lock_and_unlock_take_many_hosts(installation, command):
    installation.host("h1")
    installation.host("h2")
    assert command("host", "lock", "h1", "h2", "--reason", "move").stdout == "h1 is locked\nh2 is locked\n"
    assert command("host", "unlock", "h1", "h2").stdout == "h1 is unlocked\nh2 is unlocked\n"
    assert "h1 is not locked" in command("host", "unlock", "h1", code=1).stderr


@pytest.mark.parametrize("verb", ["lock", "unlock", "verify", "repair"])
def test_a_dry_run_changes_nothing(installation, command, verb):
    installation.host("h1", locked=verb == "unlock")
    before = api.show_host("h1")
    words = ("--reason", "move") if verb == "lock" else ()
    assert command("host", verb, "h1", "--dry-run", *words).stdout.startswith(f"would {verb} h1: Ready")
    after = api.show_host("h1")
    assert (after["locked"], after["tasks"]) == (before["locked"], before["tasks"])


def test_one_wrong_name_stops_all(installation, command):
    installation.host("h1")
    result = command("host", "lock", "h1", "h9", "--reason", "move", code=1)
    assert result.stderr == "autotest: no host is called 'h9'; see: autotest host list\n"
    assert not api.show_host("h1")["locked"]


def test_a_lock_without_a_reason_is_a_usage_error(installation, command):
    assert "Missing option '--reason'" in command("host", "lock", "h1", code=2).stderr


@pytest.mark.parametrize(("verb", "kind"), [("verify", "Verify"), ("repair", "Repair")])
def test_a_task_says_what_it_waits_for(installation, command, verb, kind):
    installation.host("h1")
    installation.host("h2", locked=True, lock_reason="fan")
    assert command("host", verb, "h1", "h2").stdout == (
        f"{kind} of h1 is task 1\n{kind} of h2 is task 2; not yet: locked by somebody (fan)\n"
    )
