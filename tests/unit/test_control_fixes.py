"""An obsolete EXPERIMENTAL is taken out of a control file; every other byte stays."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autotest import control_fixes


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"A = 1\nEXPERIMENTAL = True\nB = 2\n", b"A = 1\nB = 2\n"),
        (b"A = 1\r\nexperimental = False  # why\r\nB = 2", b"A = 1\r\nB = 2"),
        (b"EXPERIMENTAL = (\n  True\n)\nB = 2\n", b"B = 2\n"),
        (b"# coding: latin-1\nA = '\xe9'\nEXPERIMENTAL = '\xe9'\n", b"# coding: latin-1\nA = '\xe9'\n"),
    ],
)
def test_an_assignment_of_its_own_lines_is_taken_out(old, new):
    assert control_fixes.without_obsolete(old) == new


@pytest.mark.parametrize(
    "text",
    [
        b"A = 1; EXPERIMENTAL = True\n",
        b"EXPERIMENTAL = True; A = 1\n",
        b'A = """\n"""; EXPERIMENTAL = True\n',
        b"if a:\n    EXPERIMENTAL = True\n",
        b"EXPERIMENTAL = True\nprint 1\n",
        b"EXPERIMENTAL = True\rA = 1\n",
        b"EXPERIMENTAL, A = 1, 2\n",
        b"DOC = '''\nEXPERIMENTAL = True\n'''\n",
        b"EXPERIMENTAL = (\n",
        b"EXPERIMENTAL = True\n\xff",
    ],
)
def test_what_could_harm_is_left_alone(text):
    assert control_fixes.without_obsolete(text) == text


@given(st.lists(st.sampled_from([b"EXPERIMENTAL = True", b"A = 1", b"", b"# x", b";", b"'''", b"\r", b"\n", b" "])))
def test_a_second_fix_has_nothing_to_do(pieces):
    once = control_fixes.without_obsolete(b"".join(pieces))
    assert control_fixes.without_obsolete(once) == once
