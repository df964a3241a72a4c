"""Values of a control file: what the expression of an assignment says, as text and as lists and dicts of text.

Rules: control-files-and-suites.md sections 1.2 and 1.3. The modern reading (section 8) computes sums, differences and
products of constants first, and takes tuples and sets as lists.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any

from autotest.control_files.dialect import Rules
from autotest.control_files.source import LARGEST

#: Told of each part of a value that is left out: its line, and what it was.
Lost = Callable[[int, str], None]

_LARGEST_FOLDED = 2**64
_KINDS: dict[type[ast.expr], str] = {
    ast.Attribute: "an attribute",
    ast.BinOp: "a computed value",
    ast.Call: "a call",
    ast.JoinedStr: "an f-string",
    ast.ListComp: "a comprehension",
    ast.Name: "a name",
    ast.Set: "a set",
    ast.Subscript: "a subscript",
    ast.Tuple: "a tuple",
    ast.UnaryOp: "a signed value",
}
_FOLDABLE = (ast.BinOp, ast.UnaryOp, ast.Tuple, ast.Set)


class Dropped(Exception):
    """An expression that has no constant value for this reading."""


def value(node: ast.expr, rules: Rules, lost: Lost) -> Any:
    """What *node* says: constants as stripped text, None for None in the modern reading.

    Raises Dropped, saying what it was; RecursionError for an expression that is nested too deep.
    """
    if rules.is_modern and isinstance(node, _FOLDABLE):
        node = _folded(node)
    if isinstance(node, ast.Constant):
        return None if rules.is_modern and node.value is None else _text(node, rules)
    if isinstance(node, ast.List) and rules.reads_collections:
        members = (_member(member, rules, lost) for member in node.elts)
        return [member for member in members if member is not None]
    if isinstance(node, ast.Dict) and rules.reads_collections:
        items = zip(node.keys, node.values, strict=True)
        pairs = ((_key(key, node, rules, lost), _member(content, rules, lost)) for key, content in items)
        return {key: content for key, content in pairs if key is not None and content is not None}
    raise Dropped(_kind_of(node))


def only_modern(node: ast.expr) -> str:
    """What the original reader does with *node*, where the modern reading takes it for a value; else an empty text."""
    if isinstance(node, ast.Constant):
        return "takes None for the text 'None'" if node.value is None else ""
    if isinstance(node, ast.List):
        return "makes garbage of a list"
    return "" if isinstance(node, ast.Dict) else f"drops {_kind_of(node)}"


def _member(node: ast.expr, rules: Rules, lost: Lost) -> Any:
    try:
        return value(node, rules, lost)
    except Dropped as problem:
        lost(node.lineno, f"{problem} inside the value is dropped")
        return None


def _key(node: ast.expr | None, parent: ast.Dict, rules: Rules, lost: Lost) -> str | None:
    if isinstance(node, ast.Constant) and not isinstance(node.value, (bool, type(None))):
        return _member(node, rules, lost)
    lost((node or parent).lineno, "a key that is neither text nor a number is dropped")
    return None


def _text(node: ast.Constant, rules: Rules) -> str:
    constant = node.value
    if type(constant) is str and constant.isascii():
        return constant.strip()
    if isinstance(constant, bytes):
        return constant.decode("utf-8", "replace").strip()
    if isinstance(constant, str):
        if node.kind == "u" and not constant.isascii() and not rules.is_modern:
            raise Dropped("a u'' literal beyond ASCII")
        if not constant.isascii() and any("\ud800" <= character <= "\udfff" for character in constant):
            raise Dropped("text with half a surrogate pair")
        return constant.strip()
    if constant is None or isinstance(constant, (bool, int, float)):
        try:
            return str(constant)
        except ValueError as problem:
            raise Dropped("a number with too many digits") from problem
    raise Dropped(_kind_of(node))


def _kind_of(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return f"a {type(node.value).__name__} literal"
    return _KINDS.get(type(node), f"an expression ({type(node).__name__})")


def _folded(node: ast.expr) -> ast.expr:
    """Section 8.1: sums, differences and products of constants and signs computed; tuples and sets as lists."""
    if isinstance(node, (ast.Tuple, ast.Set)):
        return ast.copy_location(ast.List(elts=node.elts, ctx=ast.Load()), node)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.UAdd)):
        operand = _folded(node.operand)
        if isinstance(operand, ast.Constant):
            computed = _computed(0, ast.Sub() if isinstance(node.op, ast.USub) else ast.Add(), operand.value)
            if computed is not None:
                return ast.copy_location(ast.Constant(computed), node)
    if isinstance(node, ast.BinOp):
        left, right = _folded(node.left), _folded(node.right)
        if isinstance(left, ast.Constant) and isinstance(right, ast.Constant):
            computed = _computed(left.value, node.op, right.value)
            if computed is not None:
                return ast.copy_location(ast.Constant(computed), node)
    return node


def _computed(left: Any, operator: ast.operator, right: Any) -> Any:
    if isinstance(left, str) and isinstance(right, str):
        return left + right if isinstance(operator, ast.Add) and len(left) + len(right) <= LARGEST else None
    if type(left) not in (int, float) or type(right) not in (int, float):
        return None
    if max(abs(left), abs(right)) > _LARGEST_FOLDED:
        return None
    if isinstance(operator, ast.Add):
        return left + right
    if isinstance(operator, ast.Sub):
        return left - right
    return left * right if isinstance(operator, ast.Mult) else None
