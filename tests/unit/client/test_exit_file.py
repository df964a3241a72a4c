"""The exit file: what autoserv leaves, and how it ended."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autotest.client.exit_file import ExitFile

NUMBERS = st.integers(0, 10**9)


@given(st.one_of(st.just(()), st.tuples(NUMBERS), st.tuples(NUMBERS, NUMBERS), st.tuples(NUMBERS, NUMBERS, NUMBERS)))
def test_parse_is_the_inverse_of_render(numbers):
    assert ExitFile.parse(ExitFile(*numbers).render().encode()) == ExitFile(*numbers)


@given(st.binary(max_size=60))
def test_any_bytes_are_an_exit_file(content):
    assert ExitFile.parse(content).exit_code in (None, *range(256))


@pytest.mark.parametrize(("status", "code"), [(0, 0), (256, 1), (9, None), (271, None), (None, None)])
def test_a_signal_leaves_no_exit_code(status, code):
    assert ExitFile(1, status).exit_code == code
