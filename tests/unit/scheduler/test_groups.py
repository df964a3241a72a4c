"""Groups: hosts that run one test together are claimed, prepared, started, ended, lost and aborted together."""

from __future__ import annotations

import pytest

from autotest import errors
from autotest.models.afe import Host, HostQueueEntry, IneligibleHostQueue
from autotest.models.lab import Lease
from autotest.scheduler import entries, leases, quotas, reconcile, steps
from autotest.scheduler.claims import Found
from autotest.states import EntryStatus, HostStatus, Step


def statuses(lab, group):
    return [lab.status(entry).value for entry in group]


def tokens(group):
    """The tokens of the group's open leases, leader first."""
    found = Lease.select().where(Lease.entry.in_([entry.id for entry in group]), Lease.released_at.is_null())
    return [lease.id for lease in found.order_by(Lease.id)]


def held(lab):
    return sorted(lease.host.hostname for lease in lab.open_leases())


def ready(lab, group):
    """Bring the group to Starting. Returns the leading token."""
    leader = lab.granted(group[0])
    for token in tokens(group):
        if lab.step(token) is Step.VERIFY:
            lab.run_step(token)
    return leader


def running(lab, group):
    """Bring the group to Running. Returns what the runner is told."""
    work = lab.begin(ready(lab, group))
    assert work is not None
    return work


@pytest.fixture
def pair(lab):
    """Two hosts, and a job that needs both at once."""
    lab.host("h2", labels=["x"])
    lab.host("h1", labels=["x"])
    return lab.group(2, needs=["x"])


def test_a_group_gets_all_its_hosts_in_one_claim(lab, pair):
    claim = lab.claim(pair[0])
    assert claim.found is Found.GRANTED
    assert len(claim.host_ids) == 2
    assert held(lab) == ["h1", "h2"]
    assert statuses(lab, pair) == ["Queued", "Queued"]
    assert [lab.fresh(entry).active for entry in pair] == [True, True]
    assert {wake.task for wake in claim.wakes} == {"autotest.verify"}
    assert len(claim.wakes) == 2


def test_a_group_leases_none_of_its_hosts_while_one_is_missing(lab, pair):
    lab.granted(lab.entry(host=Host.get(Host.hostname == "h1")))
    assert lab.claim(pair[0]).found is Found.NO_HOST
    assert len(lab.open_leases()) == 1


def test_two_groups_never_hold_one_host_each(lab, pair):
    second = lab.group(2, needs=["x"])
    assert lab.claim(pair[0]).found is Found.GRANTED
    assert lab.claim(second[0]).found is Found.NO_HOST
    assert statuses(lab, second) == ["Queued", "Queued"]
    assert [lab.fresh(entry).host_id for entry in second] == [None, None]


def test_hosts_of_two_labs_make_no_group(lab):
    lab.host("h1", labels=["x"])
    lab.host("h2", labels=["x"], lab=type(lab.row).create(name="attic", incarnation=1))
    group = lab.group(2, needs=["x"])
    assert lab.claim(group[0]).found is Found.NO_HOST


def test_the_first_host_that_is_ready_is_held_and_the_last_one_starts_the_test(lab, pair):
    leader = lab.granted(pair[0])
    first, second = tokens(pair)
    lab.run_step(second)
    assert lab.step(second) is Step.HOLD
    assert sorted(statuses(lab, pair)) == ["Pending", "Queued"]
    woken = lab.run_step(first)
    assert leader == first
    assert [(wake.task, wake.args) for wake in woken] == [("autotest.run_test", (leader,))]
    assert woken[0].shown == f"sleeptest on h1, h2, job {pair[0].job_id}"
    assert statuses(lab, pair) == ["Starting", "Starting"]
    assert {lab.fresh(entry).execution_subdir for entry in pair} == {"group0"}


def test_the_runner_is_told_of_all_hosts_and_the_token_of_each(lab, pair):
    work = running(lab, pair)
    assert [info.hostname for info in work.job_file.hosts] == ["h1", "h2"]
    assert [work.job_file.token_of(name) for name in ("h1", "h2")] == tokens(pair)
    assert work.job_file.token == work.token == tokens(pair)[0]
    assert work.job_file.tag.endswith("/group0")
    assert work.keyvals["hostname"] == "h1,h2"
    assert statuses(lab, pair) == ["Running", "Running"]
    assert {host.status for host in Host.select()} == {HostStatus.RUNNING.value}


