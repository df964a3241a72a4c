"""Plurals: one of a thing is told otherwise than none or many."""

from __future__ import annotations

import pytest

from autotest import plurals


@pytest.mark.parametrize(("number", "told"), [(0, "0 tests"), (1, "1 test"), (2, "2 tests"), (11, "11 tests")])
def test_only_one_is_told_in_the_singular(number, told):
    assert plurals.counted(number, "test") == told


@pytest.mark.parametrize(("number", "told"), [(0, "0 entries"), (1, "1 entry"), (3, "3 entries")])
def test_what_takes_no_s_brings_its_own_plural(number, told):
    assert plurals.counted(number, "entry", "entries") == told
