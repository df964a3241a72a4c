"""Watch: one look serves everybody, what fails is told, and nobody waits for ever."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from autotest import celery, errors
from autotest.flower import watch
from autotest.flower.lab_rows import Look
from autotest.flower.watch import Glance, Watch
from autotest.models import database
from autotest.settings import Settings


@pytest.fixture
def threads():
    with ThreadPoolExecutor(2) as pool:
        yield pool


def look():
    return Look(database.utc_now(), [], [])


def nothing():
    return None


def old(watching):
    """As if the last look had been long ago."""
    watching._fresh_until = 0.0


def test_many_who_ask_at_a_time_cost_one_look(threads):
    looks = []

    def read():
        looks.append(look())
        return looks[-1]

    async def ask():
        watching = Watch(threads, read, nothing)
        glances = await asyncio.gather(*(watching.latest() for _ in range(20)))
        return [*glances, await watching.latest()]

    glances = asyncio.run(ask())
    assert len(looks) == 1
    assert glances == [Glance(looks[0], ())] * 21


def test_an_old_look_is_taken_again(threads):
    async def ask():
        watching = Watch(threads, look, nothing)
        first = await watching.latest()
        old(watching)
        return first, await watching.latest()

    first, second = asyncio.run(ask())
    assert first.look is not second.look


def test_a_database_that_is_away_is_told_and_the_last_look_kept(threads):
    answers = [look(), errors.DatabaseUnreachable("the database is away"), look()]

    def read():
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def ask():
        watching = Watch(threads, read, nothing)
        for _ in range(3):
            yield await watching.latest()
            old(watching)

    async def everything():
        return [glance async for glance in ask()]

    before, away, after = asyncio.run(everything())
    assert away == Glance(before.look, ("the database is away",))
    assert after.problems == ()
    assert after.look is not before.look


def test_a_broker_that_is_away_is_told_beside_the_look(threads):
    def knock():
        raise errors.BrokerUnreachable("the broker is away")

    glance = asyncio.run(Watch(threads, look, knock).latest())
    assert glance.look is not None
    assert glance.problems == ("the broker is away",)


def test_a_mistake_of_our_own_is_not_hidden(threads):
    with pytest.raises(ZeroDivisionError):
        asyncio.run(Watch(threads, lambda: 1 // 0, nothing).latest())


def test_a_database_that_hangs_is_waited_for_only_so_long(threads, monkeypatch):
    monkeypatch.setattr(watch, "PATIENCE_S", 0.05)
    goes_on = threading.Event()

    async def ask():
        watching = Watch(threads, lambda: goes_on.wait(10) and look(), nothing)
        glance = await watching.latest()
        with pytest.raises(errors.DatabaseUnreachable, match="not answered"):
            await watching.in_thread(lambda: goes_on.wait(10))
        goes_on.set()
        return glance

    glance = asyncio.run(ask())
    assert glance == Glance(None, ("the database has not answered for 0.05 s",))


@pytest.mark.parametrize("address", ["redis://:secret@127.0.0.1:1/0", "memory://"])
def test_a_broker_that_does_not_answer_is_named_without_its_password(address):
    app = celery.make_app(Settings(broker=address))
    with pytest.raises(errors.BrokerUnreachable, match=r"the broker \w+://.* does not answer") as caught:
        watch.knock_at_broker(app)
    assert "secret" not in str(caught.value)