def test_a_group_whose_hosts_need_no_preparation_starts_at_once(lab):
    for name in ("h1", "h2"):
        lab.host(name, labels=["x"])
    group = lab.group(2, needs=["x"], run_verify=False)
    claim = lab.claim(group[0])
    assert [wake.task for wake in claim.wakes] == ["autotest.run_test"]
    assert statuses(lab, group) == ["Starting", "Starting"]
    assert [lab.step(token) for token in tokens(group)] == [Step.RUN_TEST, Step.HOLD]


def test_the_end_of_the_test_frees_every_host_and_one_parse_ends_every_entry(lab, pair):
    work = running(lab, pair)
    woken = lab.end(work.token)
    assert statuses(lab, pair) == ["Parsing", "Parsing"]
    assert {lab.fresh(entry).token for entry in pair} == {work.token}
    assert {host.status for host in Host.select()} == {HostStatus.READY.value}
    assert lab.open_leases() == []
    assert "autotest.parse" in {wake.task for wake in woken}
    entries.finish(pair[1].id)
    assert statuses(lab, pair) == ["Completed", "Completed"]
    assert IneligibleHostQueue.select().count() == 0


def test_a_test_that_fails_costs_every_host_a_verify(lab, pair):
    lab.end(running(lab, pair).token, lab.broken)
    entries.finish(pair[0].id)
    assert statuses(lab, pair) == ["Failed", "Failed"]
    assert all(len(lab.tasks(host, "Verify")) == 2 for host in Host.select())


def test_a_runner_that_vanishes_sends_the_whole_group_back(lab, pair):
    lab.end(running(lab, pair).token, lab.lost)
    for entry in pair:
        row = lab.fresh(entry)
        assert (row.status, row.active, row.host_id, row.token, row.requeues) == ("Queued", False, None, None, 1)
        assert row.execution_subdir == ""
    assert lab.open_leases() == []
    assert lab.busy(pair[0])


def test_a_group_whose_runner_vanishes_every_time_fails_as_a_whole(lab, pair):
    for _ in range(lab.settings.max_requeues + 1):
        lab.end(running(lab, pair).token, lab.lost)
        for token in [int(wake.args[0]) for wake in lab.grant_tasks()]:
            lab.run_step(token)
    assert statuses(lab, pair) == ["Parsing", "Parsing"]
    entries.finish(pair[0].id)
    assert statuses(lab, pair) == ["Failed", "Failed"]


def test_a_group_that_outruns_its_time_is_aborted_as_a_whole(lab, pair):
    lab.end(running(lab, pair).token, lab.late)
    entries.finish(pair[0].id)
    assert statuses(lab, pair) == ["Aborted", "Aborted"]
    assert "max_runtime_mins" in lab.fresh(pair[1]).reason


def test_a_host_that_fails_its_verify_is_repaired_while_the_other_is_free_again(lab, pair):
    lab.granted(pair[0])
    first, second = tokens(pair)
    lab.run_step(first)
    lab.run_step(second, lab.broken)
    assert statuses(lab, pair) == ["Queued", "Queued"]
    assert held(lab) == ["h2"]
    assert lab.step(second) is Step.REPAIR
    assert lab.claim(pair[0]).found is Found.NO_HOST
    lab.run_step(second)
    assert lab.claim(pair[0]).found is Found.GRANTED


def test_a_verify_that_still_runs_when_its_group_parts_ends_as_the_hosts_own(lab, pair):
    lab.granted(pair[0])
    first, second = tokens(pair)
    lab.begin(first)
    lab.run_step(second, lab.broken)
    assert Lease.get_by_id(first).entry_id is None
    lab.end(first)
    assert held(lab) == ["h2"]
    assert [task.success for task in lab.tasks(Host.get(Host.hostname == "h1"), "Verify")] == [True]


