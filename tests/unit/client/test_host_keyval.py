"""Host keyvals: what a scheduler writes of a host is read back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from autotest.client import host_keyval, keyval

LABEL = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)


@given(st.sets(LABEL, max_size=5))
def test_the_labels_are_read_back(labels):
    pairs = keyval.parse(host_keyval.render("eve", labels), lambda *_: None)
    assert host_keyval.labels_of(pairs) == sorted(labels)
    assert pairs["platform"] == "eve"
