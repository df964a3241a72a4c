"""What stops a run reaches it as one exception, and never between two things that belong together."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from autotest.server import interruption
from autotest.server.interruption import Interrupted


@pytest.fixture
def other_thread():
    ends = threading.Event()
    thread = threading.Thread(target=ends.wait)
    thread.start()
    yield thread
    ends.set()
    thread.join()


def test_a_signal_and_the_end_of_the_time_are_told_apart():
    with pytest.raises(Interrupted, match="it was stopped by SIGTERM"), interruption.interruptible(None):
        os.kill(os.getpid(), signal.SIGTERM)
    with pytest.raises(Interrupted, match=r"it outran its limit of 0.01 s"), interruption.interruptible(0.01):
        signal.pause()


def test_what_handled_the_signals_before_handles_them_again():
    before = signal.getsignal(signal.SIGTERM)
    with interruption.interruptible(60):
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) is before
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)


def test_an_interruption_waits_for_the_end_of_what_belongs_together():
    done = []

    def work():
        with interruption.postponed():
            os.kill(os.getpid(), signal.SIGTERM)
            done.append("all of it")
        done.append("more")

    with pytest.raises(Interrupted, match="SIGTERM"), interruption.interruptible(None):
        work()
    assert done == ["all of it"]


def test_an_interruption_waits_also_when_another_thread_takes_the_signal(other_thread):
    done = []

    def work():
        with interruption.postponed():
            signal.pthread_kill(other_thread.ident, signal.SIGTERM)
            signal.sigtimedwait([], 0.05)
            done.append("all of it")

    with pytest.raises(Interrupted, match="SIGTERM"), interruption.interruptible(None):
        work()
    assert done == ["all of it"]


def test_a_group_whose_start_was_written_when_the_stop_came_is_closed(server_job, shown, monkeypatch):
    write = server_job._log.record

    def stopped_meanwhile(entry):
        text = write(entry)
        os.kill(os.getpid(), signal.SIGTERM)
        return text

    monkeypatch.setattr(server_job._log, "record", stopped_meanwhile)
    with pytest.raises(Interrupted), interruption.interruptible(None):
        server_job.record("START", "wait", "wait")
    monkeypatch.setattr(server_job._log, "record", write)
    server_job.abort_open("stopped")

    assert shown() == ["START wait", "»ABORT wait stopped", "END ABORT wait stopped"]
