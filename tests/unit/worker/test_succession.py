"""Succession: who lives keeps the lab, who is dead is followed at once, and who is silent is waited for."""

from __future__ import annotations

import datetime
import os
import socket
import subprocess
import sys

import pytest

from autotest.errors import LabBusy
from autotest.models import database
from autotest.models.lab import Lab
from autotest.worker import succession

BEAT_S = 5.0
#: A watcher looks five times a beat.
LOOK_S = 1.0
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


class Clock:
    """A clock that only pauses move; *after* is what happens in the first pause."""

    def __init__(self, after):
        self.now = 0.0
        self._after = after

    def pause(self, seconds: float) -> None:
        if not self.now:
            self._after()
        self.now += seconds


def waits(after=lambda: None) -> float:
    """Wait for the turn. Returns for how many seconds."""
    clock = Clock(after)
    succession.await_turn("desk", BEAT_S, clock.pause, lambda: clock.now)
    return clock.now


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

    assert waits() == 6 * BEAT_S

    assert "lab desk was served by elsewhere:7, last seen " in caplog.text
    assert " s ago: waiting up to 30 s for a sign of life" in caplog.text
    assert "elsewhere:7 gave no sign of life: this worker takes lab desk over" in caplog.text


def test_a_worker_that_was_silent_for_long_is_followed_sooner(installation):
    seen_by("elsewhere:7", seconds_ago=7 * BEAT_S)
    assert waits() == 2 * BEAT_S


def test_a_worker_that_ends_while_it_is_watched_is_followed_at_once(installation, gone_pid):
    seen_by("elsewhere:7")
    assert waits(after=lambda: seen_by("")) == LOOK_S
    seen_by("elsewhere:7")
    assert waits(after=lambda: seen_by(f"{NODE}:{gone_pid}")) == LOOK_S
