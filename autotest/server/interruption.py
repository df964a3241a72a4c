"""Interruption: SIGTERM and the deadline reach the main thread as one exception, once."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType

# What is left to stop the DUT and close the log before the kernel ends us.
_CLOSING_S = 2.5


class Interrupted(BaseException):
    """This run must stop now; not an Exception, so that nothing on the way answers it."""


class _Postponement:
    """Whether an interruption has to wait now, and the signal of the one that does."""

    is_on = False
    missed: int | None = None


_postponement = _Postponement()


@contextlib.contextmanager
def postponed() -> Iterator[None]:
    """Let an interruption wait for the end of the block, which does two things that belong together. Not nested."""
    # No mask of signals: another thread takes what this one does not, and the handler runs here all the same.
    _postponement.is_on = True
    try:
        yield
    finally:
        _postponement.is_on = False
        missed, _postponement.missed = _postponement.missed, None
        if missed is not None:
            signal.raise_signal(missed)


@contextlib.contextmanager
def interruptible(deadline_s: float | None) -> Iterator[None]:
    """Let SIGTERM, SIGINT and the end of *deadline_s* raise Interrupted in the block. For the main thread."""

    closing = False
    _postponement.missed = None

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal closing
        if _postponement.is_on:
            _postponement.missed = number
            return
        closing = True
        for other in (signal.SIGTERM, signal.SIGINT):
            signal.signal(other, signal.SIG_IGN)
        # Should the closing hang, SIGALRM ends the process even where Python does not get to run.
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, _CLOSING_S)
        if number == signal.SIGALRM:
            raise Interrupted(f"it outran its limit of {deadline_s:g} s")
        raise Interrupted(f"it was stopped by {signal.Signals(number).name}")

    watched = [signal.SIGTERM, signal.SIGINT, *([] if deadline_s is None else [signal.SIGALRM])]
    before = {number: signal.signal(number, stop) for number in watched}
    if deadline_s is not None:
        signal.setitimer(signal.ITIMER_REAL, max(0.001, deadline_s))
    try:
        yield
    finally:
        if closing or deadline_s is not None:
            signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            signal.signal(number, handler)
