"""Attribute expressions: and, or, not, parentheses, and errors that name the character."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autotest.suite import attribute_expression
from autotest.suite.attribute_expression import And, Attribute, BadExpression, Expression, Not, Or


@pytest.mark.parametrize(
    ("text", "attributes", "holds"),
    [
        ("suite:a", {"suite:a"}, True),
        ("suite:a", {"suite:ab"}, False),
        ("Suite:a", {"suite:a"}, False),
        ("suite:a or (suite:b and subsystem:x)", {"suite:b", "subsystem:x"}, True),
        ("suite:a or (suite:b and subsystem:x)", {"suite:b"}, False),
        ("a or b and c", {"a"}, True),
        ("(a or b) and c", {"a"}, False),
        ("not a and b", {"b"}, True),
        ("not (a and b)", {"a", "b"}, False),
        ("not not a", {"a"}, True),
        ("a and not b or c", {"c", "b"}, True),
        ("a and(b)", {"a", "b"}, True),
        ("\ta\nor b ", {"b"}, True),
        ("'suite: bvt' and \"or\"", {"suite: bvt", "or"}, True),
        ("android and notes and order", {"android", "notes", "order"}, True),
    ],
)
def test_an_expression_holds_as_it_reads(text, attributes, holds):
    assert attribute_expression.parse(text).holds(attributes) is holds


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "character 1 of '': an attribute, 'not' or '(' expected, not the end"),
        ("  ", "character 3 of '  ': an attribute, 'not' or '(' expected, not the end"),
        ("a b", "character 3 of 'a b': 'and', 'or' or the end expected, not 'b'"),
        ("a and", "character 6 of 'a and': an attribute, 'not' or '(' expected, not the end"),
        ("or a", "character 1 of 'or a': an attribute, 'not' or '(' expected, not 'or'"),
        ("(a or b", "character 8 of '(a or b': ')' expected, not the end"),
        ("a)", "character 2 of 'a)': 'and', 'or' or the end expected, not ')'"),
        ("()", "character 2 of '()': an attribute, 'not' or '(' expected, not ')'"),
        ("a and 'b", 'character 7 of "a and \'b": a quote without its end'),
        ("a and ''", "character 7 of \"a and ''\": an attribute, 'not' or '(' expected, not ''"),
    ],
)
def test_an_error_names_the_character_and_what_was_expected(text, complaint):
    with pytest.raises(BadExpression) as caught:
        attribute_expression.parse(text)
    assert str(caught.value) == complaint


@pytest.mark.parametrize("text", ["(" * 5000, "not " * 2000 + "a", "(" * 4000 + "a" + ")" * 4000, "a" * 10_001])
def test_depth_and_length_are_bounded(text):
    with pytest.raises(BadExpression, match=r"nested deeper than 50|at most 10000 characters"):
        attribute_expression.parse(text)


def rendered(expression: Expression) -> str:
    if isinstance(expression, Attribute):
        return f'"{expression.name}"'
    if isinstance(expression, Not):
        return f"not ({rendered(expression.operand)})"
    word = " and " if isinstance(expression, And) else " or "
    return word.join(f"({rendered(operand)})" for operand in expression.operands)


names = st.text("abc: not", min_size=1, max_size=6)
expressions = st.recursive(
    st.builds(Attribute, names),
    lambda inner: (
        st.builds(Not, inner)
        | st.builds(And, st.lists(inner, min_size=2, max_size=3).map(tuple))
        | st.builds(Or, st.lists(inner, min_size=2, max_size=3).map(tuple))
    ),
    max_leaves=8,
)


@given(expressions)
def test_what_is_written_out_reads_back_the_same(expression):
    assert attribute_expression.parse(rendered(expression)) == expression


@given(st.text("ab()'\" notrd", max_size=40))
def test_any_text_is_an_expression_or_a_named_error(text):
    try:
        found = attribute_expression.parse(text)
    except BadExpression:
        return
    assert found.holds({"a"}) in (True, False)
