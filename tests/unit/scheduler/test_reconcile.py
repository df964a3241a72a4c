"""What a dead worker, broker or lab left behind is taken back, once, and a live one is left alone."""

from __future__ import annotations

import dataclasses

import pytest

from autotest.models.afe import Host, SpecialTask
from autotest.models.database import transaction
from autotest.models.lab import Lab, Lease
from autotest.scheduler import entries, hosts, leases, reconcile
from autotest.states import EntryStatus, HostStatus, Protection, Step, TaskKind


@pytest.fixture
def host(lab):
    return lab.host("h1", labels=["x"])


@pytest.fixture
def entry(lab, host):
    return lab.entry(needs=["x"])


def take_back(lab, token, **more):
    return reconcile.take_back(token, "nobody holds it", lab.settings, lab.now, **more)


def test_a_run_without_holder_goes_back_to_its_queue_and_counts(lab, host, entry):
    token = lab.running(entry)

    woken = take_back(lab, token)

    row = lab.fresh(entry)
    assert (row.status, row.active, row.requeues, row.reason) == ("Queued", False, 1, "nobody holds it")
    assert lab.open_leases() == []
    assert lab.status(host) is HostStatus.READY
    assert not lab.tasks(host, "Verify")[-1].is_complete
    assert "autotest.claim" in [wake.task for wake in woken]


def test_a_step_that_had_not_begun_does_not_count(lab, host, entry):
    for _ in range(lab.settings.max_requeues + 2):
        take_back(lab, lab.granted(entry))

    row = lab.fresh(entry)
    assert (row.status, row.requeues) == ("Queued", 0)
    assert all(task.is_complete for task in lab.tasks(host, "Verify"))


def test_a_test_that_waited_to_begin_goes_back_without_counting(lab, host, entry):
    token = lab.granted(entry)
    lab.run_step(token)

    take_back(lab, token)

    assert (lab.status(entry), lab.fresh(entry).requeues) == (EntryStatus.QUEUED, 0)
    assert lab.claim(entry).host_id == host.id


def test_an_entry_that_names_its_host_stays_with_it(lab, host):
    entry = lab.entry(host=host)

    take_back(lab, lab.running(entry))

    row = lab.fresh(entry)
    assert (row.status, row.active, row.host_id) == ("Queued", False, host.id)
    lab.grant_tasks()
    lab.run_step(lab.open_leases(host)[0].id)
    assert lab.claim(entry).host_id == host.id


def test_a_lease_is_taken_back_once(lab, entry):
    token = lab.running(entry)
    take_back(lab, token)

    assert take_back(lab, token) == []
    assert take_back(lab, token + 1) == []
    assert lab.fresh(entry).requeues == 1


def test_what_the_old_holder_says_afterwards_changes_nothing(lab, host, entry):
    token = lab.running(entry)
    lab_says = [lab.ok, lab.broken, lab.lost, lab.late]
    take_back(lab, token)
    before = lab.fresh(entry).__data__

    for ended in lab_says:
        assert lab.end(token, ended) == []
    assert lab.fresh(entry).__data__ == before


def test_a_run_that_was_taken_back_too_often_fails_with_its_folder(lab, host, entry):
    lab.settings = dataclasses.replace(lab.settings, max_requeues=0)
    token = lab.running(entry)

    take_back(lab, token)

    row = lab.fresh(entry)
    assert (row.status, row.token) == ("Parsing", token)
    assert row.reason == "nobody holds it; given up after 1 attempt"


def test_a_verify_that_was_taken_back_too_often_fails_without_folder(lab, host, entry):
    lab.settings = dataclasses.replace(lab.settings, max_requeues=0)
    token = lab.granted(entry)
    lab.begin(token)

    take_back(lab, token)

    row = lab.fresh(entry)
    assert (row.status, row.token, row.execution_subdir) == ("Parsing", None, "h1")


@pytest.mark.parametrize("began", [True, False])
def test_a_repair_without_holder_is_queued_again(lab, host, entry, began):
    token = lab.granted(entry)
    lab.run_step(token, lab.broken)
    if began:
        lab.begin(token)

    take_back(lab, token)

    assert [task.is_complete for task in lab.tasks(host, "Repair")] == [True, False]
    assert lab.status(host) is HostStatus.READY
    assert lab.claim(entry).token is None


def test_a_repair_that_kills_its_worker_each_time_ends_with_the_host_given_up(lab, host):
    hosts.request_task("h1", TaskKind.REPAIR, "alice")
    for _ in range(lab.settings.max_requeues + 1):
        lab.grant_tasks()
        (lease,) = lab.open_leases(host)
        lab.begin(lease.id)
        take_back(lab, lease.id)

    assert lab.status(host) is HostStatus.REPAIR_FAILED
    assert lab.fresh(host).status_reason == "Repair never came to an end"
    assert lab.grant_tasks() == []


