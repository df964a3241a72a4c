"""Broker facts: what the server says of itself, and whether it may hold the queues of a lab."""

from __future__ import annotations

import time
from typing import NamedTuple

import redis

from autotest import errors, settings
from autotest.celery import broker_client
from autotest.settings import Settings


class Facts(NamedTuple):
    """What INFO says; None where it says nothing, or our user may not ask. *maxmemory* in bytes, 0: no limit."""

    version: str | None = None
    maxmemory: int | None = None
    policy: str | None = None
    append_only: bool | None = None


def look() -> Facts:
    """Ask the broker. Raises RedisError."""
    client = broker_client()
    try:
        client.ping()
        return _facts(client)
    finally:
        client.close()


def wait_until_reachable(config: Settings, patience_s: float) -> Facts:
    """Like look, tried with growing pauses for *patience_s*.

    Raises BrokerUnreachable, at once for a wrong password and for a server that is too old.
    """
    pause, end = 0.2, time.monotonic() + patience_s
    while True:
        try:
            return look()
        except (redis.exceptions.AuthenticationError, redis.exceptions.NoPermissionError) as problem:
            # Who sends no password is told of the command that begins every session.
            fact = "it wants a password" if str(problem).startswith("HELLO must be called") else str(problem)
            raise errors.BrokerUnreachable(
                f"the broker {settings.shown(config.broker)} refuses us: {fact}; check user and password "
                "(broker, broker_password_file)"
            ) from problem
        except redis.exceptions.RedisError as problem:
            if str(problem).startswith("unknown command 'HELLO'"):
                raise errors.BrokerUnreachable(
                    f"the broker {settings.shown(config.broker)} is too old; Autotest needs Redis 6.0 or later, or "
                    "Valkey"
                ) from problem
            if time.monotonic() + pause > end:
                raise errors.BrokerUnreachable(
                    f"the broker {settings.shown(config.broker)} does not answer: {problem}"
                ) from problem
        time.sleep(pause)
        pause = min(2 * pause, 5.0)


def evicts(facts: Facts) -> str:
    """Why this broker may not hold our queues: it throws keys away, and a queue is a key. '' when it keeps them all."""
    if not facts.maxmemory or facts.policy in (None, "noeviction"):
        return ""
    return (
        f"it throws keys away once it holds {facts.maxmemory} bytes (maxmemory-policy {facts.policy}), and queues "
        "are keys; set maxmemory-policy to noeviction"
    )


def _facts(client: redis.Redis) -> Facts:
    try:
        info = client.info()
    except redis.exceptions.ResponseError:
        # An ACL may forbid it.
        return Facts()
    said = info if isinstance(info, dict) else {}
    maxmemory, append_only = said.get("maxmemory"), said.get("aof_enabled")
    return Facts(
        version=_text(said.get("valkey_version") or said.get("redis_version")),
        maxmemory=maxmemory if isinstance(maxmemory, int) else None,
        policy=_text(said.get("maxmemory_policy")),
        append_only=None if append_only is None else bool(append_only),
    )


def _text(value: object) -> str | None:
    return None if value is None else str(value)
