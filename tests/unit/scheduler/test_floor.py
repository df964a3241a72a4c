"""The floor: below it no work starts, and everybody can read why."""

from __future__ import annotations

import dataclasses

import pytest

from autotest.scheduler import floor
from autotest.settings import Settings


@pytest.mark.parametrize(("free", "stops"), [(99, True), (100, False), (101, False)])
def test_work_stops_below_the_floor_and_not_at_it(free, stops):
    told = floor.below(free, 100, "/results")
    assert (told is not None) is stops
    assert not stops or "/results has 99 bytes free, fewer than results_floor (100)" in told


def test_the_disk_is_found_before_the_folder_is_made(tmp_path):
    settings = Settings(root=tmp_path / "not" / "yet", results_floor=1)
    assert floor.reason(settings) is None
    full = dataclasses.replace(settings, results_floor=1 << 62)
    assert "autotest results prune" in str(floor.reason(full))


def test_without_a_floor_nothing_is_looked_at(monkeypatch):
    monkeypatch.setattr("os.statvfs", lambda _: pytest.fail("looked at the disk"))
    assert floor.reason(Settings(results_floor=0)) is None


def test_a_disk_that_does_not_answer_stops_work(tmp_path, monkeypatch):
    def broken(_):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("os.statvfs", broken)
    assert "does not answer: Input/output error" in str(floor.reason(Settings(root=tmp_path)))
