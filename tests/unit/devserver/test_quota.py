"""Quota: the least recently used builds go first, one in use never, and who gets no room is told why."""

from __future__ import annotations

import os

import pytest

from autotest import errors
from autotest.devserver import quota

MB = 10**6


@pytest.fixture
def three(desk):
    """R1, R2 and R3 of about 1 MB each, used in that order."""
    for number in (1, 2, 3):
        desk.bundle(f"R{number}.tar", {"image.bin": bytes([number]) * MB})
        desk.stage(f"R{number}")
        os.utime(desk.depot.folder(f"R{number}") / "used", (number, number))
    return desk


def names(desk):
    return [one.record.build for one in desk.depot.all()]


def test_with_room_nothing_goes(three):
    assert quota.make_room(three.depot, "R4", MB, 5 * MB).evicted == []


def test_the_least_recently_used_go_until_there_is_room(three):
    assert quota.make_room(three.depot, "R4", MB, int(2.5 * MB)).evicted == ["R1", "R2"]
    assert names(three) == ["R3"]
    assert three.left() == []


def test_one_that_is_in_use_stays(three):
    with three.depot.reading("R1"):
        os.utime(three.depot.folder("R1") / "used", (1, 1))
        assert quota.make_room(three.depot, "R4", MB, int(3.5 * MB)).evicted == ["R2"]


def test_who_gets_no_room_is_told_what_is_in_use(three):
    with three.depot.reading("R2"), pytest.raises(errors.NoRoom, match=r"R4 needs 2,000,000 bytes.*in use: R2$"):
        quota.make_room(three.depot, "R4", 2 * MB, int(2.5 * MB))
    assert names(three) == ["R2"]


def test_a_build_larger_than_the_quota_has_no_room(three):
    with pytest.raises(errors.NoRoom, match=r"with everything evicted that nobody uses$"):
        quota.make_room(three.depot, "R4", 6 * MB, 5 * MB)


def test_builds_on_their_way_count_and_abandoned_downloads_go_first(three):
    folder = three.depot.incoming("R0")
    folder.mkdir()
    (folder / "bundle").write_bytes(bytes(MB))

    assert quota.make_room(three.depot, "R4", MB, int(4.5 * MB)).evicted == []

    assert not folder.exists()


def test_staging_a_build_makes_its_room(three):
    three.configure(quota_gb=0.00355)
    three.bundle("R4.tar", {"image.bin": bytes([4]) * MB})

    three.stage("R4")

    assert names(three) == ["R2", "R3", "R4"]


def test_a_dry_run_removes_nothing(three):
    assert quota.evict(three.depot, ["R1", "R2"], dry_run=True) == (["R1", "R2"], [])
    assert names(three) == ["R1", "R2", "R3"]


def test_named_builds_go_unless_they_are_in_use(three):
    with three.depot.reading("R2"):
        assert quota.evict(three.depot, ["R3", "R2"], dry_run=False) == (["R3"], ["R2"])
    assert names(three) == ["R1", "R2"]
    assert not three.depot.lock("R3").exists()


def test_one_that_is_not_there_is_named_before_anything_goes(three):
    with pytest.raises(errors.NotFound, match="R9 is not staged"):
        quota.evict(three.depot, ["R1", "R9"], dry_run=False)
    assert names(three) == ["R1", "R2", "R3"]


def test_the_surplus_is_what_was_used_longest_ago(three):
    assert quota.surplus(three.depot.all(), int(2.5 * MB)) == ["R1"]
    assert quota.surplus(three.depot.all(), 0) == ["R1", "R2", "R3"]
