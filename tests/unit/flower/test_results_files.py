"""Results files: nothing outside the root is opened, and nothing through a link."""

from __future__ import annotations

import os

import hypothesis
import pytest
from hypothesis import strategies

from autotest import errors
from autotest.flower import results_files


@pytest.fixture
def root(tmp_path):
    """A results root with a job's folder, and a secret beside it."""
    folder = tmp_path / "results" / "12-ann" / "rack1-host3"
    (folder / "debug").mkdir(parents=True)
    (folder / "status.log").write_text("GOOD\n")
    (folder / "job.json").write_text('{"hosts": "how to reach them"}')
    (tmp_path / "secret").write_text("secret")
    return tmp_path / "results"


def read(root, path):
    descriptor = results_files.open_below(root, path)
    try:
        return os.read(descriptor, 100)
    finally:
        os.close(descriptor)


def test_a_file_below_the_root_is_opened(root):
    assert read(root, "12-ann/rack1-host3/status.log") == b"GOOD\n"


@pytest.mark.parametrize(
    "path",
    [
        *(
            "../secret",
            "12-ann/../../secret",
            "/etc/passwd",
            "",
            ".",
            "..",
            "12-ann//rack1-host3",
            "12-ann/./rack1-host3",
        ),
        *(
            "12-ann/rack1-host3/none",
            "12-ann/rack1-host3/status.log/x",
            "12-ann/rack1-host3/job.json",
            "a\0b",
            "x" * 300,
        ),
    ],
)
def test_anything_else_is_not_there(root, path):
    with pytest.raises(errors.NotFound):
        results_files.open_below(root, path)


@hypothesis.given(parts=strategies.lists(strategies.sampled_from(["..", ".", "", "12-ann", "secret", "results"])))
@hypothesis.settings(suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture])
def test_no_mixture_of_parts_reaches_the_secret(root, parts):
    with pytest.raises((errors.NotFound, IsADirectoryError)):
        read(root, "/".join(parts))


@pytest.mark.parametrize("target", ["../../../secret", "status.log", "."])
def test_a_link_is_not_followed(root, target):
    (root / "12-ann/rack1-host3/link").symlink_to(target)
    with pytest.raises(errors.NotFound):
        results_files.open_below(root, "12-ann/rack1-host3/link")


def test_a_link_on_the_way_is_not_followed(root):
    (root / "12-ann/away").symlink_to("rack1-host3")
    with pytest.raises(errors.NotFound):
        results_files.open_below(root, "12-ann/away/status.log")


def test_a_pipe_is_not_served_and_nobody_waits_for_it(root):
    os.mkfifo(root / "12-ann/pipe")
    with pytest.raises(errors.NotFound, match="neither a file nor a folder"):
        results_files.open_below(root, "12-ann/pipe")


def test_no_descriptor_is_left_open(root):
    before = len(os.listdir("/proc/self/fd"))
    for path in ("12-ann/rack1-host3/status.log", "12-ann/none", "12-ann/rack1-host3/none", "../secret"):
        results_files.folders_there(root, [path])
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_folder_lists_what_is_served_folders_first(root):
    folder = root / "12-ann/rack1-host3"
    (folder / "link").symlink_to("status.log")
    (folder / os.fsdecode(b"\xff")).write_text("no name for a browser")
    descriptor = results_files.open_below(root, "12-ann/rack1-host3")
    found, is_cut = results_files.names(descriptor)
    os.close(descriptor)
    assert ([each.name for each in found], is_cut) == (["debug", "status.log"], False)


def test_a_huge_folder_is_cut(root, monkeypatch):
    monkeypatch.setattr(results_files, "MOST_NAMES", 1)
    descriptor = results_files.open_below(root, "12-ann/rack1-host3")
    found, is_cut = results_files.names(descriptor)
    os.close(descriptor)
    assert (len(found), is_cut) == (1, True)


@pytest.mark.parametrize(("content", "is_text"), [(b"a log\n", True), (b"", True), (b"\x1f\x8b\0", False)])
def test_text_is_known_by_its_beginning(root, content, is_text):
    (root / "12-ann/file").write_bytes(content)
    descriptor = results_files.open_below(root, "12-ann/file")
    assert results_files.is_text(descriptor) is is_text
    os.close(descriptor)


def test_only_folders_that_are_there_can_be_shown(root):
    assert results_files.folders_there(root, ["12-ann/rack1-host3", "13-ann", "", "../secret"]) == {
        "12-ann/rack1-host3"
    }
