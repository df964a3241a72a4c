"""Checks before a suite is created: no machine is 5, too few or a closed lab is 3, not again is 1 (section 4.7)."""

from __future__ import annotations

import pytest

from autotest import api, errors

ARGUMENTS = ("smoke", "-b", "pi4", "-i", "b1")


@pytest.fixture
def created(installation, monkeypatch):
    """The calls of create_suite_job; each makes suite 7."""
    calls = []
    monkeypatch.setattr(api, "create_suite_job", lambda **given: calls.append(given) or 7)
    return calls


@pytest.fixture
def run(command):
    return lambda *words, code=0: command("suite", "run", *ARGUMENTS, "-c", *words, code=code)


def test_a_suite_whose_machines_are_there_is_created(created, installation, run):
    installation.host("h1", ["board:pi4"])
    assert run().stdout == "Suite smoke is job 7. Follow it: autotest suite wait 7\n"
    assert created[0]["board"] == "pi4"


def test_without_any_machine_the_board_is_not_available(installation, run, monkeypatch):
    def nobody(**_):
        raise errors.NoEligibleHost({"board": 'no host carries "board:pi4"; nearest: none'})

    monkeypatch.setattr(api, "create_suite_job", nobody)
    result = run(code=5)
    assert result.stderr == 'autotest: board: no host carries "board:pi4"; nearest: none\n'
    installation.host("h1", ["board:pi4"], locked=True)
    assert run(code=3).stderr.endswith("nearest: none; --skip-duts-check queues the suite all the same\n")


@pytest.mark.parametrize(
    ("columns", "code"),
    [({}, 0), ({"status": "Running"}, 0), ({"locked": True}, 3), ({"status": "Repair Failed"}, 3)],
)
def test_hosts_that_are_locked_or_broken_are_not_available(created, installation, run, columns, code):
    installation.host("h1", ["board:pi4"])
    installation.host("h2", ["board:pi4"], **columns)
    result = run("--minimum-duts", 2, code=code)
    assert len(created) == (code == 0)
    if code:
        assert "1 of the 2 hosts with board:pi4 are available, and --minimum-duts asks for 2" in result.stderr
    run("--minimum-duts", 2, "--skip-duts-check")


def test_labels_that_ask_for_an_action_restrict_no_machine(created, installation, run):
    installation.host("h1", ["board:pi4"])
    run("--minimum-duts", 1, "--label", "skip_provision", "--label", "version:b1")
    run("--minimum-duts", 1, "--label", "wifi")
    assert len(created) == 2


@pytest.mark.parametrize(("words", "code"), [((), 3), (("--pre-check",), 1), (("-l",), 0)])
def test_a_suite_for_a_drained_lab_is_refused(created, installation, run, words, code):
    installation.host("h1", ["board:pi4"])
    api.drain_lab("desk", "new switch", "bob")
    result = run(*words, code=code)
    assert len(created) == (code == 0)
    if code:
        assert "lab desk is drained by bob (new switch), and no other lab has board:pi4" in result.stderr


def test_one_open_lab_is_enough(created, installation, run):
    installation.host("h1", ["board:pi4"])
    installation.host("h2", ["board:pi4"], lab="rack")
    api.drain_lab("desk", "new switch", "bob")
    run()
    assert len(created) == 1


@pytest.mark.parametrize(
    ("words", "labels", "code"),
    [
        ((), [], 1),
        (("--model", "a"), ["model:a"], 1),
        (("--model", "b"), ["model:a"], 0),
    ],
)
def test_a_pre_check_refuses_what_ran_already(created, installation, run, monkeypatch, words, labels, code):
    asked = []
    ran = {"job_id": 3, "child_dependencies": labels, "created_on": "2026-03-01 12:00:00"}
    monkeypatch.setattr(api, "find_suites", lambda *given: asked.append(given) or [ran])
    installation.host("h1", ["board:pi4", "model:b"])
    result = run("--pre-check", *words, code=code)
    assert (asked[0][:3], asked[0][3].days) == ((("smoke",), ("b1",), ("pi4",)), 14)
    assert ("as job 3, created 2026-03-01 12:00:00 UTC" in result.stderr) == bool(code)


def test_the_latest_build_is_told_and_looked_for_by_its_own_name(created, installation, command, monkeypatch):
    installation.build("pi4-release/R8-9.2")
    installation.build("pi4-release/R8-10.1")
    installation.host("h1", ["board:pi4"])
    asked = []
    monkeypatch.setattr(api, "find_suites", lambda *given: asked.append(given) or [])

    result = command("suite", "run", "smoke", "-b", "pi4", "-i", "pi4-release/LATEST", "--pre-check", "-c")

    assert result.stderr == "pi4-release/LATEST is pi4-release/R8-10.1\n"
    assert (asked[0][1], created[0]["build"]) == (("pi4-release/R8-10.1",), "pi4-release/R8-10.1")
