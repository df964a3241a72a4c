"""Rows by key: what they give equals what Peewee gives, and a change meets exactly its rows."""

from __future__ import annotations

import datetime

import pytest

from autotest.models import database, rows
from autotest.models.afe import Host
from autotest.models.database import transaction
from autotest.models.lab import Lab, Lease

MOMENT = datetime.datetime(2026, 11, 21, 8, 30, 1, 250_000, datetime.timezone.utc)


@pytest.fixture(autouse=True)
def tables(migrated_database):
    """Every table, empty."""
    database.connect(migrated_database)
    with database.connection():
        yield


@pytest.fixture
def lease():
    """An open lease of a host."""
    host = Host.create(hostname="rack1-host1", status="Ready")
    lab = Lab.create(name="rack1", seen_at=MOMENT)
    return Lease.create(host=host, lab=lab, incarnation=1, step="verify", due_at=MOMENT)


def test_a_row_equals_the_one_that_peewee_reads(lease):
    read, expected = rows.get(Lease, lease.id), Lease.get_by_id(lease.id)
    assert read.__data__ == expected.__data__
    assert read.due_at == MOMENT
    assert not read.is_dirty()
    assert read.host.hostname == "rack1-host1"


def test_a_row_that_is_not_there_is_named():
    with pytest.raises(Lease.DoesNotExist, match="Lease 77 is not there"):
        rows.get(Lease, 77)
    assert rows.get_or_none(Lease, 77) is None
    assert rows.get_or_none(Lease, None) is None
    assert rows.held(Lease, None) is None


def test_a_held_row_is_the_row_as_it_is_now(lease):
    Lease.update(beat=5).where(Lease.id == lease.id).execute()
    with transaction():
        assert rows.held(Lease, lease.id).beat == 5


def test_a_change_meets_the_rows_that_equal_its_conditions(lease):
    assert rows.change(Lease, {"beat": 7, "due_at": None}, id=lease.id, step="verify", released_at=None) == 1
    changed = Lease.get_by_id(lease.id)
    assert (changed.beat, changed.due_at) == (7, None)


@pytest.mark.parametrize("other", [{"step": "repair"}, {"due_at": None}, {"incarnation": 2}])
def test_a_change_leaves_other_rows_alone(lease, other):
    assert rows.change(Lease, {"beat": 7}, id=lease.id, **other) == 0
    assert Lease.get_by_id(lease.id).beat == 0


def test_a_moment_is_compared_and_stored_in_utc(lease):
    later = MOMENT.astimezone(datetime.timezone(datetime.timedelta(hours=2)))
    assert rows.change(Lease, {"released_at": later}, due_at=later) == 1
    assert Lease.get_by_id(lease.id).released_at == MOMENT
