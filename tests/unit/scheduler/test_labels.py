"""Labels that decide, labels that ask for an action, and the queue that a set of them names."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autotest.models.afe import HostQueueEntry, Label
from autotest.models.lab import LabelQueue
from autotest.scheduler import labels


@pytest.mark.parametrize(
    ("label", "decides", "is_version"),
    [
        ("wifi", True, False),
        ("board:pi4", True, False),
        ("rpm", False, False),
        ("rpm:on", False, False),
        ("cleanup-reboot", False, False),
        ("modem_repair", False, False),
        ("skip_provision", False, False),
        ("cros-version:R7", False, True),
        ("version:R7", False, True),
        ("version", True, False),
        ("Wifi", True, False),
    ],
)
def test_which_labels_a_host_must_carry(label, decides, is_version):
    assert labels.deciding([label]) == ({label} if decides else set())
    assert labels.versions([label]) == ({label} if is_version else set())


@given(st.lists(st.text(min_size=1, max_size=5)), st.one_of(st.none(), st.integers(1, 9)), st.randoms())
def test_the_key_knows_neither_order_nor_repetition(names, host_id, random):
    shuffled = names * 2
    random.shuffle(shuffled)

    assert labels.queue_of(names, host_id) == labels.queue_of(shuffled, host_id)
    assert labels.queue_of(names, host_id).key != labels.queue_of([*names, "another label"], host_id).key
    assert labels.queue_of(names, host_id).key != labels.queue_of(names, 77).key


@pytest.mark.parametrize(
    ("host_id", "carried", "accepted"),
    [(1, {"x", "y", "z"}, True), (1, {"x"}, False), (2, {"x", "y"}, True)],
)
def test_a_queue_accepts_hosts_with_all_its_labels(host_id, carried, accepted):
    assert labels.queue_of(["x", "y"]).accepts(host_id, carried) == accepted


def test_a_queue_of_one_host_accepts_no_other():
    assert labels.queue_of([], 1).accepts(1, set())
    assert not labels.queue_of([], 1).accepts(2, set())


def test_nearest_labels_are_those_of_like_spelling_then_of_the_same_key(lab):
    lab.host("h1", labels=["board:pi4", "board:odroid", "wifi"])

    assert labels.nearest("board:pi5")[0] == "board:pi4"
    assert labels.nearest("wfi") == ["wifi"]
    assert labels.nearest("pool:bvt") == []


def test_an_entry_that_came_while_its_queue_was_closed_keeps_it_busy(lab):
    entry = lab.entry(needs=["x"])
    empty = lab.entry(needs=["y"])
    HostQueueEntry.delete_by_id(empty.id)

    labels.mark_idle([entry.queue_key, empty.queue_key])

    assert lab.busy(entry)
    assert not lab.busy(empty)
    assert [queue.key for queue in labels.busy_queues()] == [entry.queue_key]


def test_a_queue_is_registered_once(lab):
    lab.entry(needs=["x"])
    lab.entry(needs=["x"])

    assert LabelQueue.select().count() == 1
    assert labels.queue_named("0" * 20) is None


def test_labels_are_made_when_first_used(lab):
    first = labels.rows_for(["a", "b"])

    assert labels.rows_for(["b", "a"]) == first
    assert Label.select().where(Label.name.in_(["a", "b"])).count() == 2
    assert labels.rows_for([]) == {}
