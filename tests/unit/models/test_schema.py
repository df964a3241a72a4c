"""Migrations go up and down, give the tables of the models, and keep what the schema promises."""

from __future__ import annotations

import peewee
import pytest

from autotest import errors
from autotest.models import database, schema
from autotest.models.afe import AclGroup, Host, HostQueueEntry, Job, User
from autotest.models.database import db
from autotest.models.lab import Lab, Lease


@pytest.fixture
def empty(empty_database):
    """A bound database without tables."""
    database.connect(empty_database)
    with database.connection():
        yield


@pytest.fixture
def migrated(empty):
    """The same with every migration applied."""
    schema.migrate()


def test_an_empty_database_is_told_to_migrate(empty):
    with pytest.raises(errors.ConfigError, match=r"the database lacks 0001_initial.*; run: autotest db migrate"):
        schema.require_current()


def test_migrated_twice_the_second_does_nothing(empty):
    assert schema.migrate()[0] == "0001_initial"
    assert schema.migrate() == []
    schema.require_current()
    assert all(row["applied"] for row in schema.status())


def test_the_migrations_give_the_tables_of_the_models(migrated):
    assert schema.differences() == []
    assert {model._meta.table_name for model in schema.MODELS} <= set(db.get_tables())


def test_what_the_database_lacks_is_named(migrated):
    db.execute_sql("DROP TABLE tko_saved_queries")
    db.execute_sql("ALTER TABLE labs DROP COLUMN worker")
    db.execute_sql("ALTER TABLE labs ADD COLUMN colour TEXT")
    on_table = "" if database.is_sqlite() else " ON afe_host_queue_entries"
    db.execute_sql(f"DROP INDEX hostqueueentry_aborted_complete{on_table}")

    assert {line.split(" (")[0] for line in schema.differences()} >= {
        "table tko_saved_queries is missing",
        "column labs.worker is missing",
        "column labs.colour is not in the models",
        "index on afe_host_queue_entries",
    }


def test_taken_back_and_applied_again_it_is_the_same(migrated):
    assert schema.take_back("zero")
    assert set(db.get_tables()) & {model._meta.table_name for model in schema.MODELS} == set()

    schema.migrate()

    assert schema.differences() == []


def test_an_unknown_migration_is_named_with_those_that_there_are(migrated):
    with pytest.raises(errors.NotFound, match=r"no migration is called '0815'; known: 0001_initial.*, zero"):
        schema.take_back("0815")


def test_nothing_to_take_back_is_fine(empty):
    assert schema.take_back("zero") == []


def test_everyone_and_the_system_user_are_there_from_the_start(migrated):
    assert AclGroup.get_by_id(1).name == "Everyone"
    assert User.get(User.login == "autotest_system").access_level == 100


def test_no_entry_is_active_and_complete(migrated):
    entry = HostQueueEntry.create(job=Job.create(owner="alice"))

    with pytest.raises(peewee.IntegrityError):
        HostQueueEntry.update(active=True, complete=True).where(HostQueueEntry.id == entry.id).execute()


def test_one_open_lease_a_host_and_an_entry_and_any_number_of_released_ones(migrated):
    lab = Lab.create(name="desk")
    first, second = Host.create(hostname="h1"), Host.create(hostname="h2")
    entry = HostQueueEntry.create(job=Job.create(owner="alice"))

    def lease(host, **columns):
        return Lease.create(host=host, lab=lab, incarnation=1, step="verify", **columns)

    lease(first, entry=entry)
    lease(second)
    for taken in ({"host": first}, {"host": second, "entry": entry}):
        with pytest.raises(peewee.IntegrityError):
            lease(**taken)
    Lease.update(released_at=database.utc_now()).execute()
    third = lease(first, entry=entry)
    Lease.update(released_at=database.utc_now()).execute()
    assert lease(first).token > third.token > 2
