"""From the bytes of a control file to its syntax tree, in bounded time and memory, be it Python 3 or Python 2."""

from __future__ import annotations

import ast
import codecs
import contextlib
import io
import re
import sys
import tokenize
import warnings
from collections.abc import Iterator

from autotest.control_files import recovery

#: Bytes of a control file that we are willing to read.
LARGEST = 1024 * 1024
#: Words, signs and strings of a control file that we are willing to parse; each costs up to 2 KB and 5 us.
MOST_TOKENS = 50_000
#: Lines of a control file that we are willing to parse.
MOST_LINES = 50_000

# A text of this length cannot hold more tokens than we take, however it is written.
_HARMLESS = 32 * 1024
# Characters that are respelled when they are not Python 3; that costs more than parsing.
_LONGEST_PYTHON_2 = 128 * 1024
# Operators on one expression; CPython 3.10 overflows its C stack somewhere beyond 100,000.
_LONGEST_CHAIN = 5000
# Others are slow on purpose-made text (punycode), or no text at all (zlib).
_ENCODING = re.compile(r"utf-8(-sig)?|ascii|iso8859-\d+|cp\d+|koi8-[rtu]")
_STRING_BODY = r"""
    (?:\"\"\"[^"\\]*(?:(?:\\.|"(?!""))[^"\\]*)*\"\"\"
      |'''[^'\\]*(?:(?:\\.|'(?!''))[^'\\]*)*'''
      |"(?!"")[^"\\\n]*(?:\\.[^"\\\n]*)*"
      |'(?!'')[^'\\\n]*(?:\\.[^'\\\n]*)*')
"""
_PIECE = re.compile(
    rf"(?P<quiet>(?:[\s\\]+|\#[^\n]*)+)|(?P<format>[fF][rR]?{_STRING_BODY}|[rR][fF]{_STRING_BODY})"
    rf"|(?P<string>{_STRING_BODY})|(?P<quote>[\"'])|\w+|.",
    re.VERBOSE | re.DOTALL,
)


def decoded(data: bytes) -> str:
    """The text of a file, in its declared encoding or UTF-8. Raises ValueError, SyntaxError."""
    may_say = data.find(b"coding", 0, data.find(b"\n", data.find(b"\n") + 1)) >= 0
    return data.decode(encoding(data) if may_say or data.startswith(codecs.BOM_UTF8) else "utf-8")


def encoding(data: bytes) -> str:
    """The name of the encoding that *data* declares, ``utf-8`` without one. Raises ValueError, SyntaxError."""
    declared, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
    name = codecs.lookup(declared).name
    if not _ENCODING.fullmatch(name):
        raise ValueError(f"its declared encoding {declared!r} is not one that control files may use")
    return declared


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Parse within: an invalid escape in a DOC text is a warning of Python 3, never a fault of the control file.

    Entering costs as much as a small file does; whoever reads many enters once.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def tree(text: str) -> tuple[ast.Module, SyntaxError | None]:
    """The syntax tree of *text*, and the complaint of Python 3 if it had to be recovered from Python 2.

    The caller is within :func:`quiet`. Raises SyntaxError for text that is neither; ValueError, RecursionError or
    MemoryError for text that no parser can take (NUL bytes, endless nesting, more than MOST_TOKENS tokens or MOST_LINES
    lines).
    """
    source = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    if len(source) > _HARMLESS:
        _check_cost(source)
    try:
        return _ast(source), None
    except SyntaxError as problem:
        if len(source) > _LONGEST_PYTHON_2:
            raise
        try:
            return _ast(recovery.respell(source)), problem
        except (SyntaxError, ValueError, RecursionError, MemoryError, recovery.NotPython2):
            raise problem from None


def _check_cost(source: str) -> None:
    """Raise ValueError if parsing *source* could take long; the cost of a token is one, of a format string more."""
    if source.count("\n") > MOST_LINES:
        raise ValueError(f"it has more than {MOST_LINES} lines")
    cost = 0
    for piece in _PIECE.finditer(source):
        kind = piece.lastgroup
        if kind == "quiet":
            continue
        if kind == "quote":
            line = source.count("\n", 0, piece.start()) + 1
            raise ValueError(f"a string that begins there does not end (line {line})")
        cost += 1
        if kind == "format":
            # CPython 3.11 looks for each field from the beginning of the string.
            cost += piece[0].count("{") * (5 + len(piece[0]) // 1024)
        if cost > MOST_TOKENS:
            raise ValueError(f"it has more than {MOST_TOKENS} tokens")


def _ast(source: str) -> ast.Module:
    is_fragile = sys.version_info < (3, 11) and len(source) > _LONGEST_CHAIN
    if is_fragile and recovery.longest_chain(source) > _LONGEST_CHAIN:
        raise RecursionError("an expression is nested too deep")
    tree = compile(source, "control file", "exec", ast.PyCF_ONLY_AST, dont_inherit=True)
    assert isinstance(tree, ast.Module)
    return tree
