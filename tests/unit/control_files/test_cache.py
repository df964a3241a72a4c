"""The cache of control files gives back what was put in, whatever a file says, and nothing where it is damaged."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from autotest import control_file
from autotest.control_files import cache
from autotest.control_files.cache import NOTHING, Entry, Refusal
from autotest.control_files.diagnosis import Diagnosis

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
    bad = f"{path}/bad"
    wrong = (Diagnosis(bad, 7, "A", reason, "", "error"),)
    entries = {path: Entry(stamp, 1, "digest", test), bad: Entry(stamp, 1, "", Refusal(reason, wrong))}
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder, "deep", "cache")
        cache.save(place, entries, [test], wrong)
        loaded = cache.load(place)
        assert [one.name for one in place.parent.iterdir()] == ["cache"]
    assert loaded.entries() == entries
    assert loaded.is_settled is (max(stamp[:2]) + 2_000_000_000 < 1)
    assert (loaded.stamps, loaded.findings) == ({path: stamp, bad: stamp}, list(wrong))
    (again,) = loaded.tests
    assert (again.text, again.diagnoses) == (test.text, test.diagnoses)


@given(st.binary())
def test_any_bytes_are_no_cache(data):
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "cache").write_bytes(data)
        assert cache.load(Path(folder, "cache")) is NOTHING


def test_a_body_of_another_shape_is_no_cache(tmp_path):
    cache.save(tmp_path / "intact", {}, [], [])
    intact = (tmp_path / "intact").read_bytes().partition(b"\n")[2]
    assert cache.load(tmp_path / "intact").entries() == {}
    foreign = intact.replace(b'"columns":{}', b'"columns":{"nosuch":[]}')
    for body in (b"[]", b'{"a": 1}', b"{", foreign, intact + b"\xff"):
        (tmp_path / "cache").write_bytes(cache._head(body) + b"\n" + body)
        assert cache.load(tmp_path / "cache") is NOTHING
