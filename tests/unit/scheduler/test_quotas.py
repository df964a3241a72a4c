"""Quotas: a suite never holds more machines than num, and says so; what it holds is counted from the leases."""

from __future__ import annotations

import pytest

from autotest.models.afe import JobKeyval
from autotest.scheduler import entries, labels, quotas
from autotest.scheduler.claims import Found
from autotest.scheduler.quotas import Quota


def children(lab, suite, count, **fields):
    return [lab.entry(needs=["x"], parent_job_id=suite.id, **fields) for _ in range(count)]


@pytest.fixture
def hosts(lab):
    return [lab.host(f"h{number}", labels=["x"]) for number in range(1, 5)]


def test_a_suite_holds_no_more_machines_than_num(lab, hosts):
    suite = lab.suite(num=2)
    waiting = children(lab, suite, 4)
    found = [lab.claim(entry).found for entry in waiting]
    assert found == [Found.GRANTED, Found.GRANTED, Found.NO_HOST, Found.NO_HOST]
    assert quotas.of([suite.id]) == {suite.id: Quota(cap=2, minimum=0, held=2)}


def test_a_machine_that_comes_back_goes_to_the_next_child(lab, hosts):
    suite = lab.suite(num=1)
    first, second = children(lab, suite, 2)
    lab.completed(first)
    assert lab.claim(second).found is Found.GRANTED


def test_a_host_in_repair_is_not_held_by_the_suite(lab, hosts):
    suite = lab.suite(num=1)
    (first, second) = children(lab, suite, 2)
    lab.run_step(lab.granted(first), lab.broken)
    assert quotas.of([suite.id])[suite.id].held == 0
    assert lab.claim(second).found is Found.GRANTED


def test_others_pass_a_suite_that_has_all_it_may(lab, hosts):
    suite = lab.suite(num=1)
    capped = children(lab, suite, 2, priority=80)
    other = lab.entry(needs=["x"], priority=10)
    lab.granted(capped[0])
    claim = lab.claim(other)
    assert claim.found is Found.GRANTED
    assert lab.fresh(other).active
    assert not lab.fresh(capped[1]).active


def test_a_group_takes_nothing_that_would_lead_its_suite_over_num(lab, hosts):
    suite = lab.suite(num=3)
    pairs = [lab.group(2, needs=["x"], parent_job_id=suite.id) for _ in range(2)]
    assert lab.claim(pairs[0][0]).found is Found.GRANTED
    assert lab.claim(pairs[1][0]).found is Found.NO_HOST
    single = lab.entry(needs=["x"], parent_job_id=suite.id)
    assert lab.claim(single).found is Found.GRANTED


def test_children_of_other_suites_wait_in_the_common_line(lab, hosts):
    plain, limited = lab.suite(suite_min_duts=0), lab.suite(num=1)
    common, own = children(lab, plain, 1)[0], children(lab, limited, 1)[0]
    assert common.queue_key == labels.queue_of({"x"}).key
    assert own.queue_key == f"{common.queue_key}.{limited.id}"
    assert quotas.line_of(plain.id) is None
    assert quotas.line_of(None) is None


def test_one_broker_queue_serves_all_lines_of_a_label_set(lab, hosts):
    limited = children(lab, lab.suite(num=1), 1)[0]
    wake = entries.queued_wake(limited)
    plain = entries.queued_wake(lab.entry(needs=["x"]))
    assert (wake.queue, wake.args) == (plain.queue, plain.args)


def test_within_a_label_set_priority_and_age_decide_whatever_the_suite(lab, hosts):
    suite = lab.suite(num=4)
    old = lab.entry(needs=["x"])
    child = children(lab, suite, 1)[0]
    young = lab.entry(needs=["x"])
    urgent = children(lab, suite, 1, priority=80)[0]
    order = []
    for _ in range(4):
        lab.claim(young)
        active = [entry.id for entry in (old, child, young, urgent) if lab.fresh(entry).active]
        order += [entry for entry in active if entry not in order]
    assert order == [urgent.id, old.id, child.id, young.id]


def test_the_queues_of_a_full_suite_are_not_listened_to(lab, hosts):
    suite = lab.suite(num=1)
    first, _ = children(lab, suite, 2)
    assert quotas.full(labels.busy_queues()) == set()
    lab.granted(first)
    assert quotas.full(labels.busy_queues()) == {first.queue_key}


def test_a_value_that_is_no_number_is_no_limit(lab, hosts):
    suite = lab.suite(num=1)
    JobKeyval.update(value="a few").where(JobKeyval.job == suite.id).execute()
    assert quotas.line_of(suite.id) is None
    assert quotas.of([suite.id]) == {suite.id: Quota(cap=None, minimum=0, held=0)}
