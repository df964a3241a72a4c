"""Plurals: a number and what it counts, as people say it."""

from __future__ import annotations


def counted(number: int, one: str, more: str = "") -> str:
    """``1 test``, ``0 tests``, ``3 entries``: *number*, then *one* or *more*, which is by default *one* with an s."""
    return f"{number} {one if number == 1 else more or one + 's'}"
