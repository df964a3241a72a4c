"""Turns: named hosts, suites below their minimum and groups that waited long get free hosts before others."""

from __future__ import annotations

from collections import defaultdict

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autotest.models.afe import Job
from autotest.models.database import transaction
from autotest.models.lab import Lab
from autotest.scheduler import hosts, lines, quotas, turns, users
from autotest.scheduler.claims import Found
from autotest.scheduler.labels import queue_of
from autotest.scheduler.lines import Asked, Line, Queued
from autotest.scheduler.matching import Candidate
from autotest.scheduler.turns import Rank


def children(lab, suite, count, needs=("x",), **fields):
    return [lab.entry(needs=needs, parent_job_id=suite.id, **fields) for _ in range(count)]


@pytest.fixture
def two(lab):
    return [lab.host("h1", labels=["x"]), lab.host("h2", labels=["x"])]


def test_a_suite_below_its_minimum_goes_before_a_higher_priority(lab, two):
    # Vector 46: A (40, minimum 2, holds 0), B (50, minimum 1, holds 1).
    suite_b = lab.suite(suite_min_duts=1)
    extra = lab.host("h3", labels=["x"])
    (first_of_b,) = children(lab, suite_b, 1, priority=50)
    assert lab.claim(first_of_b).host_id in {extra.id, *(host.id for host in two)}
    suite_a = lab.suite(suite_min_duts=2)
    of_a = children(lab, suite_a, 2, priority=40)
    of_b = children(lab, suite_b, 2, priority=50)
    assert lab.claim(of_b[0]).found is Found.GRANTED
    assert lab.claim(of_b[0]).found is Found.GRANTED
    assert [lab.fresh(entry).active for entry in (*of_a, *of_b)] == [True, True, False, False]


def test_suites_that_have_their_minimum_go_by_priority(lab, two):
    # Vector 47.
    for name in ("h3", "h4", "h5"):
        lab.host(name, labels=["x"])
    suite_a, suite_b = lab.suite(suite_min_duts=2), lab.suite(suite_min_duts=1)
    for entry in (*children(lab, suite_a, 2), *children(lab, suite_b, 1)):
        assert lab.claim(entry).found is Found.GRANTED
    of_a, of_b = children(lab, suite_a, 2, priority=40), children(lab, suite_b, 2, priority=50)
    for _ in range(2):
        lab.claim(of_a[0])
    assert [lab.fresh(entry).active for entry in (*of_a, *of_b)] == [False, False, True, True]


def test_hosts_are_kept_for_a_suite_below_its_minimum_from_other_label_sets(lab, two):
    suite = lab.suite(suite_min_duts=1)
    (child,) = children(lab, suite, 1, priority=10)
    lab.host("h3", labels=["y"])
    rich = lab.host("h4", labels=["x", "y"])
    others = [lab.entry(needs=["y"], priority=80) for _ in range(2)]
    assert lab.claim(others[0]).found is Found.GRANTED
    assert lab.claim(others[1]).host_id == rich.id
    assert lab.fresh(child).active


def test_only_as_many_hosts_are_kept_as_the_minimum_and_the_entries_ask_for(lab, two):
    suite = lab.suite(suite_min_duts=5)
    children(lab, suite, 1, needs=["x"])
    other = lab.entry(needs=["x", "camera"])
    lab.host("h3", labels=["x", "camera"])
    assert lab.claim(other).found is Found.GRANTED


def test_nothing_is_kept_for_an_owner_who_may_not_use_it(lab):
    lab.acl_group("phones", members=["bob"])
    lab.host("h1", labels=["x", "y"], groups=["phones"])
    children(lab, lab.suite(suite_min_duts=1), 1, owner="alice")
    assert lab.claim(lab.entry(needs=["y"], owner="bob")).found is Found.GRANTED


def test_a_group_that_waits_long_keeps_hosts_until_it_has_all(lab, two):
    first = lab.running(lab.entry(needs=["x"], run_verify=False))
    group = lab.group(2, needs=["x"])
    assert lab.claim(group[0]).found is Found.NO_HOST
    lab.later(minutes=2)
    single = lab.entry(needs=["x"], priority=80)
    assert lab.claim(single).found is Found.NO_HOST
    lab.end(first)
    assert lab.claim(single).found is Found.NO_HOST
    assert [lab.fresh(entry).active for entry in group] == [True, True]


def test_a_group_that_has_not_waited_long_keeps_nothing(lab, two):
    singles = [lab.entry(needs=["x"]) for _ in range(2)]
    lab.granted(singles[0])
    lab.group(2, needs=["x"])
    assert lab.claim(singles[1]).found is Found.GRANTED


@pytest.mark.parametrize("trouble", [{"status": "Repair Failed"}, {"locked": True}])
def test_a_group_that_cannot_get_all_its_hosts_keeps_none(lab, trouble):
    lab.host("h1", labels=["x"])
    lab.host("h2", labels=["x"], **trouble)
    lab.group(2, needs=["x"])
    single = lab.entry(needs=["x"])
    lab.later(minutes=2)
    assert lab.claim(single).found is Found.GRANTED


def test_of_two_groups_that_wait_long_one_gets_all(lab, two):
    single = lab.entry(needs=["x"], run_verify=False)
    token = lab.running(single)
    first, second = lab.group(2, needs=["x"]), lab.group(2, needs=["x"], priority=80)
    lab.later(minutes=2)
    lab.end(token)
    assert lab.claim(first[0]).found is Found.GRANTED
    assert [lab.fresh(entry).active for entry in (*first, *second)] == [False, False, True, True]


def test_a_named_single_goes_before_a_group_that_waits_long(lab, two):
    lab.group(2, needs=["x"])
    lab.later(minutes=2)
    assert lab.claim(lab.entry(host=two[0])).found is Found.GRANTED


