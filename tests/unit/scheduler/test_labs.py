"""Tests of autotest.scheduler.labs: a drained lab runs empty, and says by whom and why."""

from __future__ import annotations

import pytest

from autotest import errors
from autotest.models.lab import Lab, Lease
from autotest.scheduler import hosts, labs, leases, listing, steps, upkeep
from autotest.scheduler.claims import Found
from autotest.states import Step, TaskKind


@pytest.fixture
def entry(lab):
    """An entry that one free host of the lab could serve."""
    lab.host("h1", ["board:pi4"])
    return lab.entry(needs=["board:pi4"])


def test_a_drained_lab_gives_no_host_to_an_entry(lab, entry):
    labs.drain("desk", "ann", "new switch")

    assert hosts.free(lab.row.id) == []
    assert lab.claim(entry).found is Found.NO_HOST
    assert upkeep.servable() == []


def test_a_drained_lab_begins_no_task(lab):
    lab.host("h1")
    hosts.request_task("h1", TaskKind.VERIFY, "ann")
    labs.drain("desk", "ann", "")

    assert lab.grant_tasks() == []

    labs.undrain("desk")
    assert len(lab.grant_tasks()) == 1


def test_what_runs_in_a_drained_lab_keeps_its_lease_and_goes_on_to_its_next_step(lab, entry):
    granted = lab.claim(entry)
    labs.drain("desk", "ann", "")

    leases.next_step(Lease.get_by_id(granted.token), Step.RUN_TEST, lab.now, None)

    assert leases.beat([granted.token]) == {granted.token}
    assert [(row["hostname"], row["step"]) for row in labs.work("desk")] == [("h1", "run_test")]


def test_another_lab_goes_on(lab, entry):
    other = Lab.create(name="rack", incarnation=1)
    lab.host("h2", ["board:pi4"], lab=other)
    labs.drain("desk", "ann", "")

    assert lab.claim(entry, other).found is Found.GRANTED


def test_undrained_it_wakes_what_its_free_hosts_could_serve(lab, entry):
    labs.drain("desk", "ann", "")

    woken = labs.undrain("desk")

    assert [wake.args for wake in woken] == [(entry.queue_key,)]
    assert lab.claim(entry).found is Found.GRANTED


def test_a_drain_survives_the_restart_of_the_worker(lab):
    labs.drain("desk", "ann", "new switch")
    assert hosts.start_lab("desk", "node1:7", [], lab.now).drained


def test_a_drained_lab_is_said_wherever_people_look_for_the_reason(lab, entry):
    Lab.update(seen_at=lab.now).execute()
    labs.drain("desk", "ann", "new switch")
    why = "lab desk is drained by ann: new switch"

    (host,) = listing.host_list(lab.now, 30, 10)
    (queue,) = listing.queues(lab.now, 30)
    shown = listing.job(entry.job_id, lab.now, 30)["entries"][0]

    assert host["why_not_free"] == why
    assert queue["why"] == f"1 host carries board:pi4; none is free: h1 ({why})"
    assert not queue["served"]
    assert shown["waiting"]["blocked"] == {"h1": why}
    assert shown["waits_for"] == queue["why"]


def test_a_busy_host_of_a_drained_lab_is_not_said_to_serve_the_queue_afterwards(lab, entry):
    Lab.update(seen_at=lab.now).execute()
    lab.claim(entry)
    lab.entry(needs=["board:pi4"])
    labs.drain("desk", "ann", "")

    assert [row["served"] for row in listing.queues(lab.now, 30)] == [False]


def test_somebody_elses_drain_is_left_alone(lab):
    labs.drain("desk", "ann", "new switch")

    with pytest.raises(errors.LabBusy, match="lab desk is drained by ann: new switch; undrain it first"):
        labs.drain("desk", "bob", "")

    labs.drain("desk", "ann", "another switch")
    assert labs.drain_of(labs.named("desk")) == "ann: another switch"


def test_a_lab_that_is_not_drained_cannot_be_undrained(lab):
    with pytest.raises(errors.ValidationError, match="lab desk is not drained"):
        labs.undrain("desk")


@pytest.mark.parametrize(
    "ask", [lambda: labs.drain("dask", "ann", ""), lambda: labs.undrain("dask"), lambda: labs.work("dask")]
)
def test_a_lab_that_is_not_there_is_named_with_those_that_are(lab, ask):
    with pytest.raises(errors.NotFound, match="no lab is called 'dask'; labs: desk"):
        ask()


def test_a_reason_may_be_long(lab):
    labs.drain("desk", "a" * 300, "b" * 300)
    assert (labs.named("desk").drained_by, labs.named("desk").drain_reason) == ("a" * 255, "b" * 255)


def test_the_labs_say_who_serves_them_and_what_runs(lab, entry):
    hosts.start_lab("desk", "node1:7", [], lab.now)
    lab.row = labs.named("desk")
    lab.claim(entry)
    Lab.create(name="attic")

    attic, desk = labs.rows(lab.later(seconds=9), 30)

    assert desk == {
        "name": "desk",
        "incarnation": 2,
        "worker": "node1:7",
        "started_on": "2026-03-01 12:00:00",
        "seen_s": 9.0,
        "alive": True,
        "hosts": 1,
        "running": 0,
        "waiting": 1,
        "drained": False,
        "drained_by": "",
        "drain_reason": "",
    }
    assert (attic["alive"], attic["seen_s"], attic["started_on"], attic["hosts"]) == (False, None, None, 0)


def test_a_worker_that_ended_signs_off_and_a_replaced_one_does_not(lab):
    old = hosts.start_lab("desk", "node1:7", [], lab.now)
    new = hosts.start_lab("desk", "node1:8", [], lab.now)

    labs.gone(old)
    assert labs.named("desk").worker == "node1:8"

    labs.gone(new)
    assert labs.named("desk").worker == ""
    assert not labs.rows(lab.now, 30)[0]["alive"]


def test_a_lease_is_its_own_incarnations_alone(lab, entry):
    token = lab.granted(entry)
    old = lab.row

    new = hosts.start_lab("desk", "node1:8", [], lab.now)

    assert steps.begin(new, token, Step.VERIFY, lab.settings, lab.now) == (None, [])
    assert steps.begin(old, token, Step.VERIFY, lab.settings, lab.now)[0] is not None
