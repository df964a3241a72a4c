"""Control trees: every file is read or named, in one order, and a cache never says what is not so."""

from __future__ import annotations

import os

import pytest

from autotest import errors
from autotest.control_files import control_file
from autotest.control_files import tree as control_tree

TEXT = 'AUTHOR="a"\nNAME="{name}"\nDOC="d"\nTIME="{time}"\nTEST_TYPE="client"\n'


@pytest.fixture
def root(tmp_path):
    return tmp_path / "build"


@pytest.fixture
def put(root):
    def write(path, name="n", time="SHORT", extra=""):
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(TEXT.format(name=name, time=time) + extra)
        # A file that was just written is hashed; these are from yesterday, as most are, but for what ctime says.
        os.utime(place, (1, 1))
        return place

    return write


@pytest.fixture
def parsed(monkeypatch):
    """The paths that were parsed, not merely found."""
    found: list[str] = []
    decode = control_file.decode_within
    monkeypatch.setattr(control_file, "decode_within", lambda data, path: found.append(path) or decode(data, path))
    return found


@pytest.fixture
def opened(monkeypatch):
    """The paths that were opened."""
    found: list[str] = []
    content = control_tree._content
    monkeypatch.setattr(
        control_tree, "_content", lambda place, path, size: found.append(path) or content(place, path, size)
    )
    return found


@pytest.fixture
def later(monkeypatch):
    """Let some seconds pass after what was written."""
    now = control_tree.time.time_ns() + 60_000_000_000
    monkeypatch.setattr(control_tree.time, "time_ns", lambda: now)


def paths(tree):
    return [test.path for test in tree.tests]


def test_tests_come_slowest_first_then_by_name_and_path(root, put):
    put("b/control", "b")
    put("a/control.two", "a")
    put("a/control", "a")
    put("z/control", "z", "LENGTHY")
    assert paths(control_tree.read(root)) == ["z/control", "a/control", "a/control.two", "b/control"]


@pytest.mark.parametrize("folder", sorted(control_tree.SKIPPED))
def test_some_folders_hold_no_tests(root, put, folder):
    put(f"x/{folder}/y/control")
    assert control_tree.read(root) == ([], [], [])


@pytest.mark.parametrize("folder", [".git", ".hg", ".cache"])
def test_hidden_folders_hold_no_tests(root, put, folder):
    put(f"{folder}/refs/heads/control")
    assert control_tree.read(root) == ([], [], [])


def test_what_is_refused_keeps_its_diagnoses_with_and_without_a_cache(root, put, later, tmp_path):
    put("a/control", extra='SYNC_COUNT=0\nDEPENDENCY="x"\n')
    put("b/control", extra="def (:\n")
    first, again = (control_tree.read(root, tmp_path / "cache") for _ in range(2))
    assert [one.path for one in first.unreadable] == ["a/control", "b/control"]
    assert [(one.path, one.line, one.severity) for one in first.diagnoses] == [
        ("a/control", 6, "error"),
        ("a/control", 7, "warning"),
        ("b/control", 6, "error"),
    ]
    assert again == first


@pytest.mark.parametrize("name", ["control.py", "controller", "acontrol", "control.", "Control"])
def test_some_names_are_no_control_files(root, put, name):
    put(f"a/{name}")
    assert control_tree.read(root).tests == []


def test_one_bad_file_is_named_and_the_others_are_read(root, put):
    put("good/control")
    (root / "bad").mkdir()
    (root / "bad/control").write_text("X=1\n")
    tree = control_tree.read(root)
    assert [test.path for test in tree.tests] == ["good/control"]
    (unreadable,) = tree.unreadable
    assert unreadable.path == "bad/control"
    assert "required variables are missing" in unreadable.reason


def test_no_link_is_followed(root, put, tmp_path):
    outside = put("../outside/control")
    (root / "a").mkdir(parents=True)
    (root / "a/control").symlink_to(outside)
    (root / "folder").symlink_to(outside.parent)
    os.mkfifo(root / "a/control.pipe")
    tree = control_tree.read(root)
    assert tree.tests == []
    assert [one.path for one in tree.unreadable] == ["a/control", "a/control.pipe"]
    assert "links are not followed" in tree.unreadable[0].reason


def test_a_root_that_is_not_there_has_no_control_files(root):
    with pytest.raises(errors.NoControlFileList, match="cannot be listed"):
        control_tree.read(root)


