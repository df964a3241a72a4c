"""Python 2 leftovers of a control file, respelled in Python 3.

Only for reading with ast: the text keeps every line number and every top-level assignment, and makes no promise about
what a body would do. See control-files-and-suites.md section 2.1.
"""

from __future__ import annotations

import re
from typing import NamedTuple

_TOKEN = re.compile(
    r"""
    (?P<string>(?:[bB][rR]?|[uU][rR]?|[rR][bB]?|[fF][rR]?|[rR][fF])?
        (?:\"\"\"[^"\\]*(?:(?:\\.|"(?!""))[^"\\]*)*\"\"\"
          |'''[^'\\]*(?:(?:\\.|'(?!''))[^'\\]*)*'''
          |"(?!"")[^"\\\n]*(?:\\.[^"\\\n]*)*"
          |'(?!'')[^'\\\n]*(?:\\.[^'\\\n]*)*'))
    |(?P<comment>\#[^\n]*)
    |(?P<newline>\n)
    |(?P<blank>(?:[ \t\f]|\\\n)+)
    |(?P<number>0[xX][0-9a-fA-F]+[lL]?|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?[jJlL]?)
    |(?P<name>[^\W\d]\w*)
    |(?P<op><>|>>=|<<=|\*\*=|//=|[-+*/%&|^@=!<>]=|>>|<<|\*\*|//|->|[-+*/%&|^~<>=()\[\]{},:.;@`!])
    """,
    re.VERBOSE | re.DOTALL,
)
_OPENING, _CLOSING = "([{", ")]}"
# What stands after a bare `print` or `exec` when it is used as a name.
_NOT_AN_ARGUMENT = re.compile(r"[=.,:()\]}!<>+*/%&|^@]+|-=")
_AFTER_ASYNC = frozenset(("def", "for", "with"))


class _Token(NamedTuple):
    kind: str
    text: str


class NotPython2(Exception):
    """The text holds something that is no spelling of Python 2 either."""


def respell(text: str) -> str:
    """Python 2 spellings of *text* in Python 3: print and exec statements, ``except X, e``, ``raise X, y``,
    backticks, ``<>``, ``0777``, ``42L``, ``ur''``, ``async`` as a name, tabs beside blanks.

    A long integer becomes a unary plus, so that it stays distinguishable. Raises NotPython2 for text that has no
    tokens (an unterminated string).
    """
    lines: list[str] = []
    for line in _logical_lines(_tokens(text)):
        lines.extend(_respell_line(line))
    return "".join(lines)


def longest_chain(text: str) -> int:
    """How many operators, attributes, calls and subscripts hang on one expression of *text*, at most.

    Such a chain is as deep in the syntax tree as it is long, and CPython 3.10 overflows its C stack while it builds
    one. 0 for text that has no tokens: its parser refuses it before it builds anything.
    """
    try:
        lines = _logical_lines(_tokens(text))
    except NotPython2:
        return 0
    return max(map(_chain_of_line, lines))


def _chain_of_line(tokens: list[_Token]) -> int:
    longest = total = 0
    open_brackets = [0]
    for token in tokens:
        if token.kind != "op":
            continue
        if token.text in ",;:":
            total -= open_brackets[-1]
            open_brackets[-1] = 0
        elif token.text in _CLOSING:
            if len(open_brackets) > 1:
                total -= open_brackets.pop()
        else:
            total += 1
            open_brackets[-1] += 1
            longest = max(longest, total)
            if token.text in _OPENING:
                open_brackets.append(0)
    return longest


def _tokens(text: str) -> list[_Token]:
    found = []
    place = 0
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise NotPython2(f"no token at character {place}")
        found.append(_Token(match.lastgroup or "", match[0]))
        place = match.end()
    return found


def _logical_lines(tokens: list[_Token]) -> list[list[_Token]]:
    """The tokens, cut after each newline that ends a statement."""
    lines: list[list[_Token]] = [[]]
    depth = 0
    for token in tokens:
        if token.text in _OPENING:
            depth += 1
        elif token.text in _CLOSING:
            depth = max(0, depth - 1)
        lines[-1].append(token)
        if token.kind == "newline" and not depth:
            lines.append([])
    return lines


def _respell_line(tokens: list[_Token]) -> list[str]:
    words = [_respell_word(token) for token in tokens]
    _respell_backticks(tokens, words)
    if tokens and tokens[0].kind == "blank":
        words[0] = tokens[0].text.expandtabs(8)
    solid = [index for index, token in enumerate(tokens) if token.kind not in ("blank", "comment", "newline")]
    for first, last in _statements(tokens, solid):
        _respell_statement(tokens, words, solid[first:last])
    return words


def _respell_word(token: _Token) -> str:
    text = token.text
    if token.kind == "number":
        is_long = text[-1] in "lL"
        digits = text.rstrip("lL")
        if re.fullmatch(r"0[0-7]+", digits):
            digits = "0o" + digits[1:]
        return f"(+{digits})" if is_long else digits
    if token.kind == "string":
        return re.sub(r"\A[uU](?=[rR])", "", text)
    return "!=" if text == "<>" else text


def _respell_backticks(tokens: list[_Token], words: list[str]) -> None:
    is_open = False
    for index, token in enumerate(tokens):
        if token.text == "`":
            words[index] = ")" if is_open else " repr("
            is_open = not is_open


def _statements(tokens: list[_Token], solid: list[int]) -> list[tuple[int, int]]:
    """The simple statements of a logical line, as ranges of *solid*: parted by ``;`` and by the ``:`` of a block."""
    ranges = []
    start = depth = 0
    for position, index in enumerate(solid):
        text = tokens[index].text
        if text in _OPENING:
            depth += 1
        elif text in _CLOSING:
            depth -= 1
        elif text in (";", ":") and depth <= 0:
            ranges.append((start, position))
            start = position + 1
    ranges.append((start, len(solid)))
    return ranges


def _respell_statement(tokens: list[_Token], words: list[str], solid: list[int]) -> None:
    """Rewrite *words* of one statement in place; *solid* are the indices of its tokens."""
    for position, index in enumerate(solid):
        follower = tokens[solid[position + 1]].text if position + 1 < len(solid) else ""
        if tokens[index].text == "async" and follower not in _AFTER_ASYNC:
            words[index] = "async_"
    if len(solid) < 2:
        return
    head, follower = tokens[solid[0]].text, tokens[solid[1]].text
    if head in ("print", "exec") and not _NOT_AN_ARGUMENT.fullmatch(follower):
        words[solid[0]] = head + "("
        words[solid[-1]] += ")"
    elif head == "raise" and "," in (tokens[index].text for index in solid):
        words[solid[0]] = "raise ("
        words[solid[-1]] += ")"
    elif head == "except":
        comma = _outer_comma(tokens, solid)
        if comma is not None:
            # `except X, self.error:` binds something that is no name; only the shape matters here.
            for index in solid[solid.index(comma) :]:
                words[index] = ""
            words[comma] = " as error"


def _outer_comma(tokens: list[_Token], solid: list[int]) -> int | None:
    depth = 0
    for index in solid:
        text = tokens[index].text
        if text in _OPENING:
            depth += 1
        elif text in _CLOSING:
            depth -= 1
        elif text == "," and not depth:
            return index
    return None
