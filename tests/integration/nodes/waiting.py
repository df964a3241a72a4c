"""Waiting: for a condition until a deadline, never for a time."""

from __future__ import annotations

import time
from collections.abc import Callable

_LOOK_EVERY_S = 0.02


def until(condition: Callable[[], object], seconds: float, what: Callable[[], str] | str) -> float:
    """Wait until *condition* holds. Returns how many seconds that took.

    Raises AssertionError once *seconds* have passed, saying *what* was waited for and where it stands.
    """
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > seconds:
            raise AssertionError(f"not within {seconds:g} s: {what if isinstance(what, str) else what()}")
        time.sleep(_LOOK_EVERY_S)
    return time.monotonic() - began
