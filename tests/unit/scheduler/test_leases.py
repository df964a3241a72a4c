"""Leases: one open a host, kept by the schema; tasks of a host get them before entries do."""

from __future__ import annotations

import peewee
import pytest

from autotest.models.database import transaction
from autotest.models.lab import Lease
from autotest.scheduler import hosts, leases
from autotest.scheduler.claims import Found
from autotest.states import Step, TaskKind


def test_a_task_of_the_host_goes_before_any_entry(lab):
    host = lab.host("h1", labels=["x"])
    entry = lab.entry(needs=["x"], priority=80)
    hosts.request_task("h1", TaskKind.VERIFY, "alice")

    assert lab.claim(entry).found is Found.NO_HOST
    (wake,) = lab.grant_tasks()
    assert (wake.task, wake.shown) == ("autotest.verify", "verify of h1")
    (lease,) = lab.open_leases(host)
    lab.run_step(lease.id)
    assert lab.claim(entry).host_id == host.id


def test_tasks_of_one_host_go_repair_first_one_at_a_time(lab):
    host = lab.host("h1")
    for kind in (TaskKind.VERIFY, TaskKind.REPAIR):
        hosts.request_task("h1", kind, "alice")

    assert len(lab.grant_tasks()) == 1
    assert lab.grant_tasks() == []
    (lease,) = lab.open_leases(host)
    assert lease.step == Step.REPAIR.value


def test_a_task_of_a_locked_host_waits(lab):
    host = lab.host("h1", locked=True)
    hosts.request_task("h1", TaskKind.VERIFY, "alice")

    assert lab.grant_tasks() == []
    hosts.unlock("h1")
    assert len(lab.grant_tasks()) == 1
    assert len(lab.open_leases(host)) == 1


def _second_lease(lab, token, **columns):
    first = Lease.get_by_id(token)
    fields = {"host": first.host_id, "entry": None, "lab": lab.row, "incarnation": 1, "step": "verify", **columns}
    return Lease.create(**fields)


def test_the_schema_refuses_a_second_open_lease_of_a_host(lab):
    lab.host("h1", labels=["x"])
    token = lab.granted(lab.entry(needs=["x"]))

    with pytest.raises(peewee.IntegrityError), transaction():
        _second_lease(lab, token)


def test_the_schema_refuses_a_second_open_lease_of_an_entry(lab):
    lab.host("h1", labels=["x"])
    other = lab.host("h2")
    entry = lab.entry(needs=["x"])
    token = lab.granted(entry)

    with pytest.raises(peewee.IntegrityError), transaction():
        _second_lease(lab, token, host=other, entry=entry)


def test_a_released_lease_leaves_the_host_to_the_next_with_a_higher_token(lab):
    lab.host("h1", labels=["x"])
    entry = lab.entry(needs=["x"])
    tokens = []
    for _ in range(3):
        tokens.append(lab.granted(entry))
        lab.run_step(tokens[-1], lab.lost)

    assert tokens == sorted(set(tokens))
    assert not lab.open_leases()


def test_a_beat_counts_for_open_leases_and_tells_which_are_lost(lab):
    lab.host("h1", labels=["x"])
    lab.host("h2", labels=["x"])
    kept, lost = lab.granted(lab.entry(needs=["x"])), lab.granted(lab.entry(needs=["x"]))
    with transaction():
        leases.release(Lease.get_by_id(lost), "taken back", lab.now)

    assert leases.beat([kept, lost]) == {kept}
    assert Lease.get_by_id(kept).beat == 1
    assert Lease.get_by_id(lost).beat == 0
    assert leases.beat([]) == set()


def test_a_lease_is_released_once(lab):
    lab.host("h1", labels=["x"])
    lease = Lease.get_by_id(lab.granted(lab.entry(needs=["x"])))

    with transaction():
        assert leases.release(lease, "first", lab.now)
        assert not leases.release(lease, "second", lab.later(seconds=1))
    assert Lease.get_by_id(lease.id).release_reason == "first"