def test_a_name_that_occurs_twice_is_a_diagnosis_with_the_other_path(root, put):
    put("a/control", "n")
    put("b/control", "n")
    (diagnosis,) = control_tree.read(root).diagnoses
    assert (diagnosis.path, diagnosis.variable, diagnosis.severity) == ("b/control", "NAME", "warning")
    assert "'n' is the NAME of a/control too" in str(diagnosis)


def test_a_suite_without_a_file_is_a_diagnosis_with_a_near_name(root, put):
    put("a/control", "a", extra='ATTRIBUTES="suite:smoke,suite:smokey"\n')
    put("test_suites/control.smoke", "smoke")
    (diagnosis,) = control_tree.read(root).diagnoses
    assert (diagnosis.path, diagnosis.hint) == ("a/control", "did you mean smoke?")
    assert "the suite 'smokey' has no file test_suites/control.smokey" in str(diagnosis)


def test_the_diagnoses_of_the_files_are_among_those_of_the_tree(root, put):
    put("a/control", extra="SYNC_COUNT=f()\n")
    (diagnosis,) = control_tree.read(root).diagnoses
    assert (diagnosis.path, diagnosis.line, diagnosis.severity) == ("a/control", 6, "error")


def test_findings_about_the_tree_survive_the_cache(root, put, later, tmp_path):
    put("a/control", "a", extra='ATTRIBUTES="suite:smokey"\nPURPOSE="p"\n')
    put("b/control", "a", extra="SUITE=' , '\n")
    put("test_suites/control.smoke", "smoke")
    first, again = (control_tree.read(root, tmp_path / "cache") for _ in range(2))
    assert again == first
    assert [one.diagnoses for one in again.tests] == [one.diagnoses for one in first.tests]
    assert [one.variable for one in first.diagnoses] == ["ATTRIBUTES", "PURPOSE", "NAME"]


def test_an_unchanged_tree_is_not_opened_again(root, put, opened, later, tmp_path):
    put("a/control", "a", extra="DEPENDENCIES=['x']\nBUG_TEMPLATE={'cc': ['y']}\n")
    (root / "a/control.bad").write_text("def (:\n")
    first = control_tree.read(root, tmp_path / "cache")
    opened.clear()
    again = control_tree.read(root, tmp_path / "cache")
    assert opened == []
    assert again == first
    assert again.tests[0].diagnoses == first.tests[0].diagnoses != ()
    assert again.tests[0].text == first.tests[0].text


def test_a_file_that_was_only_touched_is_hashed_and_not_parsed(root, put, opened, parsed, later, tmp_path):
    path = put("a/control")
    control_tree.read(root, tmp_path / "cache")
    opened.clear()
    parsed.clear()
    os.utime(path)
    assert len(control_tree.read(root, tmp_path / "cache").tests) == 1
    assert (len(opened), parsed) == (1, [])


def test_a_file_that_was_just_written_is_not_trusted_by_its_stat(root, put, opened, tmp_path):
    put("a/control")
    control_tree.read(root, tmp_path / "cache")
    opened.clear()
    control_tree.read(root, tmp_path / "cache")
    assert len(opened) == 1


def test_a_change_an_end_and_a_beginning_are_seen(root, put, later, tmp_path):
    put("a/control", "old")
    gone = put("b/control", "gone")
    control_tree.read(root, tmp_path / "cache")
    put("a/control", "new")
    gone.unlink()
    put("c/control", "one more")
    assert [test.name for test in control_tree.read(root, tmp_path / "cache").tests] == ["new", "one more"]


@pytest.mark.parametrize(
    "damage", [lambda data: b"", lambda data: data[:-9], lambda data: data.replace(b'"n"', b'"m"')]
)
def test_a_damaged_cache_is_rebuilt(root, put, later, damage, tmp_path):
    put("a/control")
    cache = tmp_path / "cache"
    first = control_tree.read(root, cache)
    intact = cache.read_bytes()
    cache.write_bytes(damage(intact))
    assert control_tree.read(root, cache) == first
    assert cache.read_bytes() == intact


def test_a_cache_of_another_reader_is_not_believed(root, put, parsed, later, monkeypatch, tmp_path):
    put("a/control")
    control_tree.read(root, tmp_path / "cache")
    parsed.clear()
    monkeypatch.setattr(control_tree.control_cache, "_reader", lambda: "another")
    control_tree.read(root, tmp_path / "cache")
    assert parsed == ["a/control"]


def test_a_cache_that_cannot_be_written_is_done_without(root, put, tmp_path):
    put("a/control")
    (tmp_path / "file").write_text("")
    assert len(control_tree.read(root, tmp_path / "file" / "cache").tests) == 1
