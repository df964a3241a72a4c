"""Upkeep finds what nobody else looks at: limits in time, and work that no message points to."""

from __future__ import annotations

import pytest

from autotest.models.afe import AbortedEntry, Host, HostQueueEntry
from autotest.models.lab import LabelQueue
from autotest.scheduler import entries, hosts, upkeep
from autotest.states import EntryStatus


def test_an_entry_older_than_its_timeout_is_aborted_in_the_name_of_the_system(lab):
    entry = lab.entry(needs=["x"], timeout_mins=60)
    longer = lab.entry(needs=["x"], timeout_mins=120)

    upkeep.timed_out(lab.later(minutes=59, seconds=59))
    assert lab.status(entry) is EntryStatus.QUEUED

    upkeep.timed_out(lab.later(seconds=1))
    row = lab.fresh(entry)
    assert (row.status, row.reason) == ("Aborted", "not done within its timeout of 60 minutes")
    assert AbortedEntry.get_by_id(entry.id).aborted_by.login == "autotest_system"
    assert lab.status(longer) is EntryStatus.QUEUED


def test_a_running_entry_is_aborted_by_its_timeout_whenever_it_began(lab):
    lab.host("h1", labels=["x"])
    entry = lab.entry(needs=["x"], timeout_mins=60)
    lab.later(minutes=59)
    lab.running(entry)

    upkeep.timed_out(lab.later(minutes=1))

    assert lab.fresh(entry).aborted
    assert lab.status(entry) is EntryStatus.RUNNING


def test_a_suite_that_times_out_takes_its_children_along(lab):
    suite = lab.job(name="suite", timeout_mins=60)
    parent = HostQueueEntry.create(job=suite, status="Running", active=True)
    child = lab.entry(needs=["x"], parent_job_id=suite.id, timeout_mins=600)

    (wake,) = upkeep.timed_out(lab.later(hours=2))

    assert lab.fresh(parent).aborted
    assert lab.status(child) is EntryStatus.ABORTED
    assert wake.task == "autotest.finish_suite"
    assert upkeep.timed_out(lab.later(hours=3)) == []


def test_a_queue_that_a_free_host_could_serve_is_woken_at_its_best_priority(lab):
    lab.host("h1", labels=["x", "y"])
    entry = lab.entry(needs=["x"], priority=10)
    lab.entry(needs=["x"], priority=50)
    lab.entry(needs=["z"])

    (wake,) = upkeep.servable()

    assert (wake.queue, wake.args, wake.step) == (f"label.{entry.queue_key}", (entry.queue_key,), 4)
    assert wake.shown == "x"


def test_a_queue_of_a_named_host_is_woken_before_all_others(lab):
    host = lab.host("h1")
    lab.entry(host=host, priority=10)

    assert [wake.step for wake in upkeep.servable()] == [1]


@pytest.mark.parametrize("columns", [{"locked": True}, {"status": "Repairing"}])
def test_a_queue_without_free_host_is_not_woken(lab, columns):
    host = lab.host("h1", labels=["x"])
    lab.entry(needs=["x"])
    Host.update(**columns).where(Host.id == host.id).execute()

    assert upkeep.servable() == []


def test_a_queue_without_entries_is_marked_idle(lab):
    lab.host("h1", labels=["x"])
    entry = lab.entry(needs=["x"])
    entries.abort([entry.id], "bob", "not needed", lab.now)

    assert upkeep.servable() == []
    assert not lab.busy(entry)


def test_a_queue_that_was_wrongly_taken_for_idle_is_found(lab):
    lab.host("h1", labels=["x"])
    entry = lab.entry(needs=["x"])
    empty = lab.entry(needs=["y"])
    entries.abort([empty.id], "bob", "not needed", lab.now)
    LabelQueue.update(busy=False).execute()
    assert upkeep.servable() == []

    upkeep.forgotten(lab.settings, lab.now)

    assert lab.busy(entry)
    assert not lab.busy(empty)
    assert len(upkeep.servable()) == 1


def test_the_sweep_costs_the_same_number_of_queries_whatever_waits(lab, monkeypatch):
    lab.host("h1", labels=["x"])
    database = type(Host._meta.database.obj)
    execute = database.execute_sql

    def cost():
        asked = []
        with monkeypatch.context() as patch:
            patch.setattr(database, "execute_sql", lambda *args: (asked.append(args[1]), execute(*args))[1])
            upkeep.servable()
            upkeep.timed_out(lab.now)
        return len(asked)

    lab.entry(needs=["x"])
    alone = cost()
    for number in range(30):
        lab.host(f"other{number}", labels=["x", f"y{number}"])
        lab.entry(needs=["x", f"y{number}"])

    assert cost() == alone


def test_a_parse_past_its_due_time_is_sent_again_to_the_lab_that_holds_the_folder(lab):
    lab.host("h1", labels=["x"])
    entry = lab.entry(needs=["x"], run_verify=False)
    lab.end(lab.running(entry))

    (wake,) = upkeep.forgotten(lab.settings, lab.later(seconds=11))
    assert (wake.queue, wake.task, wake.args) == ("results.desk", "autotest.parse", (entry.id,))
    assert upkeep.forgotten(lab.settings, lab.later(seconds=9)) == []
    assert len(upkeep.forgotten(lab.settings, lab.later(seconds=2))) == 1
    entries.finish(entry.id)
    assert upkeep.forgotten(lab.settings, lab.later(hours=1)) == []


def test_a_suite_past_its_due_time_is_sent_again(lab):
    queued = HostQueueEntry.create(job=lab.job(name="suite"), due_at=lab.now)
    running = HostQueueEntry.create(job=lab.job(name="suite"), status="Running", active=True, due_at=lab.now)

    woken = upkeep.forgotten(lab.settings, lab.later(seconds=1))

    assert {(wake.task, wake.args) for wake in woken} == {
        ("autotest.run_suite", (queued.job_id,)),
        ("autotest.finish_suite", (running.job_id,)),
    }


def test_after_an_empty_broker_all_that_is_not_final_is_woken(lab):
    for number in range(4):
        lab.host(f"h{number}", labels=["x"])
    parsing, aborted, running, due = (lab.entry(needs=["x"], run_verify=False) for _ in range(4))
    lab.end(lab.running(parsing))
    entries.finish(lab.completed(aborted).id)
    lab.running(running)
    token = lab.granted(due)
    queued = lab.entry(needs=["nobody has this"])
    suite = HostQueueEntry.create(job=lab.job(name="suite"))

    woken = {(wake.task, wake.args) for wake in upkeep.everything()}

    assert woken == {
        ("autotest.parse", (parsing.id,)),
        ("autotest.run_test", (token,)),
        ("autotest.claim", (queued.queue_key,)),
        ("autotest.run_suite", (suite.job_id,)),
    }


def test_a_lock_that_is_lifted_wakes_the_queues_of_the_host(lab):
    lab.host("h1", labels=["x"], locked=True)
    entry = lab.entry(needs=["x"])
    lab.entry(needs=["y"])

    assert [wake.args for wake in hosts.unlock("h1")] == [(entry.queue_key,)]