def test_an_aborted_run_without_holder_is_parsed(lab, entry):
    token = lab.running(entry)
    entries.abort([entry.id], "bob", "not needed", lab.now)

    take_back(lab, token)

    assert lab.status(entry) is EntryStatus.PARSING
    entries.finish(entry.id)
    assert lab.status(entry) is EntryStatus.ABORTED


def test_a_host_that_asks_not_to_be_verified_is_only_freed(lab, host, entry):
    Host.update(protection=Protection.DO_NOT_VERIFY).where(Host.id == host.id).execute()

    take_back(lab, lab.running(entry))

    assert lab.tasks(host, "Verify") == []


def test_a_lease_that_beat_since_it_was_seen_is_kept(lab, host, entry):
    token = lab.running(entry)
    seen = Lease.get_by_id(token)
    leases.beat([token])

    assert take_back(lab, token, seen=seen) == []
    assert len(lab.open_leases(host)) == 1
    assert take_back(lab, token, seen=Lease.get_by_id(token)) != []


def test_a_step_that_began_since_it_was_seen_is_kept(lab, host, entry):
    token = lab.granted(entry)
    seen = Lease.get_by_id(token)
    lab.begin(token)

    assert take_back(lab, token, seen=seen) == []
    assert len(lab.open_leases(host)) == 1


def _restarted(lab):
    lab.row = hosts.start_lab("desk", "node:2", [], lab.now)
    return reconcile.predecessors(lab.row, lab.settings, lab.now)


def test_a_new_worker_takes_back_all_that_its_predecessor_held(lab, host, entry):
    lab.running(entry)
    waiting = lab.host("h2", labels=["y"])
    between = lab.entry(needs=["y"])
    lab.granted(between)

    _restarted(lab)

    assert lab.open_leases() == []
    assert {lab.status(row) for row in (entry, between)} == {EntryStatus.QUEUED}
    assert {lab.status(row) for row in (host, waiting)} == {HostStatus.READY}
    assert [lab.fresh(row).requeues for row in (entry, between)] == [1, 0]


def test_a_new_worker_leaves_its_own_leases_and_other_labs_alone(lab, host, entry):
    attic = Lab.create(name="attic", incarnation=1)
    far = lab.host("a1", labels=["far"], lab=attic)
    lab.claim(lab.entry(needs=["far"]), lab=attic)
    _restarted(lab)
    token = lab.granted(entry)

    assert reconcile.predecessors(lab.row, lab.settings, lab.now) == []
    assert {lease.id for lease in lab.open_leases()} == {token, lab.open_leases(far)[0].id}


@pytest.mark.parametrize("status", sorted(set(HostStatus) - {HostStatus.READY, HostStatus.REPAIR_FAILED}))
def test_a_host_state_that_no_lease_explains_is_put_right(lab, status):
    host = lab.host("h1", status=status.value, leased=True)

    _restarted(lab)

    assert lab.status(host) is HostStatus.READY
    assert not lab.fresh(host).leased


def test_a_dead_host_stays_dead_when_its_worker_restarts(lab):
    host = lab.host("h1", status="Repair Failed")

    _restarted(lab)

    assert lab.status(host) is HostStatus.REPAIR_FAILED


def test_tasks_that_no_lease_carries_never_block_a_host_for_ever(lab, host, entry):
    user = hosts.users.named("alice")
    own = SpecialTask.create(host=host, task="Verify", is_active=True, requested_by=user)
    stray = SpecialTask.create(host=host, task="Verify", is_active=True, requested_by=user, queue_entry=entry)

    _restarted(lab)

    assert (lab.fresh(own).is_active, lab.fresh(own).is_complete) == (False, False)
    assert (lab.fresh(stray).is_active, lab.fresh(stray).is_complete) == (False, True)
    lab.grant_tasks()
    lab.run_step(lab.open_leases(host)[0].id)
    assert lab.claim(entry).host_id == host.id


def overdue(lab, **span):
    lab.later(**span)
    return reconcile.overdue(lab.row, lab.settings, lab.now)


def test_a_step_that_nobody_began_is_sent_again_then_taken_back(lab, host, entry):
    token = lab.granted(entry)

    assert overdue(lab, seconds=9) == []
    for _ in range(2):
        (wake,) = overdue(lab, seconds=11)
        assert (wake.task, wake.args) == ("autotest.verify", (token,))
    assert lab.fresh(entry).active

    woken = overdue(lab, seconds=11)

    assert "autotest.claim" in [wake.task for wake in woken]
    assert (lab.status(entry), lab.fresh(entry).active, lab.fresh(entry).requeues) == (EntryStatus.QUEUED, False, 0)
    assert lab.open_leases() == []


