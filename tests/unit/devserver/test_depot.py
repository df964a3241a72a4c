"""Depot: builds appear whole, stay while they are read, and what was left half done is swept."""

from __future__ import annotations

import json
import multiprocessing
import os

import hypothesis
import pytest
from hypothesis import strategies

from autotest import errors
from autotest.devserver import locks
from autotest.devserver.depot import Depot


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/../b", "/a", "a//b", "a\0", "a\n", "x" * 300])
def test_what_is_no_name_reaches_no_folder(desk, name):
    with pytest.raises(errors.ValidationError, match="is not the name of a build"):
        desk.depot.staged(name)


@hypothesis.given(strategies.text(max_size=60), strategies.text(max_size=60))
def test_each_name_has_its_own_folder_directly_in_the_depot(tmp_path_factory, one, other):
    depot = Depot(tmp_path_factory.getbasetemp() / "names")
    try:
        first, second = depot.folder(one), depot.folder(other)
    except errors.ValidationError:
        return
    assert first.parent == second.parent == tmp_path_factory.getbasetemp() / "names" / "builds"
    assert (first == second) == (one == other)


def test_a_staged_build_is_found_with_its_facts(desk):
    digest = desk.bundle("pi4/R8-1.0.tar", listed=True)
    desk.stage("pi4/R8-1.0")

    staged = Depot(desk.config.folder).staged("pi4/R8-1.0")

    assert (staged.record.build, staged.record.sha256, staged.record.checked) == ("pi4/R8-1.0", digest, True)
    assert staged.record.archive_url == f"{desk.url}/pi4/R8-1.0"
    assert staged.record.bytes > 5000
    assert desk.depot.staged("pi4") is None


def test_whoever_reads_a_build_keeps_it_and_makes_it_the_last_used(desk):
    for name in ("R8-1.0", "R8-2.0"):
        desk.bundle(f"{name}.tar")
        desk.stage(name)
    os.utime(desk.depot.folder("R8-1.0") / "used", (1000, 1000))
    assert [one.record.build for one in desk.depot.all()] == ["R8-1.0", "R8-2.0"]

    with desk.depot.reading("R8-1.0"):
        with locks.held(desk.depot.lock("R8-1.0"), False, locks.never) as mine:
            assert not mine
        with desk.depot.reading("R8-1.0") as again:
            assert again.record.build == "R8-1.0"

    assert [one.record.build for one in desk.depot.all()] == ["R8-2.0", "R8-1.0"]
    with locks.held(desk.depot.lock("R8-1.0"), False, locks.never) as mine:
        assert mine


def test_a_build_that_is_not_staged_cannot_be_read(desk):
    with pytest.raises(errors.NotFound, match="R9 is not staged here"), desk.depot.reading("R9"):
        pass


def test_what_a_killed_server_left_is_swept_and_its_download_stays(desk):
    folder = desk.depot.incoming("pi4/R8")
    (folder / "tree" / "autotest").mkdir(parents=True)
    (folder / "bundle").write_bytes(b"half")
    (folder / "bundle.json").write_text("{}")
    desk.depot.incoming("R9").mkdir()
    (desk.depot.incoming("R9") / "tests.tar").touch()
    (desk.config.folder / "incoming" / "R7%removed" / "tree").mkdir(parents=True)
    (desk.depot.folder("R6") / "tree").mkdir(parents=True)

    assert desk.depot.sweep() == ["R9", "pi4/R8"]

    assert desk.left() == ["pi4%2FR8", "pi4%2FR8/bundle", "pi4%2FR8/bundle.json"]
    assert not desk.depot.folder("R6").exists()


@pytest.mark.parametrize("settled", [True, False])
def test_after_a_crash_of_the_machine_only_what_was_on_the_disk_counts(desk, settled):
    desk.bundle()
    staged = desk.stage()
    if settled:
        desk.depot.settle("R8-1.0")
    record = {**staged.record.to_json(), "boot": "before the crash"}
    (staged.folder / "record.json").write_text(json.dumps(record))

    desk.depot.sweep()

    assert (desk.depot.staged("R8-1.0") is not None) == settled
    assert staged.folder.exists() == settled


def test_what_another_server_is_busy_with_is_not_swept(desk):
    (desk.depot.incoming("R8") / "tree").mkdir(parents=True)

    with locks.held(desk.depot.lock("R8"), False, locks.never):
        assert desk.depot.sweep() == []

    assert desk.left() == ["R8", "R8/tree"]


def hold(path, ready, leave):
    with locks.held(path, False, locks.never):
        ready.set()
        leave.wait(60)


def test_a_lock_ends_with_the_process_that_holds_it(tmp_path):
    context = multiprocessing.get_context("spawn")
    ready, leave = context.Event(), context.Event()
    other = context.Process(target=hold, args=(tmp_path / "lock", ready, leave))
    other.start()
    try:
        assert ready.wait(60)
        with locks.held(tmp_path / "lock", True, locks.never) as mine:
            assert not mine
        other.kill()
        with locks.held(tmp_path / "lock", True, locks.for_seconds(30)) as mine:
            assert mine
    finally:
        other.kill()
        other.join()


def test_the_lock_of_what_is_gone_is_no_lock(tmp_path):
    path = tmp_path / "lock"
    with locks.held(path, False, locks.never) as first:
        path.unlink()
        with locks.held(path, False, locks.never) as second:
            assert first
            assert second
