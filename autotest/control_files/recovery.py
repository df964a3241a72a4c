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
    |(?P<number>0[xX][0-9a-fA-F]+[lL]?|0[bB][01]+[lL]?|0[oO][0-7]+[lL]?|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?[jJlL]?)
    |(?P<name>[^\W\d]\w*)
    |(?P<op><>|>>=|<<=|\*\*=|//=|[-+*/%&|^@=!<>]=|>>|<<|\*\*|//|->|[-+*/%&|^~<>=()\[\]{},:.;@`!])
    """,
    re.VERBOSE | re.DOTALL,
)
_OPENING, _CLOSING = "([{", ")]}"
# What stands after a bare `print` or `exec` when it is used as a name.
_NOT_AN_ARGUMENT = re.compile(r"[=.,:()\]}!<>+*/%&|^@]+|-=|in|is|and|or|if|else|for")
# Words of Python 3 that were names; where one stands between these, it is a name.
_BECAME_KEYWORDS = frozenset(("async", "await", "nonlocal"))
_BEFORE_NAME = frozenset((".", "def", "class", "import", "as", "global"))
_AFTER_NAME = re.compile(r"|[-=.,:;)\]}!<>+*/%&|^@]+|in|is|and|or|if|else|for")
# Words and signs of one list of parameters that we look at, so that nested ones cost no more than their length.
_MOST_PARAMETERS = 200
_CONSTANTS = frozenset(("True", "False"))


class _Token(NamedTuple):
    kind: str
    text: str


class NotPython2(Exception):
    """The text holds something that is no spelling of Python 2 either."""


def respell(text: str) -> str:
    """Python 2 spellings of *text* in Python 3: print and exec statements, ``except X, e``, ``raise X, y``,
    backticks, ``<>``, ``0777``, ``42L``, ``ur''``, tuples as parameters and at the end of a list comprehension,
    escapes and bytes that only Python 3 reads as more, ``async`` or ``True`` as a name, tabs beside blanks.

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
    _respell_names(tokens, words, solid)
    _respell_parameters(tokens, words, solid)
    _respell_comprehensions(tokens, words, solid)
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
        return _respell_string(text)
    return "!=" if text == "<>" else text


def _respell_string(text: str) -> str:
    body = text.lstrip("bBrRuUfF")
    prefix = text.removesuffix(body)
    if prefix.lower() in ("ur", "b", "br") and not (prefix[0] in "bB" and text.isascii()):
        return prefix[1:] + body
    # To Python 2 these are no escapes, and "C:\\users" is a folder.
    return text if prefix else re.sub(r"\\(?=[uUN])|(\\.)", lambda found: found[1] or "\\\\", body, flags=re.DOTALL)


def _respell_backticks(tokens: list[_Token], words: list[str]) -> None:
    is_open = False
    for index, token in enumerate(tokens):
        if token.text == "`":
            words[index] = ")" if is_open else " repr("
            is_open = not is_open


def _respell_names(tokens: list[_Token], words: list[str], solid: list[int]) -> None:
    before = ""
    for position, index in enumerate(solid):
        text = tokens[index].text
        if text in _BECAME_KEYWORDS:
            after = tokens[solid[position + 1]].text if position + 1 < len(solid) else ""
            if before in _BEFORE_NAME or _AFTER_NAME.fullmatch(after):
                words[index] += "_"
        before = text


def _respell_parameters(tokens: list[_Token], words: list[str], solid: list[int]) -> None:
    """Give each tuple among the parameters of a ``def`` or ``lambda`` a name."""
    closing = _closing(tokens, solid)
    for position, index in enumerate(solid):
        # What is within such a tuple has become nothing.
        if tokens[index].text not in ("def", "lambda") or not words[index]:
            continue
        is_lambda = tokens[index].text == "lambda"
        depth = 0 if is_lambda else -1
        may_begin = is_lambda
        here = position + 1
        while here < min(len(solid), position + _MOST_PARAMETERS):
            text = tokens[solid[here]].text
            if text == "(" and depth == 0 and may_begin and here in closing:
                for inside in range(solid[here], solid[closing[here]] + 1):
                    words[inside] = words[inside] if tokens[inside].kind == "newline" else ""
                words[solid[here]] = f" pair{here}"
                here = closing[here]
            elif text in _OPENING:
                depth += 1
            elif text in _CLOSING or (text == ":" and depth == 0):
                depth -= 1
                if depth < 0:
                    break
            may_begin = depth == 0 and text in ("(", ",")
            here += 1


def _closing(tokens: list[_Token], solid: list[int]) -> dict[int, int]:
    """The position of each closing bracket by that of its opening one."""
    found = {}
    opened = []
    for position, index in enumerate(solid):
        if tokens[index].text in _OPENING:
            opened.append(position)
        elif tokens[index].text in _CLOSING and opened:
            found[opened.pop()] = position
    return found


class _Bracket:
    """An open bracket: if ``in`` would end the target of a ``for``, where what is looped over begins, and its comma."""

    def __init__(self, is_list: bool) -> None:
        self.is_list = is_list
        self.is_target = self.has_comma = False
        self.begin = 0


def _respell_comprehensions(tokens: list[_Token], words: list[str], solid: list[int]) -> None:
    """Put brackets round ``1, 2`` in ``[x for x in 1, 2]``."""
    brackets = [_Bracket(False)]
    for position, index in enumerate(solid):
        text, bracket = tokens[index].text, brackets[-1]
        is_end = text in _CLOSING and len(brackets) > 1
        if is_end or (text in ("for", "if") and bracket.is_list):
            if bracket.begin and bracket.has_comma:
                words[solid[bracket.begin]] = "(" + words[solid[bracket.begin]]
                words[solid[position - 1]] += ")"
            bracket.begin, bracket.has_comma, bracket.is_target = 0, False, text == "for"
        if is_end:
            brackets.pop()
        elif text in _OPENING:
            brackets.append(_Bracket(text == "["))
        elif text == "in" and bracket.is_target:
            bracket.begin, bracket.is_target = position + 1, False
        elif text == "," and bracket.begin:
            bracket.has_comma = True


def _statements(tokens: list[_Token], solid: list[int]) -> list[tuple[int, int]]:
    """The simple statements of a logical line, as ranges of *solid*: parted by ``;`` and by the ``:`` of a block."""
    ranges = []
    start = depth = lambdas = 0
    for position, index in enumerate(solid):
        text = tokens[index].text
        if text in _OPENING:
            depth += 1
        elif text in _CLOSING:
            depth -= 1
        elif depth <= 0 and text == "lambda":
            lambdas += 1
        elif depth <= 0 and text == ":" and lambdas:
            lambdas -= 1
        elif depth <= 0 and text in (";", ":"):
            ranges.append((start, position))
            start = position + 1
    ranges.append((start, len(solid)))
    return ranges


def _respell_statement(tokens: list[_Token], words: list[str], solid: list[int]) -> None:
    """Rewrite *words* of one statement in place; *solid* are the indices of its tokens."""
    if len(solid) < 2:
        return
    _respell_targets(tokens, words, solid)
    head, follower = tokens[solid[0]].text, tokens[solid[1]].text
    if head in ("print", "exec") and not _NOT_AN_ARGUMENT.fullmatch(follower):
        words[solid[0]] = head + "("
        words[solid[-1]] += ")"
    elif head == "raise" and "," in (tokens[index].text for index in solid):
        words[solid[0]] = "raise ("
        words[solid[-1]] += ")"
    elif head == "except":
        comma = _outer(tokens, solid, ",")
        if comma is not None:
            # `except X, self.error:` binds something that is no name; only the shape matters here.
            for index in solid[comma:]:
                words[index] = ""
            words[solid[comma]] = " as error"


def _respell_targets(tokens: list[_Token], words: list[str], solid: list[int]) -> None:
    """Give ``True, False = 1, 0`` names that can be assigned to."""
    if tokens[solid[0]].text not in _CONSTANTS:
        return
    for index in solid[: _outer(tokens, solid, "=") or 0]:
        if tokens[index].text in _CONSTANTS:
            words[index] += "_"


def _outer(tokens: list[_Token], solid: list[int], sign: str) -> int | None:
    """Where in *solid* the first *sign* stands that is in no bracket."""
    depth = 0
    for position, index in enumerate(solid):
        text = tokens[index].text
        if text in _OPENING:
            depth += 1
        elif text in _CLOSING:
            depth -= 1
        elif text == sign and not depth:
            return position
    return None
