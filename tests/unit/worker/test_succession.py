"""Succession: who lives keeps the lab, who is dead is followed at once, and who is silent is waited for."""

from __future__ import annotations

import datetime
import os
import socket
import subprocess
import sys
import time

import pytest

from autotest.errors import LabBusy
from autotest.models import database
from autotest.models.lab import Lab
from autotest.worker import succession

BEAT_S = 0.05
NODE = socket.gethostname()


@pytest.fixture
def gone_pid():
    """The number of a process that ended."""
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    return ended.pid


def seen_by(worker: str, seconds_ago: float = 0.0) -> None:
    """The lab desk says so."""
    now = database.utc_now()
    with database.connection():
        Lab.replace(
            name="desk",
            incarnation=3,
            worker=worker,
            started_at=datetime.datetime(2026, 3, 1, 12, 0, tzinfo=datetime.timezone.utc),
            seen_at=now - datetime.timedelta(seconds=seconds_ago),
        ).execute()


class Pauses:
    """Counts the looks; *after* is what happens in the first pause."""

    def __init__(self, after=lambda: None):
        self.count = 0
        self._after = after

    def __call__(self, _: float) -> None:
        self.count += 1
        if self.count == 1:
            self._after()


def waits(after=lambda: None) -> int:
    """Wait for the turn. Returns how often it paused."""
    pauses = Pauses(after)
    succession.await_turn("desk", BEAT_S, pauses)
    return pauses.count


def test_a_lab_that_nobody_ever_served_is_free(installation):
    assert waits() == 0


def test_a_lab_whose_worker_signed_off_is_free(installation):
    seen_by("")
    assert waits() == 0


def test_a_worker_of_this_machine_whose_process_is_gone_is_followed_at_once(installation, gone_pid):
    seen_by(f"{NODE}:{gone_pid}")
    assert waits() == 0


def test_a_zombie_is_dead(installation):
    with subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE) as zombie:
        zombie.stdout.read()
        os.waitid(os.P_PID, zombie.pid, os.WEXITED | os.WNOWAIT)
        assert succession.is_dead(f"{NODE}:{zombie.pid}")


def test_a_predecessor_that_had_our_own_number_is_dead(installation):
    seen_by(succession.here())
    assert waits() == 0


@pytest.mark.parametrize(
    "worker",
    [f"elsewhere:{os.getpid()}", f"{NODE}:", f"{NODE}:x", "garbage"],
    ids=["elsewhere", "no pid", "no number", "garbage"],
)
def test_of_others_nobody_here_can_tell(worker):
    assert not succession.is_dead(worker)


@pytest.mark.parametrize("worker", [f"{NODE}:{os.getppid()}", "elsewhere:7"])
def test_a_worker_that_shows_a_sign_of_life_keeps_the_lab(installation, worker):
    seen_by(worker, 0.01)

    with pytest.raises(LabBusy) as refused:
        waits(after=lambda: seen_by(worker))

    assert str(refused.value) == (
        f"lab desk is served by {worker} since 2026-03-01 12:00:00 UTC (incarnation 3); stop that worker, or start "
        "this one with --take-over"
    )


def test_a_sign_of_life_that_is_old_by_our_clock_alone_proves_nothing(installation):
    seen_by("elsewhere:7", seconds_ago=900)

    with pytest.raises(LabBusy, match="elsewhere:7"):
        waits(after=lambda: seen_by("elsewhere:7", seconds_ago=899))


def test_a_silent_worker_is_followed_after_six_beats_and_that_is_said(installation, caplog):
    seen_by("elsewhere:7")
    began = time.monotonic()

    assert waits() > 0

    assert time.monotonic() - began >= succession.BEATS * BEAT_S
    assert (
        "lab desk was served by elsewhere:7, last seen 0.0 s ago: waiting up to 0 s for a sign of life" in caplog.text
    )
    assert "elsewhere:7 gave no sign of life: this worker takes lab desk over" in caplog.text


def test_a_worker_that_was_silent_for_long_is_followed_sooner(installation):
    seen_by("elsewhere:7", seconds_ago=7 * BEAT_S)
    began = time.monotonic()

    waits()

    assert 2 * BEAT_S <= time.monotonic() - began < succession.BEATS * BEAT_S


def test_a_worker_that_ends_while_it_is_watched_is_followed_at_once(installation, gone_pid):
    seen_by("elsewhere:7")
    assert waits(after=lambda: seen_by("")) == 1
    seen_by("elsewhere:7")
    assert waits(after=lambda: seen_by(f"{NODE}:{gone_pid}")) == 1
