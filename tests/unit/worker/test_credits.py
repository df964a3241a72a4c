"""A lab listens to a queue exactly while one of its free hosts could serve it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autotest.scheduler import labels
from autotest.scheduler.claims import Claim, Found
from autotest.scheduler.labels import Queue
from autotest.scheduler.matching import Candidate
from autotest.worker.credits import Credits, LabelQueues, Messages

PI, BLUE = labels.queue_of(["board:pi4"]), labels.queue_of(["board:pi4", "bluetooth"])
PLAIN_HOST = Candidate(1, "rack1-host1", frozenset({"board:pi4"}))
BLUE_HOST = Candidate(2, "rack1-host2", frozenset({"board:pi4", "bluetooth"}))


def granted(host: Candidate) -> Claim:
    return Claim(Found.GRANTED, token=7, host_ids=(host.host_id,))


def test_only_queues_that_a_free_host_could_serve_are_open():
    assert Credits().refresh([PLAIN_HOST], [PI, BLUE], 0) == {PI.key}


def test_a_message_takes_the_last_credit_before_its_claim_comes_back():
    credits = Credits()
    credits.refresh([PLAIN_HOST], [PI], credits.now())
    assert credits.received(PI.key) == set()


def test_the_host_set_aside_is_the_one_that_serves_fewest_queues():
    credits = Credits()
    credits.refresh([BLUE_HOST, PLAIN_HOST], [PI, BLUE], credits.now())
    assert credits.received(PI.key) == {PI.key, BLUE.key}


def test_a_granted_host_is_gone_until_the_database_frees_it():
    credits = Credits()
    credits.refresh([PLAIN_HOST], [PI], credits.now())
    credits.received(PI.key)
    assert credits.settled(PI.key, granted(PLAIN_HOST)) == set()
    assert credits.refresh([PLAIN_HOST], [PI], credits.now()) == {PI.key}


def test_a_look_at_the_database_from_before_the_claim_does_not_free_its_host():
    credits = Credits()
    credits.refresh([PLAIN_HOST], [PI], credits.now())
    credits.received(PI.key)
    looked = credits.now()
    credits.settled(PI.key, granted(PLAIN_HOST))
    assert credits.refresh([PLAIN_HOST], [PI], looked) == set()


def test_a_claim_that_took_another_host_gives_back_the_one_set_aside():
    credits = Credits()
    credits.refresh([PLAIN_HOST, BLUE_HOST], [PI, BLUE], credits.now())
    credits.received(PI.key)
    assert credits.settled(PI.key, granted(BLUE_HOST)) == {PI.key}


def test_a_claim_that_found_no_host_closes_the_queue():
    credits = Credits()
    credits.refresh([PLAIN_HOST], [PI], credits.now())
    credits.received(PI.key)
    assert credits.settled(PI.key, Claim(Found.NO_HOST)) == set()


def test_a_queue_whose_claim_found_no_host_stays_shut_until_another_host_is_free_or_a_second_passed():
    clock = [0.0]
    credits = Credits(lambda: clock[0])
    credits.refresh([PLAIN_HOST], [PI], credits.now())
    credits.received(PI.key)
    credits.settled(PI.key, Claim(Found.NO_HOST))
    assert credits.refresh([PLAIN_HOST], [PI], credits.now()) == set()
    assert credits.refresh([PLAIN_HOST, BLUE_HOST], [PI], credits.now()) == {PI.key}
    credits.received(PI.key)
    credits.settled(PI.key, Claim(Found.NO_HOST))
    assert credits.refresh([PLAIN_HOST, BLUE_HOST], [PI], credits.now()) == set()
    clock[0] = 1.1
    assert credits.refresh([PLAIN_HOST, BLUE_HOST], [PI], credits.now()) == {PI.key}


def test_a_host_that_was_away_and_is_free_again_opens_a_shut_queue():
    credits = Credits(lambda: 0.0)
    credits.refresh([PLAIN_HOST], [PI], credits.now())
    credits.received(PI.key)
    credits.settled(PI.key, Claim(Found.NO_HOST))
    credits.refresh([], [PI], credits.now())
    assert credits.refresh([PLAIN_HOST], [PI], credits.now()) == {PI.key}


def test_a_queue_of_groups_is_open_only_while_a_whole_group_is_free():
    pair = labels.queue_of(["board:pi4"], size=2)
    credits = Credits()
    assert credits.refresh([PLAIN_HOST], [pair], credits.now()) == set()
    assert credits.refresh([PLAIN_HOST, BLUE_HOST], [pair, BLUE], credits.now()) == {pair.key, BLUE.key}
    assert credits.received(pair.key) == set()
    taken = Claim(Found.GRANTED, token=7, host_ids=(1, 2))
    assert credits.settled(pair.key, taken) == set()


def test_lines_of_one_family_share_a_broker_queue():
    line = labels.queue_of(["board:pi4"], suite_id=12)
    assert Credits().refresh([PLAIN_HOST], [PI, line], 0) == {PI.key}


def test_a_claim_that_found_no_entry_keeps_the_host_and_listens_on():
    credits = Credits()
    credits.refresh([BLUE_HOST], [PI, BLUE], credits.now())
    credits.received(PI.key)
    assert credits.settled(PI.key, Claim(Found.NO_ENTRY)) == {PI.key, BLUE.key}


def test_a_queue_is_listened_to_for_a_while_after_its_last_entry():
    clock = [0.0]
    credits = Credits(lambda: clock[0])
    credits.refresh([BLUE_HOST], [PI, BLUE], credits.now())
    clock[0] = 599.0
    assert credits.refresh([BLUE_HOST], [BLUE], credits.now()) == {PI.key, BLUE.key}
    clock[0] = 601.0
    assert credits.refresh([BLUE_HOST], [], credits.now()) == {BLUE.key}
    clock[0] = 1200.0
    assert credits.refresh([BLUE_HOST], [], credits.now()) == set()


def test_of_idle_queues_the_latest_few_are_listened_to():
    many = [labels.queue_of(["board:pi4"], suite_id=None, size=1 + number) for number in range(80)]
    credits = Credits()
    hosts = [Candidate(number, f"h{number}", frozenset({"board:pi4"})) for number in range(99)]
    assert len(credits.refresh(hosts, many, credits.now())) == 80
    assert credits.refresh(hosts, [], credits.now()) == {queue.key for queue in many[-64:]}


def test_a_family_that_may_have_no_more_hosts_is_not_listened_to():
    credits = Credits()
    credits.refresh([BLUE_HOST], [PI, BLUE], credits.now())
    assert credits.refresh([BLUE_HOST], [BLUE], credits.now(), {PI.key}) == {BLUE.key}
    assert credits.refresh([BLUE_HOST], [], credits.now()) == {PI.key, BLUE.key}


def test_a_refresh_does_not_free_a_host_that_is_set_aside():
    credits = Credits()
    credits.refresh([PLAIN_HOST], [PI], credits.now())
    credits.received(PI.key)
    assert credits.refresh([PLAIN_HOST], [PI], credits.now()) == set()


def test_a_message_of_an_unknown_queue_takes_no_credit():
    credits = Credits()
    credits.refresh([PLAIN_HOST], [PI], credits.now())
    assert credits.received("unknown") == {PI.key}


LABELS = st.frozensets(st.sampled_from(["a", "b", "c"]), min_size=1)


@given(
    hosts=st.lists(LABELS, max_size=5),
    queues=st.lists(LABELS, max_size=5, unique=True),
    messages=st.lists(st.integers(0, 4), max_size=8),
)
def test_messages_never_set_aside_more_hosts_than_there_are(
    hosts: list[frozenset[str]], queues: list[frozenset[str]], messages: list[int]
):
    free = [Candidate(number, f"host{number}", names) for number, names in enumerate(hosts)]
    known: list[Queue] = [labels.queue_of(names) for names in queues]
    credits = Credits()
    is_open = credits.refresh(free, known, credits.now())
    taken = 0
    for message in messages:
        if message < len(known) and known[message].key in is_open:
            is_open = credits.received(known[message].key)
            taken += 1
    assert taken <= len(free)


class FakeConsumer:
    """What LabelQueues touches of a Celery consumer."""

    def __init__(self, listening: tuple[str, ...] = ()):
        self.calls: list[tuple[str, str]] = []
        self.task_consumer: Any = object()
        self.hub: Any = None
        self.app = SimpleNamespace(amqp=SimpleNamespace(queues=SimpleNamespace(consume_from=dict.fromkeys(listening))))

    def add_task_queue(self, name: str, **_: str) -> None:
        self.calls.append(("add", name))

    def cancel_task_queue(self, name: str) -> None:
        self.calls.append(("cancel", name))


@pytest.fixture
def consumer() -> FakeConsumer:
    return FakeConsumer()


def later(consumer: FakeConsumer) -> list[Any]:
    waiting: list[Any] = []
    consumer.hub = SimpleNamespace(call_soon=waiting.append)
    return waiting


def test_queues_are_changed_in_the_consumers_thread_only(consumer):
    queues, waiting = LabelQueues(), later(consumer)
    queues.attach(consumer)
    assert queues.want({"k1"}) is True
    assert consumer.calls == []
    waiting[-1]()
    assert consumer.calls == [("add", "label.k1")]


def test_closing_a_queue_needs_no_poke(consumer):
    queues, waiting = LabelQueues(), later(consumer)
    queues.attach(consumer)
    queues.apply_now({"k1"})
    assert queues.want(set()) is False
    waiting[-1]()
    assert consumer.calls == [("add", "label.k1"), ("cancel", "label.k1")]


def test_a_consumer_that_lost_its_broker_drops_the_queues_that_are_no_longer_wanted():
    queues = LabelQueues()
    first = FakeConsumer()
    later(first)
    queues.attach(first)
    queues.apply_now({"old"})
    queues.detach()
    assert queues.want({"new"}) is False
    again = FakeConsumer(listening=("lab.desk", "label.old"))
    waiting = later(again)
    queues.attach(again)
    waiting[-1]()
    assert sorted(again.calls) == [("add", "label.new"), ("cancel", "label.old")]


def test_a_claim_for_several_messages_gives_back_what_each_set_aside():
    spare = Candidate(3, "rack1-host3", frozenset({"board:pi4"}))
    credits = Credits()
    credits.refresh([PLAIN_HOST, BLUE_HOST, spare], [PI], credits.now())
    for _ in range(3):
        credits.received(PI.key)
    assert credits.settled(PI.key, granted(BLUE_HOST), messages=2) == {PI.key}
    assert credits.settled(PI.key, granted(PLAIN_HOST)) == {PI.key}
    assert credits.received(PI.key) == set()


def test_a_host_that_a_claim_gave_to_somebody_else_does_not_come_back_with_the_message_it_was_set_aside_for():
    credits = Credits()
    credits.refresh([PLAIN_HOST, BLUE_HOST], [PI, BLUE], credits.now())
    credits.received(BLUE.key)
    credits.received(PI.key)
    served_both = Claim(Found.GRANTED, 1, 7, (PLAIN_HOST.host_id, BLUE_HOST.host_id))
    assert credits.settled(PI.key, served_both) == set()
    assert credits.settled(BLUE.key, Claim(Found.NO_ENTRY)) == set()


def test_one_claim_takes_all_messages_of_a_family_up_to_its_most():
    messages = Messages()
    for key in (PI.key, PI.key, PI.key, BLUE.key):
        messages.received(key)
    assert [messages.taken(PI.key, 2), messages.taken(PI.key, 2), messages.taken(PI.key, 2)] == [2, 1, 0]
    assert messages.taken(BLUE.key, 2) == 1


FAMILIES = {queue.key: queue for queue in (PI, BLUE, labels.queue_of(["wifi"]), labels.queue_of(["board:pi4"], size=2))}


@given(st.lists(st.tuples(st.sets(st.sampled_from(sorted(FAMILIES))), st.sets(st.sampled_from(sorted(FAMILIES))))))
def test_whatever_the_database_said_a_look_listens_only_where_a_host_fits_and_is_allowed(looks):
    credits = Credits(lambda: 0.0)
    for busy, full in looks:
        queues = [FAMILIES[key] for key in sorted(busy)]
        heard = credits.refresh([BLUE_HOST], queues, credits.now(), full - busy)
        assert busy & {PI.key, BLUE.key} <= heard <= {PI.key, BLUE.key} - (full - busy)
