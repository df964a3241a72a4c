"""Fixes of control files that a machine can make; what a file says, and every byte beside a fix, stays as it was.

* An obsolete EXPERIMENTAL and a None that means nothing are taken out.
* A list, a tuple, a sum or a product, which the original reader drops or garbles, is written as the constant it is.
"""

from __future__ import annotations

import ast
import re
from typing import NamedTuple

from autotest import errors
from autotest.control_files import control_file, source, values
from autotest.control_files.conversions import SETS
from autotest.control_files.dialect import OBSOLETE, RULES
from autotest.control_files.reading import single_target

_RULES = RULES["modern"]
_REST_OF_LINE = re.compile(r"[ \t\r]*(#.*)?")
_LONGEST = 500


class Mended(NamedTuple):
    """The bytes of a control file after its fixes, and what each did: ``line 7: EXPERIMENTAL taken out``."""

    data: bytes
    done: list[str]


def mended(data: bytes) -> Mended:
    """*data* with all fixes that are safe.

    Left alone is a file that is not Python 3 or that suites refuse; a variable that the rest of the file uses; an
    assignment to be taken out that shares its line; a value with a comment in it.
    """
    untouched = Mended(data, [])
    try:
        encoding = source.encoding(data)
        text = data.decode(encoding)
        before = control_file.decode(data).as_fields()
        with source.quiet():
            tree, complaint = source.tree(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError, errors.ControlFileError):
        return untouched
    if complaint is not None or "\r" in text.replace("\r\n", "") or text.encode(encoding) != data:
        return untouched
    lines = text.split("\n")
    # What was done is done from the end, so that places stay what they are.
    done = [f"line {one.lineno}: {what}" for one in reversed(tree.body) if (what := _mend(one, tree, lines))]
    new = "\n".join(lines).encode(encoding)
    try:
        after = control_file.decode(new).as_fields()
    except errors.ControlFileError:
        return untouched
    is_same = {**after, OBSOLETE: before[OBSOLETE]} == before
    return Mended(new, done[::-1]) if done and is_same else untouched


def _mend(statement: ast.stmt, tree: ast.Module, lines: list[str]) -> str:
    """Mend *lines* where *statement* stands. Returns what was done, or an empty text."""
    name = single_target(statement)
    lower = name.lower()
    if lower not in _RULES.known:
        return ""
    assert isinstance(statement, ast.Assign)
    means_nothing = isinstance(statement.value, ast.Constant) and statement.value.value is None
    if lower == OBSOLETE or (means_nothing and _times_assigned(lower, tree) == 1):
        if _is_used(name, tree) or not _stands_alone(statement, tree, lines):
            return ""
        del lines[statement.lineno - 1 : statement.end_lineno]
        return f"{name} taken out"
    spelling = _constant(statement.value, lower)
    if not spelling or (_becomes_text(statement.value, spelling) and _is_used(name, tree)):
        return ""
    return f"{name} = {spelling}" if _replace(statement.value, spelling, lines) else ""


def _constant(node: ast.expr, name: str) -> str:
    """The constant that *node* is in the modern reading and not in the original one, or an empty text."""
    lost: list[int] = []
    try:
        value = values.value(node, _RULES, lambda line, problem: lost.append(line))
        is_plain = not values.only_modern(node)
    except (values.Dropped, RecursionError):
        return ""
    if is_plain or lost:
        return ""
    if isinstance(value, list) and name in SETS and all(isinstance(member, str) for member in value):
        value = ", ".join(value)
    if not isinstance(value, str) or len(value) > _LONGEST:
        return ""
    if isinstance(node, ast.BinOp) and value.isdecimal() and not _has_text(node):
        return value
    return f'"{value}"' if value.isprintable() and not set(value) & {'"', "\\"} else ""


def _becomes_text(node: ast.expr, spelling: str) -> bool:
    """Whether what runs sees a text where it saw a list or a number."""
    return spelling.startswith('"') and not (isinstance(node, ast.BinOp) and _has_text(node))


def _has_text(node: ast.expr) -> bool:
    return any(isinstance(one, ast.Constant) and isinstance(one.value, str) for one in ast.walk(node))


def _replace(node: ast.expr, spelling: str, lines: list[str]) -> bool:
    """Put *spelling* in the place of *node*; False, and nothing is changed, where a comment would be lost."""
    first, last = node.lineno - 1, (node.end_lineno or node.lineno) - 1
    before, _ = _parted(lines[first], node.col_offset)
    _, after = _parted(lines[last], node.end_col_offset or 0)
    if any("#" in line for line in lines[first:last]) or "#" in lines[last].removesuffix(after):
        return False
    lines[first : last + 1] = [before + spelling + after]
    return True


def _parted(line: str, column: int) -> tuple[str, str]:
    """*line* before and after *column*, which ast counts in bytes of UTF-8."""
    data = line.encode()
    return data[:column].decode(), data[column:].decode()


def _is_used(name: str, tree: ast.Module) -> bool:
    return any(isinstance(one, ast.Name) and one.id == name and isinstance(one.ctx, ast.Load) for one in ast.walk(tree))


def _times_assigned(name: str, tree: ast.Module) -> int:
    return sum(isinstance(one, ast.Name) and one.id.lower() == name for one in ast.walk(tree))


def _stands_alone(statement: ast.stmt, tree: ast.Module, lines: list[str]) -> bool:
    last = statement.end_lineno or statement.lineno
    # A statement before it would end on its first line.
    is_first = all(other is statement or other.end_lineno != statement.lineno for other in tree.body)
    _, rest = _parted(lines[last - 1], statement.end_col_offset or 0)
    return is_first and _REST_OF_LINE.fullmatch(rest) is not None
