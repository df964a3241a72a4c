"""Entries move only along the table, once; an abort reaches every state and every child."""

from __future__ import annotations

import itertools

import pytest

from autotest import errors, states
from autotest.models.afe import AbortedEntry, HostQueueEntry, IneligibleHostQueue, Job, SpecialTask
from autotest.scheduler import entries
from autotest.states import EntryStatus, HostStatus, Step

PAIRS = list(itertools.product(EntryStatus, EntryStatus))
LEGAL = [(old, new) for old, new in PAIRS if new in states.MAY_FOLLOW.get(old, ())]
ILLEGAL = sorted(set(PAIRS) - set(LEGAL))


def _in(lab, status, **fields):
    entry = lab.entry(needs=["x"], **fields)
    HostQueueEntry.update(status=status.value, active=status in states.ACTIVE, complete=status in states.FINAL).where(
        HostQueueEntry.id == entry.id
    ).execute()
    return entry


@pytest.mark.parametrize(("old", "new"), LEGAL, ids=lambda status: status.value)
def test_a_legal_move_happens_once_and_derives_active_and_complete(lab, old, new):
    entry = _in(lab, old)

    assert entries.advance(entry.id, old, new)
    assert not entries.advance(entry.id, old, new)

    row = lab.fresh(entry)
    assert row.status == new.value
    assert row.active == (new in states.ACTIVE)
    assert row.complete == (new in states.FINAL)


def test_every_other_move_is_refused_and_changes_nothing(lab):
    entry = lab.entry(needs=["x"])
    for old, new in ILLEGAL:
        HostQueueEntry.update(status=old.value, active=old in states.ACTIVE, complete=old in states.FINAL).where(
            HostQueueEntry.id == entry.id
        ).execute()
        with pytest.raises(errors.IllegalMove, match=f"entry {entry.id}: {new.value} may not follow {old.value}"):
            entries.advance(entry.id, old, new)
        assert lab.status(entry) is old


def test_a_move_from_a_state_that_was_left_does_nothing(lab):
    entry = _in(lab, EntryStatus.RUNNING)

    assert not entries.advance(entry.id, EntryStatus.STARTING, EntryStatus.RUNNING, reason="late")
    assert lab.fresh(entry).reason == ""


def test_a_reason_is_cut_to_its_column(lab):
    entry = _in(lab, EntryStatus.RUNNING)

    entries.advance(entry.id, EntryStatus.RUNNING, EntryStatus.GATHERING, reason="x" * 5000)

    assert lab.fresh(entry).reason == "x" * 1024


def test_a_requeued_metahost_entry_lets_go_of_its_host(lab):
    lab.host("h1", labels=["x"])
    entry = lab.entry(needs=["x"])
    lab.granted(entry)

    (wake,) = entries.requeue(lab.fresh(entry), "lost", counted=True)

    row = lab.fresh(entry)
    assert (row.host_id, row.active, row.requeues, row.reason) == (None, False, 1, "lost")
    assert not IneligibleHostQueue.select().exists()
    assert (wake.queue, wake.task) == (f"label.{entry.queue_key}", "autotest.claim")


def test_a_requeued_entry_that_names_a_host_keeps_it_and_its_queue(lab):
    host = lab.host("h1")
    entry = lab.entry(host=host)
    lab.granted(entry)

    (wake,) = entries.requeue(lab.fresh(entry), "lost", counted=False)

    row = lab.fresh(entry)
    assert (row.host_id, row.active, row.requeues) == (host.id, False, 0)
    assert wake.step == 1
    assert lab.busy(entry)
    assert IneligibleHostQueue.select().count() == 1


@pytest.mark.parametrize(
    ("columns", "final"),
    [
        ({"succeeded": True}, EntryStatus.COMPLETED),
        ({"succeeded": False}, EntryStatus.FAILED),
        ({"succeeded": True, "aborted": True}, EntryStatus.ABORTED),
    ],
)
def test_a_parsed_entry_ends_as_its_runner_said_unless_it_was_aborted(lab, columns, final):
    entry = _in(lab, EntryStatus.PARSING)
    HostQueueEntry.update(**columns).where(HostQueueEntry.id == entry.id).execute()

    assert entries.finish(entry.id) == []
    assert lab.status(entry) is final
    assert entries.finish(entry.id) == []


@pytest.mark.parametrize("status", sorted(set(EntryStatus) - {EntryStatus.PARSING}))
def test_only_an_entry_in_parsing_is_finished(lab, status):
    entry = _in(lab, status)

    assert entries.finish(entry.id) == []
    assert lab.status(entry) is status


