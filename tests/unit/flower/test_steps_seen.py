"""Steps seen: Flower's tasks are told apart by what their text says they are about."""

from __future__ import annotations

import types

import pytest

from autotest import api
from autotest.flower import steps_seen
from autotest.flower.steps_seen import StepKey
from autotest.models import database
from autotest.scheduler import leases


def task(name, args):
    return types.SimpleNamespace(name=f"autotest.{name}", args=args)


@pytest.mark.parametrize(
    ("name", "args", "key"),
    [
        ("run_test", "sleeptest on rack1-host3, job 12", StepKey("run_test", "rack1-host3", 12)),
        ("repair", "repair of rack1-host3", StepKey("repair", "rack1-host3", None)),
        ("run_test", "a of b on c, job 1 on rack1-host3, job 12", StepKey("run_test", "rack1-host3", 12)),
    ],
)
def test_a_step_is_known_by_its_text(name, args, key):
    assert steps_seen.by_step([("u1", task(name, args))]) == {key: "u1"}


@pytest.mark.parametrize(
    ("name", "args"),
    [("claim", "sleeptest on rack1-host3, job 12"), ("run_test", "(12,)"), ("run_test", ""), ("run_test", None)],
)
def test_other_tasks_are_left_out(name, args):
    assert steps_seen.by_step([("u1", task(name, args))]) == {}


def test_of_two_the_newer_one_counts():
    text = "repair of h1"
    assert steps_seen.by_step([("newer", task("repair", text)), ("older", task("repair", text))]) == {
        StepKey("repair", "h1", None): "newer"
    }


def test_a_step_that_flower_did_not_see_has_no_task():
    assert steps_seen.uuid_of({StepKey("repair", "h1", None): "u1"}, "h2", "repair", None) == ""


def test_the_text_is_the_one_that_leases_send(installation):
    installation.host("pi4-1")
    job_id = api.create_job("build/suite/sleeptest", "pass", dependencies=["board:pi4"])
    run = installation.lease("pi4-1", job_id)
    installation.host("pi4-2")
    own = installation.lease("pi4-2", step="repair")
    with database.connection():
        texts = [leases.step_wake(lease, "desk").shown for lease in (run, own)]
    seen = steps_seen.by_step([("u1", task("run_test", texts[0])), ("u2", task("repair", texts[1]))])
    assert steps_seen.uuid_of(seen, "pi4-1", "run_test", job_id) == "u1"
    assert steps_seen.uuid_of(seen, "pi4-2", "repair", None) == "u2"
