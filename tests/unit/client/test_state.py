"""The state file: values outlive the process that kept them."""

from __future__ import annotations

import pytest

from autotest.client.state import State


def test_a_value_is_there_for_the_next_process(tmp_path):
    State(str(tmp_path / "state")).set("public", "k", (1, {2}))
    assert State(str(tmp_path / "state")).get("public", "k") == (1, {2})


def test_a_missing_value_is_named_or_the_default(tmp_path):
    state = State(str(tmp_path / "state"))
    assert not state.exists()
    assert state.get("public", "k", None) is None
    with pytest.raises(KeyError, match="'k' is kept in namespace 'public'"):
        state.get("public", "k")


def test_a_discarded_value_is_gone_and_its_neighbours_stay(tmp_path):
    state = State(str(tmp_path / "state"))
    state.set("a", "k", None)
    state.set("b", "k", 2)
    state.discard("a", "k")
    state.discard("a", "k")
    assert state.get("a", "k", "gone") == "gone"
    assert state.get("b", "k") == 2


def test_a_value_that_cannot_be_kept_leaves_the_file_alone(tmp_path):
    state = State(str(tmp_path / "state"))
    state.set("a", "k", 1)
    with pytest.raises(TypeError):
        state.set("a", "k", object())
    assert state.get("a", "k") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["state", "state.lock"]


def test_a_torn_file_is_named(tmp_path):
    (tmp_path / "state").write_text("{")
    with pytest.raises(ValueError, match=r"state file .*state cannot be read"):
        State(str(tmp_path / "state")).get("a", "k")
