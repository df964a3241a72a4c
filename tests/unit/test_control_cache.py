"""The cache of control files gives back what was put in, whatever a file says, and nothing where it is damaged."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from autotest import control_cache, control_file
from autotest.control_cache import Entry, Stamp

BASE = 'AUTHOR="a"\nNAME="n"\nDOC="d"\nTIME="SHORT"\nTEST_TYPE="client"\n'
NAMES = st.sampled_from(["NAME", "DEPENDENCIES", "SYNC_COUNT", "SUITE", "ATTRIBUTES", "BUG_TEMPLATE", "FAST", "x"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(1, 9) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner) | st.tuples(inner, inner),
)


@given(st.lists(st.tuples(NAMES, VALUES)), st.text(), st.tuples(*[st.integers(0, 2**63)] * 4), st.text())
def test_what_is_saved_is_loaded(assignments, path, stamp, reason):
    text = BASE + "".join(f"{name} = {value!r}\n" for name, value in assignments)
    test = control_file.parse(text, path, "lenient")
    entries = {
        path: Entry(Stamp(*stamp), 1, "digest", test, reason),
        f"{path}/bad": Entry(Stamp(*stamp), 1, "", None, "x"),
    }
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder, "deep", "cache")
        control_cache.save(place, entries)
        loaded = control_cache.load(place)
        assert [one.name for one in place.parent.iterdir()] == ["cache"]
    assert loaded == entries
    again = loaded[path].test
    assert again is not None
    assert (again.text, again.diagnoses) == (test.text, test.diagnoses)


@given(st.binary())
def test_any_bytes_are_no_cache(data):
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "cache").write_bytes(data)
        assert control_cache.load(Path(folder, "cache")) == {}


def test_a_body_of_another_shape_is_no_cache(tmp_path):
    for body in (b"[]", b'{"a": 1}', b'{"a": [1, 2, 3, 4, 5, "", "", {"nosuch": 1}]}', b"{"):
        (tmp_path / "cache").write_bytes(control_cache._head(body) + b"\n" + body)
        assert control_cache.load(tmp_path / "cache") == {}
