"""Any file of 1 MB is read or refused within one second of processor time and 200 MB: the kernel holds the limits."""

from __future__ import annotations

import subprocess
import sys

import pytest

from autotest.control_file import LARGEST

BASE = 'AUTHOR="a"\nNAME="n"\nDOC="d"\nTIME="SHORT"\nTEST_TYPE="client"\n'
#: Reads files, each in a process of its own under limits that end it; prints what became of each.
CHILD = """
import os, resource, sys
from autotest import control_file, errors
with open("/proc/self/statm") as statm:
    size = int(statm.read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
for path in sys.argv[1:]:
    for mode in ("modern", "lenient"):
        reader = os.fork()
        if not reader:
            resource.setrlimit(resource.RLIMIT_CPU, (1, 1))
            resource.setrlimit(resource.RLIMIT_AS, (size + 200 * 2**20,) * 2)
            try:
                control_file.read(path, mode)
            except errors.ControlVariableException as problem:
                os._exit(0 if str(problem) else 1)
            os._exit(0)
        _, status = os.waitpid(reader, 0)
        print(os.path.basename(path), mode, os.waitstatus_to_exitcode(status))
"""


def filled(piece: str, last: str = "") -> bytes:
    """BASE and *piece* as often as a file of the largest size has room for."""
    room = LARGEST - len(BASE) - len(last)
    return (BASE + piece * (room // len(piece.encode())) + last).encode()


HOSTILE = {
    "assignments": BASE.encode() + b"A = 1\n" * 100_000,
    "known assignments": filled('DEPENDENCIES = ("a", f)\n'),
    "unknown assignments": filled("DEPENDENCE = 1\n"),
    "brackets": filled("("),
    "brackets that close": BASE.encode() + b"A=" + b"[" * 500_000 + b"]" * 500_000,
    "calls": filled("A=" + "f(" * 90 + ")" * 90 + "\n"),
    "dicts": filled("BUG_TEMPLATE=" + "{1:" * 90 + "1" + "}" * 90 + "\n"),
    "open dicts": filled("A=" + "{1:" * 90 + "\n"),
    "lambdas": filled("lambda:"),
    "lambdas with brackets": filled("lambda (a"),
    "signs": BASE.encode() + b"A=" + b"-" * 1_000_000 + b"1",
    "short signs": BASE.encode() + b"A=" + b"-" * 30_000 + b"1",
    "nots": filled("not "),
    "sums": BASE.encode() + b"A=" + b"1+" * 500_000 + b"1",
    "short sums": BASE.encode() + b"NAME=" + b'"a"+' * 8_000 + b'"b"',
    "attributes": BASE.encode() + b"A=a" + b".b" * 500_000,
    "subscripts": filled("[0]"),
    "comparisons": filled("1<"),
    "a long number": filled("1"),
    "a large power": BASE.encode() + b"SYNC_COUNT=" + b"9" * 1_000_000 + b"*" + b"9" * 1_000,
    "a long name": filled("a"),
    "newlines": filled("\n", "def (:"),
    "blanks": filled(" ", "x"),
    "semicolons": filled("a;"),
    "comments": filled("#\n"),
    "backslashes": filled("\\\n"),
    "indents": BASE.encode() + b"".join(b" " * depth + b"if a:\n" for depth in range(1_000)),
    "a text": filled('DOC="""', "a"),
    "escapes": BASE.encode() + b'DOC="""' + b"\\a" * 500_000 + b'"""',
    "invalid escapes": BASE.encode() + b'DOC="""' + b"\\d" * 500_000 + b'"""',
    "quotes": filled("'"),
    "texts": filled('"a" '),
    "format fields": BASE.encode() + b'DOC=f"' + b"{a}" * 300_000 + b'"',
    "nested formats": filled("f'{f\"{a}\"}' "),
    "open formats": filled('f"{'),
    "Python 2": filled("print 1\n"),
    "short Python 2": BASE.encode() + b"print `a`, 1\n" * 9_000,
    "exceptions": BASE.encode() + b"try: a\nexcept A, b: c\n" * 4_000,
    "Python 2 brackets": BASE.encode() + b"print 1\n" + b"[" * 500_000,
    "Python 2 lambdas": BASE.encode() + b"print 1\n" + b"lambda (" * 100_000,
    "Python 2 defaults": BASE.encode() + b"print 1\n" + b"lambda a=" * 100_000,
    "Python 2 parameters": BASE.encode() + b"print 1\n" + b"def f((a, b), " * 80_000,
    "Python 2 comprehensions": BASE.encode() + b"print 1\n" + b"[a for a in 1, " * 60_000,
    "Python 2 escapes": BASE.encode() + b'print 1\nDOC = "' + b"\\u" * 400_000 + b'"\n',
    "one name again and again": filled('NAME = "b"\nNAME = "c"\n'),
    "letters beyond ASCII": filled('A="\u20ac"\n'),
    "decorators": filled("@a\n"),
    "functions": filled("def step1(): NAME='b'\n"),
    "nothing": b"\0" * LARGEST,
    "nothing at the end": BASE.encode() + b"\0",
    "a mark": b"\xef\xbb\xbf" + BASE.encode(),
    "line ends": BASE.replace("\n", "\r\n").encode() * 10_000,
    "old line ends": BASE.replace("\n", "\r").encode() * 10_000,
    "Latin-1": BASE.encode() + b'DOC="\xe9"\n',
    "punycode": b"# coding: punycode\n" + b"a" * 1_000_000,
    "zlib": b"# coding: zlib\n" + b"a" * 1_000_000,
    "utf-7": b"# coding: utf-7\n" + b"+AAAA" * 200_000,
    "idna": b"# coding: idna\n" + b"a." * 500_000,
}
#: The whole file, what the limit of tokens lets through, and what is parsed without counting.
CUTS = {"whole": LARGEST, "middle": 96 * 1024, "short": 32 * 1024}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_is_read_or_refused_within_the_limits(tmp_path, name):
    paths = [tmp_path / cut for cut in CUTS]
    for path, length in zip(paths, CUTS.values(), strict=True):
        path.write_bytes(HOSTILE[name][:length])
    done = subprocess.run([sys.executable, "-c", CHILD, *map(str, paths)], capture_output=True, text=True)
    outcomes = dict(line.rsplit(" ", 1) for line in done.stdout.splitlines())
    assert outcomes == {f"{cut} {mode}": "0" for cut in CUTS for mode in ("modern", "lenient")}, done.stderr[-500:]
