"""What a machine can mend in a control file is mended; what it says and every other byte stay."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autotest import control_file, errors
from autotest.control_files import fixes

BASE = b'AUTHOR="a"\nNAME="n"\nDOC="d"\nTIME="SHORT"\nTEST_TYPE="client"\n'


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"A = 1\nEXPERIMENTAL = True\nB = 2\n", b"A = 1\nB = 2\n"),
        (b"A = 1\r\nexperimental = False  # why\r\nB = 2", b"A = 1\r\nB = 2"),
        (b"EXPERIMENTAL = (\n  True\n)\nB = 2\n", b"B = 2\n"),
        (b"DEPENDENCIES = None\nB = 2\n", b"B = 2\n"),
        (b'DEPENDENCIES = ["servo", "wificell"]  # all\n', b'DEPENDENCIES = "servo, wificell"  # all\n'),
        (b'ATTRIBUTES = "suite:bvt",\n', b'ATTRIBUTES = "suite:bvt"\n'),
        (b"SUITE = (\n    'b',\n    'a',\n); A = 1\r\n", b'SUITE = "b, a"; A = 1\r\n'),
        (b"MAX_RESULT_SIZE_KB = 256 * 1024; PRIORITY = 2 + 3\n", b"MAX_RESULT_SIZE_KB = 262144; PRIORITY = 5\n"),
        (b'DEPENDENCIES = "servo," + \\\n  "x"\n', b'DEPENDENCIES = "servo,x"\n'),
        (b"PRIORITY = -1\n", b'PRIORITY = "-1"\n'),
        (b'SUITE = "a" + ",b"; f(SUITE)\n', b'SUITE = "a,b"; f(SUITE)\n'),
        (b'SYNC_COUNT = "1" + "0"\n', b'SYNC_COUNT = "10"\n'),
        ("A = 'é'; SUITE = ['ü']  # é\n".encode(), "A = 'é'; SUITE = \"ü\"  # é\n".encode()),
    ],
)
def test_what_is_mended_says_the_same(old, new):
    mended = fixes.mended(BASE + old)
    assert mended.data == BASE + new
    before, after = (control_file.decode(data).as_fields() for data in (BASE + old, mended.data))
    assert {**after, "experimental": before["experimental"]} == before


def test_each_fix_has_its_line_and_what_was_done():
    text = BASE + b"EXPERIMENTAL = True\nA = 1\nSUITE = ['a']\nJOB_RETRIES = 1 + 1\n"
    assert fixes.mended(text).done == [
        "line 6: EXPERIMENTAL taken out",
        'line 8: SUITE = "a"',
        "line 9: JOB_RETRIES = 2",
    ]


@pytest.mark.parametrize("start", [b"# coding: latin-1\nA = '\xe9'\n", b"\xef\xbb\xbf", b"\n\n"])
def test_the_encoding_of_a_file_stays(start):
    assert fixes.mended(start + BASE + b"EXPERIMENTAL = True\n").data == start + BASE
    assert fixes.mended(start + BASE + b"SUITE = ['b']\n").data == start + BASE + b'SUITE = "b"\n'


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
        b"EXPERIMENTAL = True\ndef run():\n    return EXPERIMENTAL\n",
        b"SUITE = 'a'\nSUITE = None\n",
        b"SUITE = ['a']\njob.run_test(SUITE)\n",
        b"SUITE = [\n  'a',  # why\n]\n",
        b"SUITE = ['a', f('b')]\n",
        b"SUITE = ['\"', 'a']\n",
        b"SUITE = ['a\\n' 'b', 'c\\\\']\n",
        b"PRIORITY = -1\nprint(PRIORITY)\n",
        b"PRIORITY = 2 - 5\nprint(PRIORITY)\n",
        b"BUG_TEMPLATE = {'cc': ['a']}\n",
        b"TIME = f('x')\n",
        b"SYNC_COUNT = 0\nEXPERIMENTAL = True\n",
    ],
)
def test_what_could_harm_is_left_alone(text):
    assert fixes.mended(BASE + text) == (BASE + text, [])


PIECES = [b"EXPERIMENTAL = True", b"A = 1", b"", b"# x", b";", b"'''", b"\r", b"\n", b" ", b"SUITE = ", b"['b']"]


@given(st.lists(st.sampled_from(PIECES)))
def test_a_second_fix_has_nothing_to_do_and_the_file_says_the_same(pieces):
    text = BASE + b"".join(pieces)
    once = fixes.mended(text)
    assert fixes.mended(once.data) == (once.data, [])
    if once.data != text:
        assert control_file.decode(once.data).suite == control_file.decode(text).suite


@given(st.binary())
def test_any_bytes_are_mended_into_what_can_be_read_or_left_alone(data):
    mended = fixes.mended(BASE + data)
    try:
        control_file.decode(BASE + data)
    except errors.ControlVariableException:
        assert mended == (BASE + data, [])
