"""Typed JSON: what goes in comes out, and nothing else gets in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autotest.client import typed_json

ATOM = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(), st.binary())
KEY = st.one_of(st.text(), st.integers(), st.tuples(st.text()))
VALUE = st.recursive(
    ATOM,
    lambda inner: st.one_of(
        st.lists(inner),
        st.tuples(inner, inner),
        st.dictionaries(KEY, inner),
        st.sets(ATOM),
        st.frozensets(ATOM),
    ),
    max_leaves=12,
)


@given(VALUE)
def test_loads_is_the_inverse_of_dumps(value):
    back = typed_json.loads(typed_json.dumps(value))
    assert back == value
    assert type(back) is type(value)


@given(st.one_of(st.text(), VALUE.map(typed_json.dumps).map(lambda text: text.replace("$tuple", "$set"))))
def test_any_text_is_a_value_or_a_value_error(text):
    try:
        value = typed_json.loads(text)
    except ValueError:
        return
    assert typed_json.loads(typed_json.dumps(value)) == value or value != value


@pytest.mark.parametrize("value", [object(), [len], {"a": 1j}])
def test_what_could_not_come_back_is_refused(value):
    with pytest.raises(TypeError, match="cannot be kept"):
        typed_json.dumps(value)


@pytest.mark.parametrize("text", ['{"$eval": "1"}', '{"$tuple": 3}', '{"$bytes": "*"}', '{"$set": [[]]}', "[" * 100000])
def test_a_hostile_text_is_refused(text):
    with pytest.raises(ValueError, match=r"not a value of ours|not enough values|base64|too many|Expecting|data"):
        typed_json.loads(text)
