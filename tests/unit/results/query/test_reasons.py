"""Reasons: what did not pass, by reason, whatever numbers the messages hold."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autotest import errors
from autotest.results.query import answers, reasons
from autotest.results.query.questions import Reasons


def ask(results, where="", **more):
    return answers.to(Reasons(where, **more), results.now)


def test_reasons_that_differ_in_numbers_are_one(results):
    results.add("ping", "FAIL", reason="lost 3 of 10")
    newest = results.add("boot", "ERROR", reason="lost  12 of\n7")
    results.add("boot", "WARN", reason="late")
    for status in ("GOOD", "TEST_NA", "RUNNING"):
        results.add("boot", status, reason="lost 1 of 1")

    found = ask(results)

    counted = [(group.text, group.results, group.tests) for group in found.groups]
    assert counted == [("lost NN of NN", 2, 2), ("late", 1, 1)]
    assert found.groups[0].statuses == {"ERROR": 1, "FAIL": 1}
    assert found.groups[0].newest == newest
    assert found.results == 3


def test_each_part_of_a_reason_counts(results):
    results.add("ping", "FAIL", reason="a|b | a")
    results.add("ping", "FAIL", reason="")

    found = {group.text: group.results for group in ask(results).groups}

    assert found == {"a": 1, "b": 1, "": 1}


def test_the_rarer_ones_are_cut_and_it_says_so(results):
    for text in ("a", "a", "b"):
        results.add("ping", "FAIL", reason=text)

    found = ask(results, limit=1)

    assert [group.text for group in found.groups] == ["a"]
    assert found.more


def test_reasons_take_two_queries_and_have_a_bound(results, monkeypatch):
    for number in range(4):
        results.add("ping", "FAIL", reason=f"{number}")

    with results.queries(2):
        assert ask(results).groups[0].results == 4
    monkeypatch.setattr(reasons, "MOST_ROWS", 3)
    with pytest.raises(errors.TooManyRows, match="narrow"):
        ask(results, limit=2)


@given(st.text(max_size=60))
def test_a_reason_without_digits_bars_and_double_blanks_stays_as_it_is(text):
    parts = list(reasons.parts(text))

    assert parts
    assert all(part == " ".join(part.split()) for part in parts)
    assert not any(char.isdecimal() or char == "|" for part in parts for char in part)
