"""Which hosts could run the tests of a suite: the inventory of the specification (9.2), and what is told of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paper_suites import PaperSuites, children, entry_of, lock_all

from autotest import errors
from autotest.models.afe import Host
from autotest.models.lab import Lab
from autotest.scheduler import hosts, labels, suite_hosts, suites
from autotest.scheduler.suite_hosts import Carrier, Inventory

INVENTORY = {
    "h1": ["board:lumpy", "pool:suites", "servo"],
    "h2": ["board:lumpy", "pool:suites", "bluetooth"],
    "h3": ["board:lumpy", "pool:bvt", "bluetooth", "servo"],
    "h4": ["board:link", "pool:suites", "modem:gobi3k"],
}
VERSION = {"cros-version": "lumpy-release/R50-1.0.0"}


@pytest.fixture
def lumpy(lab, build):
    """The inventory of section 9.2; label board:ghost exists on no host."""
    for hostname, carried in INVENTORY.items():
        lab.host(hostname, labels=carried)
    labels.rows_for(["board:ghost"])
    return PaperSuites(lab)


@pytest.mark.parametrize(
    ("number", "fields", "test", "served_by"),
    [
        (1, {"pool": "suites"}, {}, {"h1", "h2"}),
        (2, {"pool": "suites"}, {"DEPENDENCIES": "servo"}, {"h1"}),
        (3, {"pool": "suites"}, {"DEPENDENCIES": "servo, bluetooth"}, set()),
        (4, {"pool": "bvt"}, {"DEPENDENCIES": "servo, bluetooth"}, {"h3"}),
        (5, {}, {"DEPENDENCIES": "servo, bluetooth"}, {"h3"}),
        (6, {"pool": "suites"}, {"DEPENDENCIES": "Servo"}, set()),
        (7, {"board": "link", "pool": "suites"}, {"DEPENDENCIES": "modem:gobi3k, rpm, cleanup-reboot"}, {"h4"}),
        (8, {"board": "nosuch", "pool": "suites"}, {}, set()),
        (9, {"board": "ghost", "pool": "suites"}, {}, set()),
        (10, {"pool": "bvt"}, {"SYNC_COUNT": 2}, set()),
        (11, {"pool": "suites", "suite_dependencies": ("bluetooth",)}, {"DEPENDENCIES": "servo"}, set()),
        (12, {"pool": "suites", "child_dependencies": ("model:lumpy",)}, {}, set()),
        (13, {"pool": "suites"}, {"DEPENDENCIES": "skip_provision, never_heard_of"}, set()),
        (14, {"pool": "suites", "suite_dependencies": ("carrier:att", "modem_repair")}, {}, set()),
        (14, {"pool": "suites", "suite_dependencies": ("modem_repair",)}, {}, {"h1", "h2"}),
        (15, {"pool": "suites"}, {"DEPENDENCIES": "servo"}, {"h1"}),
    ],
)
def test_the_inventory_of_the_specification(lab, build, lumpy, number, fields, test, served_by):
    build.test("sometest", **test)
    if number == 15:
        lock_all()
    job = lumpy.create(**{"board": "lumpy", "builds": VERSION, "check_hosts": False, **fields})

    lumpy.fan_out(job)

    queues = [labels.queue_named(entry_of(child).queue_key) for child in children(job)]
    Host.update(locked=False).execute()
    free = hosts.free(lab.row.id)
    assert {host.hostname for host in free for queue in queues if queue.accepts(host.host_id, host.labels)} == served_by
    assert ("sometest" in lumpy.skipped(job)) == (not served_by)


@pytest.mark.parametrize(
    ("board", "fields", "test", "reason"),
    [
        ("lumpy", {}, {"DEPENDENCIES": "modem, servo"}, "no host of board:lumpy, pool:suites carries modem"),
        (
            "lumpy",
            {},
            {"DEPENDENCIES": "servo, bluetooth"},
            "no host of board:lumpy, pool:suites carries bluetooth and servo together",
        ),
        ("ghost", {}, {}, "no host of board:ghost, pool:suites carries board:ghost, pool:suites"),
        (
            "lumpy",
            {},
            {"DEPENDENCIES": "servo", "SYNC_COUNT": 2},
            "needs 2 hosts of one lab with board:lumpy, pool:suites, servo at once, and 1 host is known",
        ),
    ],
)
def test_the_reason_names_the_labels_that_are_missing(build, lumpy, board, fields, test, reason):
    build.test("sometest", **test)

    job = lumpy.running(board=board, pool="suites", check_hosts=False)

    told = lumpy.skipped(job)["sometest"]
    assert told == f"Skipping: test not supported on this board/pool: {reason}"


def test_machines_of_several_labs_do_not_run_one_test_together(lab, build, lumpy):
    other = Lab.create(name="other")
    lab.host("h5", labels=INVENTORY["h1"], lab=other)
    build.test("pairtest", DEPENDENCIES="servo", SYNC_COUNT=2)

    assert "pairtest" in lumpy.skipped(lumpy.running(board="lumpy", pool="suites"))
    lab.host("h6", labels=INVENTORY["h1"], lab=other)
    assert len(children(lumpy.running(board="lumpy", pool="suites"))) == 1


def test_host_by_host_the_nearest_ones_first(lab, build, lumpy):
    build.test("sometest", DEPENDENCIES="servo, bluetooth, rpm")
    job = lumpy.running(board="lumpy", pool="suites")

    told = suites.explain(job.id, "sometest", lab.settings, most=3)

    assert told["needs"] == ["bluetooth", "board:lumpy", "pool:suites", "rpm", "servo", "version:R7-1"]
    assert told["reason"].endswith("bluetooth and servo together")
    assert told["hosts"] == [
        {"hostname": "h1", "lacks": ["bluetooth"]},
        {"hostname": "h2", "lacks": ["servo"]},
        {"hostname": "h3", "lacks": ["pool:suites"]},
    ]


def test_an_explanation_of_nothing_names_what_there_is(lab, build, lumpy):
    build.test("sometest")
    job = lumpy.running(board="lumpy")

    with pytest.raises(errors.NotFound, match="build R7-1 has no test 'sometst'; nearest: sometest"):
        suites.explain(job.id, "sometst", lab.settings, 3)
    with pytest.raises(errors.NotFound, match="is no suite"):
        suites.explain(children(job)[0].id, "sometest", lab.settings, 3)


_LABELS = st.frozensets(st.sampled_from(["a", "b", "c", "rpm", "x-version:1"]))


@given(st.lists(st.tuples(_LABELS, st.integers(1, 3))), _LABELS.filter(bool), st.integers(1, 3))
def test_a_test_is_supported_where_enough_hosts_of_one_lab_lack_nothing(carried, needs, count):
    known = [Carrier(f"h{number}", lab, names, True) for number, (names, lab) in enumerate(carried)]
    inventory = Inventory(known)
    able = [lack.hostname for lack in inventory.lacks(needs) if not lack.labels]
    in_labs = [sum(host.hostname in able for host in known if host.lab_id == lab) for lab in (1, 2, 3)]

    assert (inventory.unsupported(needs, (), count) == "") == (max(in_labs) >= count)


def test_of_many_labels_those_are_told_that_too_few_hosts_carry():
    some = [Carrier("h1", 1, frozenset({"a", "b"}), True), Carrier("h2", 1, frozenset({"a"}), True)]

    with pytest.raises(errors.NoEligibleHost) as refused:
        Inventory(some).check(["a", "b"], 2)
    assert "1 of 1 are live; b is carried by 1;" in str(refused.value)
    crossed = [*some, Carrier("h3", 1, frozenset({"b"}), True)]
    with pytest.raises(errors.NoEligibleHost, match="2 carry each of them, and too few carry them together"):
        Inventory(crossed).check(["a", "b"], 2)


def test_nothing_is_asked_twice_of_the_same_hosts(lumpy):
    inventory = suite_hosts.inventory()
    first = inventory.unsupported(["board:nosuch"], [])
    inventory.hosts.clear()

    assert inventory.unsupported(["board:nosuch", "rpm"], []) == first
