"""Attribute expressions: ``suite:bvt or (suite:smoke and not subsystem:wifi)``, parsed by hand, never evaluated."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection

#: Characters of an expression, and how deep its parentheses and ``not`` may go.
LONGEST = 10_000
DEEPEST = 50

_TOKEN = re.compile(r"""([()])|"([^"]*)"|'([^']*)'|([^\s()"']+)""")
_WORDS = frozenset(("and", "or", "not"))


class BadExpression(ValueError):
    """Not an attribute expression; the text says at which character and why."""


@dataclasses.dataclass(frozen=True)
class Attribute:
    """True for a set that holds *name*, exactly as it is spelled."""

    name: str

    def holds(self, attributes: Collection[str]) -> bool:
        """Whether *attributes* satisfy this expression."""
        return self.name in attributes


@dataclasses.dataclass(frozen=True)
class Not:
    """True where *operand* is not."""

    operand: Expression

    def holds(self, attributes: Collection[str]) -> bool:
        """Whether *attributes* satisfy this expression."""
        return not self.operand.holds(attributes)


@dataclasses.dataclass(frozen=True)
class And:
    """True where every operand is."""

    operands: tuple[Expression, ...]

    def holds(self, attributes: Collection[str]) -> bool:
        """Whether *attributes* satisfy this expression."""
        return all(operand.holds(attributes) for operand in self.operands)


@dataclasses.dataclass(frozen=True)
class Or:
    """True where any operand is."""

    operands: tuple[Expression, ...]

    def holds(self, attributes: Collection[str]) -> bool:
        """Whether *attributes* satisfy this expression."""
        return any(operand.holds(attributes) for operand in self.operands)


Expression = Attribute | Not | And | Or


def parse(text: str) -> Expression:
    """Read *text*: attributes joined by ``and``, ``or``, ``not`` and parentheses; ``not`` binds closest, ``or`` least.

    An attribute is any run of characters without blanks, quotes and parentheses, or anything in quotes. Raises
    BadExpression, which names the character (from 1) where reading stopped.
    """
    if len(text) > LONGEST:
        raise BadExpression(f"an attribute expression has at most {LONGEST} characters, not {len(text)}")
    reader = _Reader(text)
    found = reader.alternatives(0)
    if reader.kind != "end":
        raise reader.complaint("'and', 'or' or the end expected")
    return found


class _Reader:
    """Recursive descent over the tokens of one text."""

    def __init__(self, text: str):
        self._text = text
        self._after = 0
        self._advance()

    def _advance(self) -> None:
        """Move to the next token: *kind* is a word, a parenthesis, ``name`` or ``end``."""
        self.at = len(self._text) - len(self._text[self._after :].lstrip())
        match = _TOKEN.match(self._text, self.at)
        if match is None:
            if self.at < len(self._text):
                raise BadExpression(f"character {self.at + 1} of {self._shown()}: a quote without its end")
            self.kind, self.name = "end", ""
            return
        mark, double, single, word = match.groups()
        self._after = match.end()
        self.name = next((part for part in (double, single, word) if part is not None), "")
        self.kind = mark or (word if word in _WORDS else "name")

    def alternatives(self, depth: int) -> Expression:
        """One or more terms joined by ``or``."""
        operands = [self._terms(depth)]
        while self.kind == "or":
            self._advance()
            operands.append(self._terms(depth))
        return operands[0] if len(operands) == 1 else Or(tuple(operands))

    def _terms(self, depth: int) -> Expression:
        operands = [self._factor(depth)]
        while self.kind == "and":
            self._advance()
            operands.append(self._factor(depth))
        return operands[0] if len(operands) == 1 else And(tuple(operands))

    def _factor(self, depth: int) -> Expression:
        if depth > DEEPEST:
            raise self.complaint(f"nested deeper than {DEEPEST}")
        if self.kind == "not":
            self._advance()
            return Not(self._factor(depth + 1))
        if self.kind == "(":
            self._advance()
            inner = self.alternatives(depth + 1)
            if self.kind != ")":
                raise self.complaint("')' expected")
            self._advance()
            return inner
        if self.kind != "name" or not self.name:
            raise self.complaint("an attribute, 'not' or '(' expected")
        name = self.name
        self._advance()
        return Attribute(name)

    def complaint(self, reason: str) -> BadExpression:
        """The error for the token at hand."""
        seen = "the end" if self.kind == "end" else repr(self.name[:40] if self.kind == "name" else self.kind)
        return BadExpression(f"character {self.at + 1} of {self._shown()}: {reason}, not {seen}")

    def _shown(self) -> str:
        return repr(self._text if len(self._text) <= 100 else self._text[:97] + "...")
