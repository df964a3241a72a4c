"""Python 2 leftovers are respelled line by line; what is no Python at all stays refused."""

from __future__ import annotations

import ast

import pytest

from autotest import control_recovery, control_source

PYTHON_2 = [
    'print "x"',
    'print "a" % b, "c",',
    'print >>log, "x"; print "y"',
    'if x: print "a"; print "b"',
    'exec "code" in {}, {}',
    "try:\n  f()\nexcept E, e:\n  pass",
    "try:\n  f()\nexcept (A, B), self.error:\n  pass",
    'raise E, "reason", trace',
    "x = `y`",
    "if a <> b: pass",
    "x = 0777",
    "x = 42L + 0x1fL",
    "x = ur'a\\d'",
    "run(command, async=True)",
    "def f():\n\tx\n        y",
    'print """three\nlines""", \\\n   z',
]


@pytest.mark.parametrize("text", PYTHON_2)
def test_a_python_2_spelling_is_recovered_with_its_line_numbers(text):
    tree, complaint = control_source.tree(f"before = 1\n{text}\nafter = 2\n")
    assert complaint is not None
    assert (tree.body[0].lineno, tree.body[-1].lineno) == (1, 2 + len(text.splitlines()))


@pytest.mark.parametrize("text", ["def (:", "a = = 1", "x = 'open", "x = '''open", "print (", "$var = 1", "a b c"])
def test_what_is_no_python_stays_refused(text):
    with pytest.raises(SyntaxError):
        control_source.tree(text)


def test_python_3_is_left_alone():
    text = "async def f():\n    async with x: pass\nprint('a', file=b)\n"
    tree, complaint = control_source.tree(text)
    assert complaint is None
    assert ast.dump(tree) == ast.dump(ast.parse(text))


def test_an_invalid_escape_is_no_fault():
    assert control_source.tree('DOC = "\\d"\n')[1] is None


@pytest.mark.parametrize(
    ("text", "length"),
    [("a.b.c", 2), ("x = 1 + 2", 2), ("f(a, b)(c)", 2), ("[1, 2, 3]", 1), ("x = (a + b, c + d)", 3), ("'open", 0)],
)
def test_the_longest_chain_is_counted(text, length):
    assert control_recovery.longest_chain(text) == length
