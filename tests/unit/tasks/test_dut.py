"""The task of a label queue's message: one claim for all messages that wait, and what was not served goes back."""

from __future__ import annotations

import contextlib
import threading
from types import SimpleNamespace

import pytest

from autotest.models import database
from autotest.scheduler import claims, lines, wakes
from autotest.scheduler.claims import Claim, Found
from autotest.settings import Settings
from autotest.states import Step
from autotest.tasks import dut
from autotest.worker import lab_worker
from autotest.worker.credits import Messages

KEY = "0" * 20
WAITING = wakes.entry_queued(KEY, 50, False, "sleeptest, job 1")
DUE = wakes.step_due("desk", 7, Step.VERIFY, "sleeptest on h1, job 2")


@pytest.fixture
def worker(monkeypatch, tmp_path):
    """A worker that received three messages of one queue; it notes what it publishes and settles."""
    made = SimpleNamespace(claiming=threading.Lock(), messages=Messages(), lab=None, settings=Settings(root=tmp_path))
    made.published, made.settled, made.stopped = [], [], False
    made.publish = made.published.extend
    made.claim_settled = lambda *said: made.settled.append(said)
    made.is_stopped = lambda: made.stopped
    for _ in range(3):
        made.messages.received(KEY)
    monkeypatch.setattr(lab_worker, "current", lambda: made)
    monkeypatch.setattr(database, "connection", contextlib.nullcontext)
    return made


def test_one_claim_serves_all_messages_that_wait_and_returns_those_of_entries_that_still_do(worker, monkeypatch):
    asked = []
    claim = Claim(Found.GRANTED, 2, 7, (1, 2), (DUE,), WAITING)
    monkeypatch.setattr(claims, "claim", lambda lab, key, now, due_in, most: asked.append((key, most)) or claim)

    for _ in range(3):
        dut.claim(KEY)

    assert asked == [(KEY, 3)]
    assert worker.published == [DUE, WAITING]
    assert worker.settled == [(KEY, claim, 3)]


def test_below_the_floor_nothing_is_claimed_and_every_message_goes_back(worker, monkeypatch):
    worker.stopped = True
    monkeypatch.setattr(lines, "wake_of_family", lambda key: WAITING)

    dut.claim(KEY)

    assert worker.published == [WAITING] * 3
    assert worker.settled == [(KEY, Claim(Found.NO_HOST, waiting=WAITING), 3)]
