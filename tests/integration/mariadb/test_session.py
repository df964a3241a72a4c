"""What a session on MariaDB is set to, and what the tables hold, whatever the server's own configuration says."""

from __future__ import annotations

import contextlib
import datetime

import peewee
import pytest

from autotest.models import database, schema
from autotest.models.afe import Host, HostQueueEntry, Job, Label, User
from autotest.models.database import db
from autotest.models.lab import Lab, Lease
from autotest.models.tko import Machine

MEGABYTE = "x" * 1_000_000


@pytest.fixture(autouse=True)
def session(server):
    with database.connection():
        yield server


def asked(sql):
    return db.execute_sql(sql).fetchone()[0]


def test_a_session_does_not_depend_on_the_server_s_configuration(session):
    own = session.as_root("SELECT @@GLOBAL.time_zone, @@GLOBAL.tx_isolation, @@GLOBAL.sql_mode")
    assert own == [("+05:30", "SERIALIZABLE", "")]

    assert asked("SELECT @@time_zone") == "+00:00"
    assert asked("SELECT @@tx_isolation") == "READ-COMMITTED"
    assert {"STRICT_ALL_TABLES", "ONLY_FULL_GROUP_BY"} <= set(asked("SELECT @@sql_mode").split(","))


def test_every_text_column_takes_four_byte_characters_and_tells_case_and_blanks_apart(session):
    collations = session.as_root(
        "SELECT table_name, collation_name FROM information_schema.columns "
        f"WHERE table_schema = '{db.obj.database}' AND collation_name IS NOT NULL"
    )
    ours = {model._meta.table_name for model in schema.MODELS}
    assert {collation for table, collation in collations if table in ours} == {"utf8mb4_nopad_bin"}
    names = ["board:pi4", "board:PI4", "board:pi4 ", "board:😀"]
    for name in names:
        Label.create(name=name)
    assert [Label.get(Label.name == name).name for name in names] == names


@pytest.mark.parametrize("text", ["😀" * 300_000, MEGABYTE])
def test_a_long_control_file_comes_back_whole(text):
    job = Job.create(owner="alice", control_file=text)
    assert Job.get_by_id(job.id).control_file == text


def test_a_text_that_does_not_fit_its_column_is_refused_and_not_cut():
    with pytest.raises(peewee.DataError, match="too long"):
        User.create(login="x" * 256)


def test_a_moment_is_kept_in_utc_to_the_microsecond(session):
    moment = datetime.datetime(2026, 3, 29, 2, 30, 0, 123456, tzinfo=datetime.timezone.utc)
    row = Lab.create(name="desk", seen_at=moment)

    assert Lab.get_by_id(row.id).seen_at == moment
    assert session.as_root("SELECT CAST(seen_at AS CHAR) FROM labs", database=db.obj.database) == [
        ("2026-03-29 02:30:00.123456",)
    ]


def test_a_long_hostname_may_be_unique():
    name = "é" * 700
    Machine.create(hostname=name)
    with pytest.raises(peewee.IntegrityError):
        Machine.create(hostname=name)


def test_an_update_that_changes_nothing_met_its_row():
    row = Lab.create(name="desk")
    assert Lab.update(name="desk").where(Lab.id == row.id).execute() == 1


@pytest.mark.parametrize("column", ["host_id", "entry_id"])
def test_the_schema_itself_refuses_a_second_open_lease(session, column):
    lab, job = Lab.create(name="desk"), Job.create(owner="alice")
    hosts = [Host.create(hostname=f"h{number}").id for number in (1, 2)]
    entries = [HostQueueEntry.create(job=job, host=host).id for host in hosts]
    first = {"host_id": hosts[0], "entry_id": entries[0]}
    second = {"host_id": hosts[1], "entry_id": entries[1], column: first[column]}

    def insert(row, released_at="NULL"):
        values = f"{lab.id}, 1, 'verify', 0, 0, '2026-03-01', '', {row['host_id']}, {row['entry_id']}, {released_at}"
        session.as_root(
            "INSERT INTO leases (lab_id, incarnation, step, pokes, beat, granted_at, release_reason, host_id, "
            f"entry_id, released_at) VALUES ({values})",
            database=db.obj.database,
        )

    insert(first)
    for _ in range(2):
        insert(second, "'2026-03-02'")
    with pytest.raises(Exception, match=f"Duplicate entry .* for key 'one_open_lease_{column[:-3]}'"):
        insert(second)
    session.as_root("UPDATE leases SET released_at = '2026-03-03'", database=db.obj.database)
    insert(second)
    assert Lease.select().where(Lease.released_at.is_null()).count() == 1


def test_a_copied_database_is_what_the_migrations_make():
    assert schema.differences() == []
    assert all(row["applied"] for row in schema.status())


def test_a_connection_that_was_just_used_is_neither_asked_nor_rolled_back(session):
    with contextlib.ExitStack() as stack:
        db.close()
        stack.callback(db.connect)
        counters = "SHOW GLOBAL STATUS WHERE Variable_name IN ('Com_admin_commands', 'Com_rollback')"
        before = dict(session.as_root(counters))
        for _ in range(5):
            with database.connection():
                assert asked("SELECT 1") == 1
        assert dict(session.as_root(counters)) == before


def test_a_transaction_that_was_left_open_is_rolled_back_before_the_next_one_gets_the_connection():
    db.begin()
    Label.create(name="half")
    db.close()
    db.connect()
    assert not Label.select().where(Label.name == "half").exists()


def test_a_connection_that_the_server_ended_a_moment_ago_is_not_handed_out_again(session):
    ended = asked("SELECT CONNECTION_ID()")
    session.as_root(f"KILL CONNECTION {ended}")
    db.close()
    db.connect()
    assert asked("SELECT CONNECTION_ID()") != ended
