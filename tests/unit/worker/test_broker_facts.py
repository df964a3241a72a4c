"""Broker facts: a broker that throws queues away is told from one that keeps them."""

from __future__ import annotations

import pytest
import redis

from autotest import errors
from autotest.settings import Settings
from autotest.worker import broker_facts
from autotest.worker.broker_facts import Facts


@pytest.mark.parametrize("policy", ["allkeys-lru", "allkeys-random", "volatile-ttl"])
def test_a_broker_with_a_limit_and_any_policy_but_noeviction_throws_queues_away(policy):
    reason = broker_facts.evicts(Facts("9.1.2", 1_000_000, policy, True))
    assert reason == (
        f"it throws keys away once it holds 1000000 bytes (maxmemory-policy {policy}), and queues are keys; "
        "set maxmemory-policy to noeviction"
    )


@pytest.mark.parametrize(
    "facts",
    [Facts("9.1.2", 0, "allkeys-lru", True), Facts("9.1.2", 1_000_000, "noeviction", False), Facts()],
)
def test_without_a_limit_or_with_noeviction_it_keeps_them_and_an_unknown_one_is_trusted(facts):
    assert broker_facts.evicts(facts) == ""


@pytest.mark.parametrize(
    ("problem", "fact"),
    [
        (redis.exceptions.ResponseError("unknown command 'HELLO', with args"), "is too old; Autotest needs Redis 6.0"),
        (redis.exceptions.AuthenticationError("HELLO must be called with ..."), "refuses us: it wants a password;"),
        (redis.exceptions.AuthenticationError("invalid password"), "refuses us: invalid password; check user and"),
    ],
)
def test_a_broker_that_will_never_do_is_asked_once(monkeypatch, problem, fact):
    asked = []

    def look():
        asked.append(1)
        raise problem

    monkeypatch.setattr(broker_facts, "look", look)
    with pytest.raises(errors.BrokerUnreachable, match=fact):
        broker_facts.wait_until_reachable(Settings(), 60)
    assert asked == [1]
