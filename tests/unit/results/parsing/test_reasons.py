"""Reasons: what is said by another one is left out, in linear time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from autotest.results.parsing import reasons


def by_definition(texts):
    distinct = {text for text in texts if text}
    contained = {text for text in distinct for other in distinct if text != other and text in other}
    return b", ".join(sorted(distinct - contained))


def test_a_reason_that_another_one_holds_is_left_out():
    assert reasons.combine([b"ok", b"disk", b"disk full", b"alpha", b""]) == b"alpha, disk full, ok"


@given(st.lists(st.text("ab", max_size=30).map(str.encode), max_size=60))
def test_the_fast_way_agrees_with_the_definition(texts):
    assert reasons.combine(texts) == by_definition(texts)


@given(
    st.lists(
        st.tuples(st.sampled_from([b"the disk of slot ", b"x", b""]), st.integers(0, 300)), min_size=20, max_size=80
    )
)
def test_long_reasons_of_one_beginning_agree_with_the_definition(parts):
    texts = [beginning + b"%d is slow" % number for beginning, number in parts]
    assert reasons.combine(texts) == by_definition(texts)


def test_reasons_made_to_be_slow_are_still_all_told():
    texts = [b"a" * length for length in range(1, 3000)]
    assert reasons.combine(texts).endswith(b"a" * 2999)
