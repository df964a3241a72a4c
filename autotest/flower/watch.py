"""Watch: the last look at the lab, taken in a thread and shared by everybody who asks; Flower's loop never waits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from typing import NamedTuple, TypeVar

import redis
from celery import Celery

from autotest import errors, settings
from autotest.celery import broker_client
from autotest.flower.lab_rows import Look

#: Seconds that a look serves everybody; at least so many times what it took, so that looking stays a small share.
_FRESH_S = 1.0
_REST = 4.0
#: Seconds after which an answer is not waited for any longer.
PATIENCE_S = 5.0

_T = TypeVar("_T")


class Glance(NamedTuple):
    """The last *look* that succeeded, None before the first, and what was wrong when it was to be taken again."""

    look: Look | None
    problems: tuple[str, ...]


class Watch:
    """Takes looks with *read* and knocks at the broker with *knock*, both in *threads*, when the last one is old."""

    def __init__(self, threads: Executor, read: Callable[[], Look], knock: Callable[[], None]):
        self._threads = threads
        self._read = read
        self._knock = knock
        self._look: Look | None = None
        self._problems: tuple[str, ...] = ()
        self._fresh_until = 0.0
        self._taking: asyncio.Task[None] | None = None

    async def latest(self) -> Glance:
        """What is known now, after at most PATIENCE_S seconds."""
        if self._taking is None and time.monotonic() >= self._fresh_until:
            self._taking = asyncio.ensure_future(self._take())
        taking = self._taking
        if taking is not None:
            done, _ = await asyncio.wait({taking}, timeout=PATIENCE_S)
            if not done:
                return Glance(self._look, (f"the database has not answered for {PATIENCE_S:g} s",))
            # What it raises is a mistake of our own: the page shows it.
            taking.result()
        return Glance(self._look, self._problems)

    async def in_thread(self, work: Callable[[], _T]) -> _T:
        """The value of ``work()``. Raises what it raises, and DatabaseUnreachable after PATIENCE_S seconds."""
        future = asyncio.get_running_loop().run_in_executor(self._threads, work)
        done, _ = await asyncio.wait({future}, timeout=PATIENCE_S)
        if not done:
            raise errors.DatabaseUnreachable(f"the database has not answered for {PATIENCE_S:g} s")
        return future.result()

    async def _take(self) -> None:
        began = time.monotonic()
        loop = asyncio.get_running_loop()
        try:
            looked, knocked = await asyncio.gather(
                _told(loop.run_in_executor(self._threads, self._read)),
                _told(loop.run_in_executor(self._threads, self._knock)),
            )
            if not isinstance(looked, errors.AutotestError):
                self._look = looked
            self._problems = tuple(str(each) for each in (looked, knocked) if isinstance(each, errors.AutotestError))
        finally:
            self._taking = None
            took = time.monotonic() - began
            self._fresh_until = began + took + max(_FRESH_S, _REST * took)


def knock_at_broker(celery: Celery) -> None:
    """Raise BrokerUnreachable unless the broker answers."""
    address = settings.shown(str(celery.conf.broker_url))
    try:
        with broker_client(celery) as client:
            client.ping()
    except (redis.exceptions.RedisError, ValueError) as problem:
        raise errors.BrokerUnreachable(f"the broker {address} does not answer: {problem}") from problem


async def _told(answer: Awaitable[_T]) -> _T | errors.AutotestError:
    try:
        return await answer
    except errors.AutotestError as problem:
        return problem
