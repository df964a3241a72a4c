"""``autotest worker labs``, ``drain`` and ``undrain`` at the prompt."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner, Result

from autotest import api, cli
from autotest.models import database
from autotest.models.lab import Lab, Lease
from autotest.worker import labs_command


def command(*words: str, code: int = 0) -> Result:
    """What ``autotest worker WORDS`` says."""
    result = CliRunner().invoke(cli.main, ["worker", *words])
    assert result.exit_code == code, result.output
    return result


def lab_of(name: str = "desk") -> dict:
    (found,) = (lab for lab in api.list_labs() if lab["name"] == name)
    return found


def test_without_a_lab_that_is_said(installation):
    assert command("labs").output == "No labs: no lab worker ever ran.\n"
    assert json.loads(command("labs", "--json").output) == []


def test_the_labs_are_listed_with_who_serves_them_and_who_drained_them(installation):
    installation.host("rack1-h1")
    with database.connection():
        Lab.update(worker="node1:4711", started_at=database.utc_now()).execute()
    command("drain", "desk", "--reason", "new \x1b[31mswitch")

    shown = command("labs").output

    assert "node1:4711" in shown
    assert "by ann: new \ufffd[31mswitch" in shown
    (row,) = json.loads(command("labs", "--json").output)
    assert (row["name"], row["alive"], row["hosts"], row["drained"]) == ("desk", True, 1, True)


def test_a_lab_that_was_not_seen_for_long_is_gone(installation):
    installation.lab("desk", silent_s=900)
    assert "900 s ago, gone" in command("labs").output


def test_a_lab_is_drained_and_undrained(installation):
    installation.lab("desk")
    assert "desk is drained: it takes no new work" in command("drain", "desk").output
    assert lab_of()["drained"]
    assert command("undrain", "desk").output == "desk takes work again\n"
    assert not lab_of()["drained"]


def test_a_lab_that_is_not_there_is_one_line_and_exit_code_1(installation):
    result = command("drain", "desk", code=1)
    assert result.stderr == "autotest: no lab is called 'desk'; labs: none, since no lab worker ever ran\n"


def test_somebody_elses_drain_is_one_line_and_exit_code_1(installation):
    installation.lab("desk")
    api.drain_lab("desk", "fan", by="bob")
    assert "lab desk is drained by bob: fan; undrain it first" in command("drain", "desk", code=1).stderr


@pytest.fixture
def looks(monkeypatch):
    """What happens while drain --wait sleeps, one call for each look."""
    waiting = []
    monkeypatch.setattr(labs_command.time, "sleep", lambda _: waiting.pop(0)() if waiting else None)
    return waiting


def test_drain_waits_until_nothing_runs(installation, looks):
    installation.host("rack1-h1")
    installation.lease("rack1-h1", api.create_job("nap", "pass", hosts=["rack1-h1"]))

    def end():
        with database.connection():
            Lease.update(released_at=database.utc_now()).execute()

    looks += [lambda: None, end]

    said = command("drain", "desk", "--wait").output

    assert said.splitlines()[1:] == ["waiting for run_test on rack1-h1, job 1", "desk is empty"]


def test_drain_gives_up_when_it_was_told_to_and_the_lab_stays_drained(installation, looks):
    installation.host("rack1-h1")
    installation.lease("rack1-h1", api.create_job("nap", "pass", hosts=["rack1-h1"]))

    said = command("drain", "desk", "--wait", "--timeout", "0", code=1).stderr

    assert "lab desk still runs run_test on rack1-h1, job 1 after 0 s; it stays drained" in said
    assert lab_of()["drained"]


def test_a_timeout_without_wait_is_a_mistake(installation):
    command("drain", "desk", "--timeout", "3", code=2)
