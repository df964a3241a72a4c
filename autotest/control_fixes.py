"""Fixes of control files that a machine can make: an obsolete EXPERIMENTAL is taken out, and nothing else touched."""

from __future__ import annotations

import ast
import re

from autotest import control_source
from autotest.control_dialect import OBSOLETE
from autotest.control_file import single_target

_REST_OF_LINE = re.compile(rb"[ \t\r]*(#.*)?")


def without_obsolete(data: bytes) -> bytes:
    """The bytes of a control file without its EXPERIMENTAL assignments; all other bytes are as they were.

    An assignment that shares its line with another statement stays, and so does all of a file that is not Python 3.
    """
    try:
        tree, complaint = control_source.tree(control_source.decoded(data))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return data
    if complaint is not None or b"\r" in data.replace(b"\r\n", b""):
        return data
    lines = data.split(b"\n")
    gone = {
        number
        for statement in tree.body
        if single_target(statement).lower() == OBSOLETE and _stands_alone(statement, tree, lines)
        for number in range(statement.lineno, (statement.end_lineno or statement.lineno) + 1)
    }
    return b"\n".join(line for number, line in enumerate(lines, 1) if number not in gone)


def _stands_alone(statement: ast.stmt, tree: ast.Module, lines: list[bytes]) -> bool:
    last = statement.end_lineno or statement.lineno
    # A statement before it would end on its first line.
    is_first = all(other is statement or other.end_lineno != statement.lineno for other in tree.body)
    return is_first and _REST_OF_LINE.fullmatch(lines[last - 1][statement.end_col_offset or 0 :]) is not None
