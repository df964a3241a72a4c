"""Python 2 leftovers are respelled line by line; what is no Python at all stays refused."""

from __future__ import annotations

import ast

import pytest

from autotest.control_files import recovery, source

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
    'print "a" if b else "c"; x = 1; print',
    "print not x, [1, 2], {1: 2}, ~x, lambda y: y",
    "print lambda: 1, 2",
    'for x in y: print "x"',
    'else_ = 1\nif a: print "b"\nelse: print "c"',
    'class A: print "x"',
    "print u'caf\u00e9', ur'\\d'",
    'exec "code"',
    "exec code in ns; x = 1",
    'try: f()\nexcept E, e: raise F, "x %s" % e',
    "try:\n  f()\nexcept (A, B), (c, d):\n  pass",
    'raise E, ("a", "b")',
    "x = `a, b` + `c`",
    "os.chmod(path, 0755); x = 00 + 0777L + 0b1L + 0o7l",
    "def f(a, (b, c)): pass",
    "def f((a, b)=(1, 2), c=(3, 4), *args, **kw):\n  return a",
    "def f((a,\n  (b, c)), d): pass",
    "key = lambda (a, b): a",
    "x = sorted(y, key=lambda a, (b, c)=(1, 2): a <> b)",
    "x = [a for a in 1, 2]",
    "x = [a for a in b, c if a in d for e in f(1, 2), g]",
    "x = [(a, b) for a, b in c, d]",
    "True, False = 1, 0",
    "True = 1",
    "await = 1",
    "self.await(async, nonlocal=1)",
    "def async(): pass",
    "import async",
    'x = "C:\\users\\new"\nprint x',
    "x = '\\N'",
    "x = b'\u00e9'",
    "if a:\n\tb\n        c",
]


@pytest.mark.parametrize("text", PYTHON_2)
def test_a_python_2_spelling_is_recovered_with_its_line_numbers(text):
    with source.quiet():
        tree, complaint = source.tree(f"before = 1\n{text}\nafter = 2\n")
    assert complaint is not None
    assert (tree.body[0].lineno, tree.body[-1].lineno) == (1, 2 + len(text.splitlines()))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('x = "C:\\users"; print x', "C:\\users"),
        ('x = "a\\\\users\\n"; print x', "a\\users\n"),
        ("x = ur'\\d'; print x", "\\d"),
        ("x = u'\\u00e9'; print x", "\u00e9"),
        ("x = 0755; print x", 0o755),
        ("x = 'a <> b, print `c`'; print x", "a <> b, print `c`"),
    ],
)
def test_a_value_beside_python_2_is_what_python_2_makes_of_it(text, value):
    with source.quiet():
        tree, complaint = source.tree(text)
    assert complaint is not None
    assignment = tree.body[0]
    assert isinstance(assignment, ast.Assign)
    assert ast.literal_eval(assignment.value) == value


@pytest.mark.parametrize("text", ["def (:", "a = = 1", "x = 'open", "x = '''open", "print (", "$var = 1", "a b c"])
def test_what_is_no_python_stays_refused(text):
    with pytest.raises(SyntaxError):
        source.tree(text)


def test_python_3_is_left_alone():
    text = "async def f():\n    async with x: pass\nprint('a', file=b)\n"
    tree, complaint = source.tree(text)
    assert complaint is None
    assert ast.dump(tree) == ast.dump(ast.parse(text))


def test_an_invalid_escape_is_no_fault():
    with source.quiet():
        assert source.tree('DOC = "\\d"\n')[1] is None


@pytest.mark.parametrize(
    ("text", "length"),
    [("a.b.c", 2), ("x = 1 + 2", 2), ("f(a, b)(c)", 2), ("[1, 2, 3]", 1), ("x = (a + b, c + d)", 3), ("'open", 0)],
)
def test_the_longest_chain_is_counted(text, length):
    assert recovery.longest_chain(text) == length