def test_named_hosts_that_are_all_free_are_kept_for_their_group(lab, two):
    group = lab.group(2, named=two)
    assert lab.claim(lab.entry(needs=["x"], priority=80)).found is Found.NO_HOST
    assert [lab.fresh(entry).active for entry in group] == [True, True]


def test_a_named_host_whose_partner_is_busy_serves_others_meanwhile(lab, two):
    lab.granted(lab.entry(host=two[0]))
    lab.group(2, named=two)
    assert lab.claim(lab.entry(needs=["x"])).host_id == two[1].id


def plan_for(lab, entry, most=1):
    contest = turns.contest(lab.row, entry.queue_key, lines.busy())
    return turns.plan(lab.row, contest, quotas.of(contest.suites), lab.now, most, 99)


def test_a_plan_tells_who_goes_before_and_why_and_writes_nothing(lab, two):
    group = lab.group(2, named=two)
    single = lab.entry(needs=["x"])
    (turn,), waiting = plan_for(lab, single)
    assert (turn.entry.job_id, turn.rank) == (group[0].job_id, Rank.NAMES_ITS_HOST)
    assert {host.host_id for host in turn.hosts} == {host.id for host in two}
    assert waiting[1].id == single.id
    assert lab.open_leases() == []


def test_a_claim_for_another_label_set_does_not_care_for_groups_that_need_other_hosts(lab, two):
    lab.host("h3", labels=["y"])
    lab.group(2, needs=["x"])
    lab.later(minutes=2)
    assert lab.claim(lab.entry(needs=["y"])).found is Found.GRANTED
    assert Job.select().count() == 2


def test_hosts_are_kept_also_from_who_competes_by_way_of_others(lab):
    first = lab.host("h1", labels=["x", "z"])
    lab.host("h2", labels=["x", "y"])
    children(lab, lab.suite(suite_min_duts=1), 1, needs=["y"], priority=80)
    (of_b,) = children(lab, lab.suite(suite_min_duts=1), 1, needs=["x"], priority=10)
    assert lab.claim(lab.entry(needs=["z"])).found is Found.NO_HOST
    assert lab.fresh(of_b).host_id == first.id


def test_a_line_that_only_wants_other_hosts_takes_no_part(lab, two):
    lab.host("h3", labels=["y"])
    lab.entry(needs=["y"], priority=80)
    contest = turns.contest(lab.row, lab.entry(needs=["x"]).queue_key, lines.busy())
    assert [line.queue.labels for line in contest.lines] == [{"x"}]
    assert {host.host_id for host in contest.free} == {host.id for host in two}


def test_a_long_line_of_entries_that_no_host_is_for_is_not_walked_through_for_others(lab):
    lab.acl_group("phones", members=["bob"])
    lab.host("h1", labels=["x", "y"], groups=["phones"])
    job = lab.job(owner="alice", priority=80)
    with transaction():
        for _ in range(150):
            lab.entry(needs=["y"], job=job, priority=80)
    behind = lab.entry(needs=["y"], owner="bob", priority=70)
    single = lab.entry(needs=["x"], owner="bob")
    assert lab.claim(single).found is Found.GRANTED
    assert not lab.fresh(behind).active


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kinds=st.lists(st.frozensets(st.sampled_from("abc")), min_size=1, max_size=5),
    wishes=st.lists(
        st.tuples(st.frozensets(st.sampled_from("abc"), max_size=2), st.sampled_from([30, 50, 80])),
        min_size=1,
        max_size=9,
    ),
)
def test_nobody_gets_a_host_that_somebody_who_goes_before_him_still_wants(monkeypatch, kinds, wishes):
    free = [Candidate(number, f"h{number}", kind) for number, kind in enumerate(kinds)]
    waiting = defaultdict(list)
    for number, (needs, priority) in enumerate(wishes):
        waiting[queue_of(needs)].append(Queued(number, priority, 1, None, number, "alice", "t", True))
    ordered = {queue: sorted(some, key=lambda entry: (-entry.priority, entry.id)) for queue, some in waiting.items()}
    behind = {queue.key: some[1:] for queue, some in ordered.items()}
    monkeypatch.setattr(
        hosts, "free", lambda _, queue: [host for host in free if queue.accepts(host.host_id, host.labels)]
    )
    monkeypatch.setattr(lines, "after", lambda key, _: iter([behind[key]] if behind[key] else []))
    nothing = Asked(frozenset(), frozenset(), 1, 0)
    monkeypatch.setattr(lines, "asked", lambda some: {entry.id: nothing for entry in some})
    monkeypatch.setattr(users, "may_use_as", lambda _owner, _level, ids: set(ids))

    busy = [Line(queue, some[0]) for queue, some in ordered.items()]
    contest = turns.contest(Lab(id=1), busy[0].queue.key, busy)
    served, left = turns.plan(Lab(id=1), contest, {}, None, 99, 99)

    given_to = {turn.entry.id: turn.hosts[0] for turn in served}
    assert len({host.host_id for host in given_to.values()}) == len(given_to)
    place = {entry.id: (-entry.priority, entry.id) for some in ordered.values() for entry in some}
    for queue, some in ordered.items():
        for entry in some:
            if entry.id in given_to:
                assert queue.labels <= given_to[entry.id].labels
                continue
            later = [host for number, host in given_to.items() if place[number] > place[entry.id]]
            assert not any(queue.labels <= host.labels for host in later)
    own = [entry for entry in ordered[busy[0].queue] if entry.id not in given_to]
    assert left == ((busy[0].queue.key, own[0]) if own else None)
    taken = {host.host_id for host in given_to.values()}
    assert not own or not any(busy[0].queue.labels <= host.labels for host in free if host.host_id not in taken)
