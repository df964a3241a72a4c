"""Waiting: every reason why a host takes no work, and the one line that people read."""

from __future__ import annotations

import pytest

from autotest.scheduler import labels, waiting
from autotest.scheduler.quotas import Quota
from autotest.scheduler.waiting import Holder, HostState

PI4 = frozenset({"board:pi4"})
QUEUE = labels.queue_of(PI4)


def host(number: int = 1, **facts: object) -> HostState:
    """A host that takes work, unless *facts* say otherwise."""
    usual = {"labels": PI4, "lab": "desk", "silent_s": 2.0}
    return HostState(number, f"rack1-h{number}", **{**usual, **facts})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("facts", "kind", "text"),
    [
        ({"locked": True, "locked_by": "ann", "lock_reason": "fan"}, "locked", "locked by ann (fan)"),
        ({"locked": True}, "locked", "locked by somebody (no reason given)"),
        ({"holder": Holder(7, "run_test", 12)}, "leased", "leased to job 12 (run_test)"),
        ({"holder": Holder(7, "repair", None)}, "leased", "leased to a task of its own (repair)"),
        ({"status": "Repair Failed", "status_reason": "no ssh"}, "Repair Failed", "Repair Failed (no ssh)"),
        ({"status": "Verifying"}, "Verifying", "Verifying"),
        ({"lab": ""}, "in no lab", "in no lab, so that no worker reaches it"),
        ({"silent_s": None}, "without a worker", "of lab desk, no worker seen yet"),
        ({"silent_s": 93.4}, "without a worker", "of lab desk, no worker seen for 93 s"),
        ({"drained": "ann: new switch"}, "drained", "lab desk is drained by ann: new switch"),
        ({"drained": "ann: swap", "status": "Repair Failed"}, "drained", "lab desk is drained by ann: swap"),
        ({"task": "Verify"}, "in care", "waits for its own Verify"),
    ],
)
def test_a_host_that_takes_no_work_says_why(facts, kind, text):
    assert waiting.obstacle(host(**facts), 30) == (kind, text)


def test_a_free_host_has_no_obstacle():
    assert waiting.obstacle(host(), 30) is None


def test_what_holds_a_host_now_goes_before_what_else_is_wrong_with_it():
    found = waiting.obstacle(host(holder=Holder(7, "run_test", 12), locked=True), 30)
    assert found is not None
    assert found.kind == "leased"


def test_few_hosts_are_named_one_by_one():
    why = waiting.explain(QUEUE, [host(2, locked=True), host(1, holder=Holder(7, "verify", 12))], 30)
    assert why.summary == (
        "2 hosts carry board:pi4; none is free: rack1-h1 leased to job 12 (verify); "
        "rack1-h2 locked by somebody (no reason given)"
    )
    assert (why.free, why.served) == ((), True)


def test_a_drained_lab_is_told_apart_from_its_host():
    why = waiting.explain(QUEUE, [host(1, drained="ann: new switch")], 30)
    assert why.summary == "1 host carries board:pi4; none is free: rack1-h1 (lab desk is drained by ann: new switch)"
    assert not why.served


def test_a_busy_host_of_a_drained_lab_serves_nobody_afterwards():
    busy = Holder(7, "run_test", 12)
    assert not waiting.explain(QUEUE, [host(1, holder=busy, drained="ann: new switch")], 30).served
    assert waiting.explain(QUEUE, [host(1, holder=busy)], 30).served


def test_many_hosts_are_counted():
    hosts = [host(number, holder=Holder(number, "run_test", number)) for number in range(1, 4)]
    why = waiting.explain(QUEUE, [*hosts, host(4, status="Repair Failed", status_reason="dead")], 30)
    assert why.summary == "4 hosts carry board:pi4; none is free: 3 leased, 1 Repair Failed"
    assert list(why.blocked) == ["rack1-h1", "rack1-h2", "rack1-h3", "rack1-h4"]


def test_a_free_host_is_about_to_be_claimed():
    why = waiting.explain(QUEUE, [host(10), host(9)], 30)
    assert (why.free, why.served) == (("rack1-h9", "rack1-h10"), True)
    assert why.summary == "2 hosts carry board:pi4; free and about to be claimed: rack1-h9, rack1-h10"


def test_labels_that_nobody_carries_are_named_with_the_nearest():
    why = waiting.explain(labels.queue_of({"board:pi5"}), [host()], 30, nearest=["board:pi4"])
    assert (why.summary, why.served) == ("no host carries board:pi5; nearest: board:pi4", False)


def test_labels_that_nobody_carries_together_are_said_so():
    hosts = [host(1), host(2, labels=frozenset({"modem"}))]
    assert waiting.explain(labels.queue_of({"board:pi4", "modem"}), hosts, 30).summary == (
        "no host carries board:pi4, modem together"
    )


def test_a_busy_host_whose_worker_is_gone_serves_nobody():
    assert not waiting.explain(QUEUE, [host(holder=Holder(7, "run_test", 12), silent_s=500.0)], 30).served


def test_an_entry_that_names_its_host_waits_for_that_one():
    bound = labels.queue_of((), host_id=2)
    why = waiting.explain(bound, [host(1), host(2, locked=True)], 30)
    assert why.summary == "host rack1-h2; none is free: rack1-h2 locked by somebody (no reason given)"
    assert "is not in the inventory" in waiting.explain(bound, [host(1)], 30).summary


def test_a_host_that_this_entry_may_not_take_does_not_serve_it():
    why = waiting.explain(QUEUE, [host(1)], 30, excluded={1: "not open to bob"})
    assert (why.served, why.free) == (False, ())
    assert why.summary == "1 host carries board:pi4; none is free: rack1-h1 not open to bob"


def test_a_group_says_how_many_hosts_it_needs_and_which_are_free_so_far():
    pair = labels.queue_of(PI4, size=2)
    hosts = [host(1), host(2, holder=Holder(7, "run_test", 12))]
    why = waiting.explain(pair, hosts, 30)
    assert why.summary == "2 hosts carry board:pi4, 2 of one lab are needed at once; free so far: rack1-h1"
    assert why.served


def test_a_group_whose_hosts_stand_in_two_labs_is_not_served():
    pair = labels.queue_of(PI4, size=2)
    why = waiting.explain(pair, [host(1), host(2, lab="attic")], 30)
    assert why.summary == "2 hosts carry board:pi4, 2 of one lab are needed at once; free so far: rack1-h1, rack1-h2"
    assert not why.served


def test_a_suite_that_has_all_its_machines_says_so():
    line = labels.queue_of(PI4, suite_id=12)
    why = waiting.explain(line, [host()], 30, quota=Quota(cap=3, minimum=0, held=3))
    assert why.summary == "suite job 12 holds 3 of the 3 machines that it may (num)"
    assert why.served


def test_a_group_that_is_larger_than_its_suite_may_hold_says_that_it_never_runs():
    line = labels.queue_of(PI4, size=2, suite_id=12)
    why = waiting.explain(line, [host(1), host(2)], 30, quota=Quota(cap=1, minimum=0, held=0))
    assert why.summary == (
        "suite job 12 holds 0 of the 1 machine that it may (num), and 2 are needed at once; it can never run"
    )
