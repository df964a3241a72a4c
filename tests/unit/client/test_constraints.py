"""Constraints: arithmetic on perf values, and no way out of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autotest.client import constraints

VALUES = {"tput": 12.0, "lat.ms": 1.5, "zero": 0}


@pytest.mark.parametrize(
    "expression",
    ["tput > 11", "11 < tput < 13", "lat.ms <= 1.5", "not tput == 3", "tput > 99 or zero == 0", "-tput + 2*6 == zero",
     "tput // 5 == 2 and tput % 5 == 2", " tput / 4 == 3", "True"],
)  # fmt: skip
def test_an_expression_that_holds_is_no_problem(expression):
    assert constraints.problem(expression, VALUES) == ""


def test_an_expression_that_does_not_hold_says_so():
    assert constraints.problem("tput > 12", VALUES) == "tput > 12: constraint was not met"


@pytest.mark.parametrize(
    "expression",
    ["nosuch > 1", "tput / zero > 1", "__import__('os')", "tput.real > 1", "(lambda: 1)()", "[1][0]", "'a' < 'b'",
     "tput ** 9", "1 if tput else 0", "tput >", "", "x = 1", "(" * 500 + "1" + ")" * 500, "1" * 1001, "tput > \x00"],
)  # fmt: skip
def test_anything_else_could_not_be_evaluated(expression):
    assert constraints.problem(expression, VALUES) == f"could not evaluate constraint: {expression}"


@given(st.text("tpu()+-*/%<>=. 019andorot", max_size=30))
def test_no_text_does_harm(expression):
    assert isinstance(constraints.problem(expression, VALUES), str)
