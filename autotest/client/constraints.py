"""Constraints on perf values: comparisons and arithmetic, and nothing else (test-api-and-hosts.md section 2.5)."""

import ast
import operator
from typing import Any, Mapping

_MOST_TEXT = 1000
_OPERATORS = {
    "Add": operator.add, "Sub": operator.sub, "Mult": operator.mul, "Div": operator.truediv,
    "FloorDiv": operator.floordiv, "Mod": operator.mod, "Eq": operator.eq, "NotEq": operator.ne, "Lt": operator.lt,
    "LtE": operator.le, "Gt": operator.gt, "GtE": operator.ge, "Not": operator.not_, "USub": operator.neg,
    "UAdd": operator.pos,
}  # fmt: skip


def evaluate(expression: str, values: Mapping[str, float]) -> Any:
    """The value of *expression*, its names taken from *values*; ``lat.ms`` may be a name.

    Raises ValueError for anything but numbers, names, arithmetic, comparisons, and, or, not.
    """
    if len(expression) > _MOST_TEXT:
        raise ValueError(f"a constraint of {len(expression)} characters is longer than {_MOST_TEXT}")
    try:
        return _value(ast.parse(expression.strip(), mode="eval").body, values)
    except (SyntaxError, ArithmeticError, TypeError, RecursionError, MemoryError) as reason:
        raise ValueError(f"{expression}: {reason}") from reason


def problem(expression: str, values: Mapping[str, float]) -> str:
    """What is wrong with *values*, in the words of the specification; "" if *expression* holds."""
    try:
        holds = evaluate(expression, values)
    except ValueError:
        return f"could not evaluate constraint: {expression}"
    return "" if holds else f"{expression}: constraint was not met"


def _value(node: ast.AST, values: Mapping[str, float]) -> Any:
    # By name: Python 3.6 knows Num and NameConstant, Python 3.8 and later only Constant.
    kind = type(node).__name__
    rule = _RULES.get(kind)
    if rule is None:
        raise ValueError(f"{kind} is not allowed in a constraint")
    return rule(node, values)


def _number(value: Any) -> Any:
    if not isinstance(value, (bool, int, float)):
        raise ValueError(f"{value!r} is no number")
    return value


def _name(name: str, values: Mapping[str, float]) -> Any:
    if name not in values:
        raise ValueError(f"{name!r} was not measured")
    return _number(values[name])


def _dotted(node: Any) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    raise ValueError("only names have dots in a constraint")


def _operator(node: ast.AST) -> Any:
    name = type(node).__name__
    if name not in _OPERATORS:
        raise ValueError(f"operator {name} is not allowed in a constraint")
    return _OPERATORS[name]


def _compare(node: Any, values: Mapping[str, float]) -> bool:
    left = _value(node.left, values)
    for compare, comparator in zip(node.ops, node.comparators):
        right = _value(comparator, values)
        if not _operator(compare)(left, right):
            return False
        left = right
    return True


def _bool(node: Any, values: Mapping[str, float]) -> Any:
    decisive = isinstance(node.op, ast.Or)
    result: Any = not decisive
    for part in node.values:
        result = _value(part, values)
        if bool(result) is decisive:
            break
    return result


_RULES = {
    "Constant": lambda node, values: _number(node.value),
    "Num": lambda node, values: _number(node.n),
    "NameConstant": lambda node, values: _number(node.value),
    "Name": lambda node, values: _name(node.id, values),
    "Attribute": lambda node, values: _name(_dotted(node), values),
    "UnaryOp": lambda node, values: _operator(node.op)(_value(node.operand, values)),
    "BinOp": lambda node, values: _operator(node.op)(_value(node.left, values), _value(node.right, values)),
    "Compare": _compare,
    "BoolOp": _bool,
}