def test_a_verify_that_was_not_begun_when_its_group_parts_is_dropped(lab, pair):
    lab.granted(pair[0])
    first, second = tokens(pair)
    lab.run_step(second, lab.broken)
    assert lab.begin(first) is None
    assert held(lab) == ["h2"]


def test_named_hosts_that_fail_for_good_stop_the_others(lab):
    # Vector 16: the repair of h2 fails.
    named = [lab.host("h1"), lab.host("h2")]
    group = lab.group(2, named=named)
    lab.granted(group[0])
    first, second = tokens(group)
    lab.run_step(first)
    lab.run_step(second, lab.broken)
    lab.run_step(second, lab.broken)
    assert lab.status(named[1]) is HostStatus.REPAIR_FAILED
    assert lab.status(named[0]) is HostStatus.READY
    entries.finish(group[1].id)
    assert statuses(lab, group) == ["Stopped", "Failed"]
    assert "2 machines at once are needed" in lab.fresh(group[0]).reason


def test_four_hosts_make_two_groups_in_natural_order(lab):
    # Vector 17.
    named = [lab.host(name) for name in ("h10", "h2", "h1", "h3")]
    group = lab.group(2, named=named)
    lab.granted(group[0])
    lab.granted(group[0])
    for token in [lease.id for lease in lab.open_leases()]:
        lab.run_step(token)
    folders = {lab.fresh(entry).host.hostname: lab.fresh(entry).execution_subdir for entry in group}
    assert folders == {"h1": "group0", "h2": "group0", "h3": "group1", "h10": "group1"}
    for lease in lab.open_leases():
        if lease.step == Step.RUN_TEST.value:
            lab.begin(lease.id)
            lab.end(lease.id)
    for entry in group:
        entries.finish(entry.id)
    assert statuses(lab, group) == ["Completed"] * 4


def test_the_host_left_over_is_stopped_once_the_others_run(lab):
    named = [lab.host(name) for name in ("h1", "h2", "h3")]
    group = lab.group(2, named=named)
    ready(lab, group)
    assert statuses(lab, group) == ["Starting", "Starting", "Stopped"]


@pytest.mark.parametrize("moment", ["due", "verifying", "held", "starting", "running"])
def test_an_aborted_group_ends_at_whatever_moment(lab, pair, moment):
    lab.granted(pair[0])
    first, second = tokens(pair)
    if moment == "verifying":
        lab.begin(first)
    elif moment == "held":
        lab.run_step(first)
    elif moment in ("starting", "running"):
        lab.run_step(first)
        lab.run_step(second)
        if moment == "running":
            lab.begin(first)
    entries.abort([entry.id for entry in pair], "bob", "not needed", lab.now)
    doomed, _ = reconcile.aborted(lab.row, lab.now)
    for token in doomed:
        steps.end(token, lab.step(token), lab.killed, lab.settings, lab.now)
    for entry in pair:
        entries.finish(entry.id)
    assert statuses(lab, pair) == ["Aborted", "Aborted"]
    assert lab.open_leases() == []
    assert {host.status for host in Host.select()} == {HostStatus.READY.value}


def test_a_part_of_a_group_that_runs_cannot_be_aborted(lab, pair):
    # Vector 29.
    running(lab, pair)
    with pytest.raises(errors.ValidationError, match="runs on several hosts at once"):
        entries.abort([pair[0].id], "bob", "not needed", lab.now)
    assert not any(lab.fresh(entry).aborted for entry in pair)


@pytest.mark.parametrize("prepared", [False, True])
def test_a_part_that_is_aborted_before_the_test_begins_stops_the_rest(lab, pair, prepared):
    lab.granted(pair[0])
    if prepared:
        lab.run_step(tokens(pair)[0])
    entries.abort([pair[0].id], "bob", "not needed", lab.now)
    reconcile.aborted(lab.row, lab.now)
    assert statuses(lab, pair) == ["Aborted", "Stopped"]
    assert lab.open_leases() == []


def test_an_abort_of_one_that_waits_stops_the_other(lab, pair):
    entries.abort([pair[0].id], "bob", "not needed", lab.now)
    assert statuses(lab, pair) == ["Aborted", "Stopped"]