def test_the_last_child_wakes_its_suite(lab):
    suite = lab.job(name="suite")
    first, second = (_in(lab, EntryStatus.PARSING, parent_job_id=suite.id) for _ in range(2))

    assert entries.finish(first.id) == []
    (wake,) = entries.finish(second.id)

    assert (wake.queue, wake.task, wake.args) == ("suites", "autotest.finish_suite", (suite.id,))


def abort(lab, *rows):
    return entries.abort([row.id for row in rows], "bob", "not needed any more", lab.now)


def test_an_abort_of_a_waiting_entry_ends_it_at_once_and_names_who_asked(lab):
    host = lab.host("h1", labels=["x"])
    entry = lab.entry(needs=["x"])

    assert abort(lab, entry) == ([entry.id], [])

    row = lab.fresh(entry)
    assert (row.status, row.aborted, row.complete, row.reason) == ("Aborted", True, True, "not needed any more")
    assert AbortedEntry.get_by_id(entry.id).aborted_by.login == "bob"
    assert AbortedEntry.get_by_id(entry.id).aborted_on == lab.now
    assert lab.status(host) is HostStatus.READY


def test_a_second_abort_does_nothing(lab):
    entry = lab.entry(needs=["x"])
    abort(lab, entry)

    assert entries.abort([entry.id], "carol", "again", lab.later(hours=1)) == ([], [])
    assert AbortedEntry.get_by_id(entry.id).aborted_by.login == "bob"


@pytest.mark.parametrize("status", sorted(states.FINAL))
def test_an_abort_leaves_a_final_entry_as_it_is(lab, status):
    entry = _in(lab, status)

    assert abort(lab, entry) == ([], [])
    assert not lab.fresh(entry).aborted


@pytest.mark.parametrize("status", [EntryStatus.PARSING, EntryStatus.GATHERING])
def test_an_abort_after_the_run_lets_the_parsing_end_it_as_aborted(lab, status):
    entry = _in(lab, status)

    assert abort(lab, entry) == ([entry.id], [])
    assert lab.status(entry) is status


def test_an_abort_completes_the_task_that_has_not_begun(lab):
    lab.host("h1", labels=["x"])
    entry = lab.entry(needs=["x"])
    lab.granted(entry)

    abort(lab, entry)

    (task,) = SpecialTask.select()
    assert (task.is_complete, task.is_aborted) == (True, True)


def test_an_abort_of_a_running_suite_reaches_its_children_and_wakes_it(lab):
    lab.host("h1", labels=["x"])
    suite = lab.job(name="suite")
    parent = HostQueueEntry.create(job=suite, status="Running", active=True)
    running = lab.entry(needs=["x"], parent_job_id=suite.id)
    lab.running(running)
    queued = lab.entry(needs=["x"], parent_job_id=suite.id)
    completed = _in(lab, EntryStatus.COMPLETED, parent_job_id=suite.id)

    aborted, woken = abort(lab, parent)

    assert set(aborted) == {parent.id, running.id, queued.id}
    assert lab.status(queued) is EntryStatus.ABORTED
    assert lab.status(running) is EntryStatus.RUNNING
    assert not lab.fresh(completed).aborted
    assert [wake.task for wake in woken] == ["autotest.finish_suite"]


def test_an_abort_of_the_last_queued_child_wakes_its_suite_once(lab):
    suite = lab.job(name="suite")
    HostQueueEntry.create(job=suite, status="Running", active=True)
    children = [lab.entry(needs=["x"], parent_job_id=suite.id) for _ in range(3)]

    _, woken = abort(lab, *children)

    assert [(wake.task, wake.args) for wake in woken] == [("autotest.finish_suite", (suite.id,))]


def test_a_queued_suite_is_aborted_at_once(lab):
    parent = HostQueueEntry.create(job=lab.job(name="suite"))

    assert abort(lab, parent) == ([parent.id], [])
    assert lab.status(parent) is EntryStatus.ABORTED


def test_jobs_that_are_each_other_s_parents_are_aborted_once(lab):
    first = lab.entry(needs=["x"])
    second = lab.entry(needs=["x"], parent_job_id=first.job_id)
    Job.update(parent_job=second.job_id).where(Job.id == first.job_id).execute()

    aborted, _ = abort(lab, first)

    assert sorted(aborted) == [first.id, second.id]


def test_a_metahost_counts_among_the_wanted_labels(lab):
    lab.host("h1", labels=["x", "y"])

    assert entries.wanted(lab.entry(needs=["y", "version:R1"], any_of="x")) == {"x", "y", "version:R1"}


def test_an_entry_between_two_steps_is_not_ended_by_the_abort_alone(lab):
    lab.host("h1", labels=["x"])
    entry = lab.entry(needs=["x"])
    token = lab.granted(entry)
    lab.run_step(token)

    assert lab.step(token) is Step.RUN_TEST
    assert abort(lab, entry)[0] == [entry.id]
    assert lab.status(entry) is EntryStatus.STARTING
