"""Durations: what people write, and what they read."""

from __future__ import annotations

import datetime

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autotest.cli import durations


@given(st.integers(1, 500), st.sampled_from(["s", "m", "h", "d"]))
def test_a_number_with_a_unit_is_a_duration(number, unit):
    found = durations.Duration().convert(f"{number}{unit}", None, None)
    assert found / number == {"s": 1, "m": 60, "h": 3600, "d": 86400}[unit] * datetime.timedelta(seconds=1)


@pytest.mark.parametrize("text", ["", "24", "h", "-1h", "0s", "1.5h", "1w", "999999999d", "1h30m", "\u0661h"])
def test_anything_else_is_refused(text):
    with pytest.raises(click.BadParameter, match="is not a duration such as 90s, 30m, 24h or 7d"):
        durations.Duration().convert(text, None, None)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (3600, "1 h"),
        (18600, "5 h 10 min"),
        (86400, "24 h"),
        (172800, "2 d"),
        (180000, "2 d 2 h"),
    ],
)
def test_the_two_largest_units_are_shown(seconds, text):
    assert durations.shown(seconds) == text
