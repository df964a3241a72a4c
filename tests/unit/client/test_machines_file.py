"""The file of a group's machines: what was written is read back, and no name leads elsewhere."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autotest.client import machines_file

NAMES = st.text(st.characters(exclude_characters="/\0\n", exclude_categories=["Cs", "Zs", "Cc"]), min_size=1).filter(
    lambda name: name not in (".", "..")
)


@given(st.lists(NAMES, unique=True, max_size=6))
def test_parse_is_the_inverse_of_render(names):
    assert machines_file.parse(machines_file.render(names)) == names


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../x", "a\nb", " a", "\0"])
def test_what_cannot_be_a_folder_is_not_written(name):
    with pytest.raises(ValueError, match="cannot be the name of a machine's folder"):
        machines_file.render([name])


@given(st.binary(max_size=80))
def test_no_bytes_lead_elsewhere(content):
    for name in machines_file.parse(content):
        assert "/" not in name
        assert name not in ("", ".", "..")
