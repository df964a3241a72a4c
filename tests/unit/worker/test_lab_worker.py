"""A lab worker starts nothing while the results disk is below its floor, and says so once."""

from __future__ import annotations

import contextlib
import dataclasses
import logging

import pytest

from autotest.models import database
from autotest.scheduler import leases
from autotest.settings import Settings
from autotest.worker.lab_config import LabConfig
from autotest.worker.lab_worker import LabWorker

FULL = 2**62


@pytest.fixture
def worker(tmp_path):
    """A worker of a lab without hosts, which is not started."""
    return LabWorker(LabConfig("desk", (), slots=4), Settings(root=tmp_path))


def floor(worker, number):
    worker.settings = dataclasses.replace(worker.settings, results_floor=number)


def test_work_stops_below_the_floor_and_goes_on_above_it(worker):
    assert not worker.is_stopped()
    floor(worker, FULL)
    assert worker.is_stopped()
    floor(worker, 0)
    assert not worker.is_stopped()


def test_a_full_disk_is_told_once_and_so_is_its_end(worker, caplog):
    floor(worker, FULL)
    with caplog.at_level(logging.WARNING):
        worker.is_stopped()
        worker.is_stopped()
        floor(worker, 0)
        worker.is_stopped()
        worker.is_stopped()
    told, ended = (record.getMessage() for record in caplog.records)
    assert "fewer than results_floor" in told
    assert ended == "the results disk has room again; work goes on"


def test_no_task_of_a_host_is_begun_below_the_floor(worker, monkeypatch):
    begun = []
    monkeypatch.setattr(leases, "grant_tasks", lambda lab, now, due: begun.append(lab) or [])
    monkeypatch.setattr(LabWorker, "lab", "desk")
    monkeypatch.setattr(database, "connection", contextlib.nullcontext)
    floor(worker, FULL)

    worker.lease_tasks()
    assert begun == []

    floor(worker, 0)
    worker.lease_tasks()
    assert begun == ["desk"]