def test_a_step_that_was_sent_again_begins_once(lab, entry):
    token = lab.granted(entry)
    overdue(lab, seconds=11)

    assert lab.begin(token) is not None
    assert lab.begin(token) is None
    assert overdue(lab, hours=1) == []


def test_steps_of_another_lab_are_its_own_matter(lab, entry):
    lab.granted(entry)

    assert reconcile.overdue(Lab.create(name="attic"), lab.settings, lab.later(hours=1)) == []


def test_an_abort_between_two_steps_ends_the_entry_and_frees_its_host(lab, host, entry):
    token = lab.granted(entry)
    lab.run_step(token)
    entries.abort([entry.id], "bob", "not needed", lab.now)
    other = lab.entry(needs=["x"])

    running, woken = reconcile.aborted(lab.row, lab.now)

    assert running == []
    assert [wake.args for wake in woken] == [(other.queue_key,)]
    assert lab.status(entry) is EntryStatus.ABORTED
    assert lab.status(host) is HostStatus.READY
    assert lab.begin(token) is None
    assert reconcile.aborted(lab.row, lab.now) == ([], [])


@pytest.mark.parametrize("step", [Step.VERIFY, Step.RUN_TEST])
def test_an_abort_of_a_step_that_runs_names_the_child_to_kill(lab, host, entry, step):
    token = lab.granted(entry)
    while lab.step(token) is not step:
        lab.run_step(token)
    lab.begin(token)
    lab.entry(needs=["y"])
    assert reconcile.aborted(lab.row, lab.now) == ([], [])

    entries.abort([entry.id], "bob", "not needed", lab.now)

    assert reconcile.aborted(lab.row, lab.now) == ([token], [])
    lab.end(token, lab.killed)
    assert reconcile.aborted(lab.row, lab.now) == ([], [])
    entries.finish(entry.id)
    assert lab.status(entry) is EntryStatus.ABORTED


def test_an_abort_does_not_stop_the_repair_that_follows(lab, host, entry):
    token = lab.granted(entry)
    lab.run_step(token, lab.broken)
    entries.abort([entry.id], "bob", "not needed", lab.now)

    assert reconcile.aborted(lab.row, lab.now) == ([], [])
    assert lab.step(token) is Step.REPAIR
    assert lab.begin(token) is not None


def test_giving_up_spares_a_step_that_began_meanwhile(lab, entry):
    token = lab.granted(entry)
    lab.begin(token)
    entries.abort([entry.id], "bob", "not needed", lab.now)

    assert reconcile.steps.give_up(token, Step.VERIFY, lab.now) == []
    assert lab.status(entry) is EntryStatus.VERIFYING


def watched(watch: reconcile.Watch, lab, begin: int, end: int, every: int = 100) -> list[int]:
    """What the watcher says at *end* when it looked every so many seconds since *begin*."""
    for moment in range(begin, end, every):
        watch.dead(lab.open_leases(), moment)
    return watch.dead(lab.open_leases(), end)


def test_a_lease_whose_counter_stands_still_for_its_length_is_dead(lab, entry):
    token = lab.running(entry)
    watch = reconcile.Watch(900)

    assert watched(watch, lab, 0, 899) == []
    leases.beat([token])
    assert watched(watch, lab, 900, 1799) == []
    assert watch.dead(lab.open_leases(), 1800) == [token]


def test_the_watcher_counts_from_when_it_first_looked(lab, entry):
    token = lab.running(entry)
    watch = reconcile.Watch(900)

    assert watched(watch, lab, 5_000_000, 5_000_899) == []
    assert watch.dead(lab.open_leases(), 5_000_900) == [token]


def test_a_watcher_that_could_not_look_begins_anew(lab, entry):
    token = lab.running(entry)
    watch = reconcile.Watch(900)
    watched(watch, lab, 0, 600)

    assert watched(watch, lab, 1000, 1899) == []
    assert watch.dead(lab.open_leases(), 1900) == [token]


def test_the_watcher_forgets_what_was_released(lab, entry):
    token = lab.running(entry)
    watch = reconcile.Watch(900)
    watch.dead(lab.open_leases(), 0)
    with transaction():
        leases.release(Lease.get_by_id(token), "done", lab.now)

    assert watch.dead(lab.open_leases(), 10_000) == []


def test_a_step_sent_again_is_a_sign_of_life(lab, entry):
    token = lab.granted(entry)
    watch = reconcile.Watch(15)
    watched(watch, lab, 0, 14, every=2)
    overdue(lab, seconds=11)

    assert watched(watch, lab, 15, 29, every=2) == []
    assert watch.dead(lab.open_leases(), 30) == [token]
