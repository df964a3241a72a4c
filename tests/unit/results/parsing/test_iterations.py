"""Iterations: blocks, types and what is skipped."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autotest.client import keyval
from autotest.results.parsing import iterations


def read(text: str):
    skipped: list[str] = []
    return iterations.parse(text.encode(), skipped.append), skipped


def test_an_empty_line_ends_a_block_even_if_it_holds_nothing():
    found, _ = read("a=1\n\n\nb=2\n")
    assert [(one.index, dict(one.perf)) for one in found] == [(1, {"a": 1.0}), (2, {}), (3, {"b": 2.0})]


def test_a_mean_with_its_deviation_gives_two_numbers():
    assert read("lat{perf}=3.5+-0.25\n")[0][0].perf == {"lat": 3.5, "lat_dev": 0.25}


@pytest.mark.parametrize("text", ["1_000", "n/a", "", "0x10", "1,5", "\u0663"])
def test_what_is_no_number_is_skipped_and_told(text):
    found, skipped = read(f"a{{perf}}={text}\nb=1\n")
    assert found[0].perf == {"b": 1.0}
    assert skipped == ["line 1 is neither {attr} nor a number; skipped"]


@pytest.mark.parametrize(("text", "value"), [("1e5", 1e5), ("+5", 5.0), ("-2", -2.0), (" 6", 6.0), ("-inf", -math.inf)])
def test_pythons_other_numbers_are_numbers(text, value):
    assert read(f"a{{perf}}={text}\n")[0][0].perf == {"a": value}


def test_an_attribute_stays_text():
    assert read("mode{attr}=007\n")[0][0].attr == {"mode": "007"}


def test_a_number_that_would_take_for_ever_is_none():
    assert read("a=" + "1" * 1_000_000 + "\n") == ((), ["line 1 is neither {attr} nor a number; skipped"])


def untyped(content: bytes):
    skipped: list[str] = []
    return iterations.parse_untyped(content, skipped.append), skipped


def test_version_0_knows_no_types_and_keeps_what_was_written():
    found, skipped = untyped(b"a{attr}=1\nb=7e3\nmode=fast\n\nnothing\n\nc=1\n")
    assert found[0].text == {"a{attr}": "1", "b": "7e3", "mode": "fast"}
    assert (found[0].perf, found[0].attr) == ({"a{attr}": 1.0, "b": 7000.0}, {"mode": "fast"})
    assert [(one.index, dict(one.perf)) for one in found[1:]] == [(2, {}), (3, {"c": 1.0})]
    assert skipped == ["line 5 has no '='; skipped"]


@pytest.mark.parametrize("parse", [iterations.parse, iterations.parse_untyped])
def test_a_file_of_newlines_does_not_fill_the_memory(parse):
    told: list[str] = []
    assert len(parse(b"\n" * (keyval.MOST_ITERATIONS + 100), told.append)) == keyval.MOST_ITERATIONS
    assert len(told) == 1


@given(st.binary(max_size=200))
def test_no_bytes_make_it_raise(content):
    assert all(one.index > 0 for one in iterations.parse(content, lambda _: None))
    assert all(one.index > 0 for one in iterations.parse_untyped(content, lambda _: None))
