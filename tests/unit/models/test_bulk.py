"""Rows that are written many at once are those that Peewee would write one by one."""

from __future__ import annotations

import datetime

import pytest

from autotest.models import bulk, database
from autotest.models.afe import Host, HostQueueEntry, Job, JobKeyval

NOW = datetime.datetime(2026, 3, 1, 12, 0, 0, 7, tzinfo=datetime.timezone.utc)


@pytest.fixture
def ledger(migrated_database):
    database.connect(migrated_database)
    with database.connection():
        yield


def without_id(row):
    return {name: value for name, value in row.__data__.items() if name != "id"}


def test_they_are_the_same_rows_with_the_same_defaults(ledger):
    values = {"name": "é'\"`%s?\\", "owner": None, "created_on": NOW, "require_ssp": False, "run_verify": False}
    one = Job.create(**values)

    bulk.insert(Job, [values, values])

    assert [without_id(row) for row in Job.select()] == [without_id(Job.get_by_id(one.id))] * 3


def test_rows_refer_to_others_by_id_or_by_row(ledger):
    parent = Job.create(created_on=NOW)

    bulk.insert(Job, [{"parent_job": parent, "created_on": NOW}, {"parent_job": parent.id, "created_on": NOW}])

    assert Job.select().where(Job.parent_job == parent.id).count() == 2


@pytest.mark.parametrize("count", [0, 1, 499, 500, 501, 1234])
def test_any_number_is_written_in_order(ledger, count):
    job = Job.create(created_on=NOW)

    bulk.insert(JobKeyval, [{"job": job.id, "key": str(number), "value": "x"} for number in range(count)])

    assert [row.key for row in JobKeyval.select().order_by(JobKeyval.id)] == [str(number) for number in range(count)]


def test_long_texts_do_not_make_a_statement_that_no_server_takes(ledger):
    texts = ["x" * 900_000, "é" * 1_100_000, "", "y" * 1_900_000, "z"] * 3

    bulk.insert(Job, [{"control_file": text, "created_on": NOW} for text in texts])

    assert [job.control_file for job in Job.select().order_by(Job.id)] == texts


def test_a_row_that_the_schema_refuses_is_refused_with_all_of_its_statement(ledger):
    job = Job.create(created_on=NOW)
    good = {"job": job.id, "active": False, "complete": False}

    with pytest.raises(database.peewee.IntegrityError):
        bulk.insert(HostQueueEntry, [good, {**good, "active": True, "complete": True}])
    assert HostQueueEntry.select().count() == 0
    assert Host.select().count() == 0