def test_the_last_child_that_is_stopped_wakes_its_suite(lab):
    suite = lab.suite()
    group = lab.group(2, needs=["x"], parent_job_id=suite.id)
    _, woken = entries.abort([group[0].id], "bob", "not needed", lab.now)
    assert [wake.task for wake in woken] == ["autotest.finish_suite"]


@pytest.mark.parametrize("which", [0, 1])
def test_a_lease_without_sign_of_life_takes_its_group_along(lab, pair, which):
    running(lab, pair)
    reconcile.take_back(tokens(pair)[which], "silence", lab.settings, lab.now)
    assert lab.open_leases() == []
    assert statuses(lab, pair) == ["Queued", "Queued"]
    assert [lab.fresh(entry).requeues for entry in pair] == [1, 1]
    assert all(lab.tasks(host, "Verify")[-1].queue_entry_id is None for host in Host.select())


def test_a_restarted_worker_takes_back_whole_groups(lab, pair):
    running(lab, pair)
    type(lab.row).update(incarnation=2).execute()
    reconcile.predecessors(lab.fresh(lab.row), lab.settings, lab.now)
    assert lab.open_leases() == []
    assert [lab.fresh(entry).requeues for entry in pair] == [1, 1]


def test_a_start_that_nobody_heard_of_is_sent_again_and_then_taken_back_uncounted(lab, pair):
    ready(lab, pair)
    for _ in range(2):
        lab.later(seconds=11)
        woken = reconcile.overdue(lab.row, lab.settings, lab.now)
        assert [wake.task for wake in woken] == ["autotest.run_test"]
    lab.later(seconds=11)
    reconcile.overdue(lab.row, lab.settings, lab.now)
    assert statuses(lab, pair) == ["Queued", "Queued"]
    assert [lab.fresh(entry).requeues for entry in pair] == [0, 0]


def test_a_held_host_is_as_alive_as_its_group(lab, pair):
    running(lab, pair)
    watch = reconcile.Watch(length=15.0)
    leader, mate = tokens(pair)
    for moment in range(0, 40, 4):
        leases.beat([leader])
        assert watch.dead(lab.open_leases(), float(moment)) == []
    found = [watch.dead(lab.open_leases(), float(moment)) for moment in range(40, 60, 4)]
    assert [leader] in found
    assert not any(mate in dead for dead in found)


def test_messages_for_a_held_host_change_nothing(lab, pair):
    lab.granted(pair[0])
    first = tokens(pair)[0]
    lab.run_step(first)
    assert lab.begin(first) is None
    assert lab.end(first) == []
    assert lab.step(first) is Step.HOLD


def test_a_message_delivered_twice_starts_a_group_once(lab, pair):
    work = running(lab, pair)
    assert lab.begin(work.token) is None


def test_three_hosts_run_together(lab):
    for name in ("h1", "h2", "h3", "h4"):
        lab.host(name, labels=["x"])
    group = lab.group(3, needs=["x"])
    work = running(lab, group)
    assert [info.hostname for info in work.job_file.hosts] == ["h1", "h2", "h3"]
    lab.end(work.token)
    entries.finish(group[0].id)
    assert statuses(lab, group) == ["Completed"] * 3


def test_scarce_hosts_are_left_to_those_who_need_them(lab):
    lab.host("h1", labels=["x", "camera"])
    for name in ("h2", "h3"):
        lab.host(name, labels=["x"])
    group = lab.group(2, needs=["x"])
    lab.entry(needs=["camera"])
    lab.claim(group[0])
    assert held(lab) == ["h2", "h3"]


def test_an_entry_that_is_gone_leaves_its_group_without_any_lease(lab, pair, monkeypatch):
    settled = quotas.settled

    def aborted_meanwhile(suites):
        HostQueueEntry.update(aborted=True).where(HostQueueEntry.id == pair[1].id).execute()
        return settled(suites)

    monkeypatch.setattr(quotas, "settled", aborted_meanwhile)
    assert lab.claim(pair[0]).found is Found.NO_HOST
    assert lab.open_leases() == []
    assert lab.fresh(pair[0]).status == EntryStatus.QUEUED.value
    assert not lab.fresh(pair[0]).active
