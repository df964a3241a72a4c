"""The database is opened from a URL, written in whole transactions, and its times are aware and in UTC."""

from __future__ import annotations

import contextlib
import datetime
import sqlite3
import threading

import peewee
import pytest

from autotest import errors
from autotest.models import database, schema
from autotest.models.afe import User
from autotest.models.database import db, held, retried, transaction
from autotest.models.lab import Lab


@pytest.fixture
def ledger(migrated_database):
    """A bound and migrated database."""
    database.connect(migrated_database)


def test_an_absolute_path_makes_its_folder(tmp_path):
    path = tmp_path / "deep" / "autotest.db"
    database.connect(f"sqlite:///{path}")
    with database.connection():
        schema.migrate()
    assert path.is_file()
    assert database.is_sqlite()
    assert database.described() == f"sqlite:///{path}"


@pytest.mark.parametrize("slashes", ["sqlite://", "sqlite:///"])
def test_a_path_is_absolute_and_may_be_quoted(tmp_path, slashes):
    database.connect(f"{slashes}{tmp_path}/auto%20test.db")
    with database.connection():
        db.execute_sql("SELECT 1")

    assert (tmp_path / "auto test.db").is_file()


@pytest.mark.sqlite(reason="about its PRAGMAs")
def test_sqlite_writes_ahead_and_keeps_foreign_keys(ledger):
    with database.connection():
        assert db.execute_sql("PRAGMA journal_mode").fetchone() == ("wal",)
        assert db.execute_sql("PRAGMA foreign_keys").fetchone() == (1,)
        with pytest.raises(peewee.IntegrityError):
            db.execute_sql("INSERT INTO afe_acl_groups_users (aclgroup_id, user_id) VALUES (1, 4711)")


@pytest.mark.parametrize("url", ["", "autotest.db", "postgres://alice:secret@db/x"])
def test_any_other_address_is_refused_without_its_password(url):
    with pytest.raises(errors.ConfigError, match="must begin with sqlite:/// or mysql://") as caught:
        database.connect(url)
    assert "secret" not in str(caught.value)


def test_a_server_is_described_without_its_password():
    database.connect("mysql://alice:se%20cret@db.example.org:3307/autotest")

    assert database.described() == "mysql://db.example.org:3307/autotest"
    assert not database.is_sqlite()
    assert db.obj.connect_params["password"] == "se cret"


def test_a_server_that_does_not_answer_is_named():
    database.connect("mysql://alice:secret@127.0.0.1:1/autotest")

    with pytest.raises(errors.DatabaseUnreachable, match=r"mysql://127\.0\.0\.1:1/autotest does not answer") as caught:
        database.wait_until_reachable(0)
    assert "secret" not in str(caught.value)


def test_a_file_that_cannot_be_opened_is_named(tmp_path):
    database.connect(f"sqlite:///{tmp_path}")

    with (
        pytest.raises(errors.DatabaseUnreachable, match=f"sqlite:///{tmp_path} does not answer"),
        database.connection(),
    ):
        pass


def test_a_nested_connection_is_the_same_one(ledger):
    with database.connection():
        outer = db.connection()
        with database.connection():
            assert db.connection() is outer
        assert not db.is_closed()
    assert db.is_closed()


def _create(*logins):
    with transaction():
        for login in logins:
            User.create(login=login)


def test_a_transaction_keeps_all_or_nothing(ledger):
    with database.connection():
        with pytest.raises(peewee.IntegrityError):
            _create("alice", "alice")
        assert User.get_or_none(User.login == "alice") is None


def test_an_inner_transaction_is_given_up_alone(ledger):
    with database.connection(), transaction():
        _create("alice")
        with pytest.raises(peewee.IntegrityError):
            _create("bob", "alice")
        _create("carol")

    with database.connection():
        logins = {login for (login,) in User.select(User.login).tuples()}
    assert logins >= {"alice", "carol"}
    assert "bob" not in logins


@pytest.mark.sqlite(reason="a server locks rows, not the database")
def test_a_transaction_takes_the_write_lock_before_it_reads(ledger):
    """Otherwise two that read first and write then would lose to each other."""
    inside, go = threading.Event(), threading.Event()

    def read_then_write() -> None:
        with database.connection(), transaction():
            count = User.select().count()
            inside.set()
            go.wait(10)
            User.create(login=f"user{count}")

    thread = threading.Thread(target=read_then_write)
    thread.start()
    inside.wait(10)
    another_process = sqlite3.connect(db.obj.database, timeout=0)
    with contextlib.closing(another_process), pytest.raises(sqlite3.OperationalError, match="locked"):
        another_process.execute("BEGIN IMMEDIATE")
    go.set()
    thread.join()
    with database.connection():
        assert User.select().count() == 2


def test_a_folder_that_cannot_be_made_is_named():
    with pytest.raises(errors.DatabaseUnreachable, match=r"sqlite:////proc/none/a\.db cannot be opened: No such file"):
        database.connect("sqlite:////proc/none/a.db")


def test_a_port_that_is_no_number_is_named():
    with pytest.raises(errors.ConfigError, match=r"mysql://ann:\*\*\*@db:port/x cannot be read"):
        database.connect("mysql://ann:secret@db:port/x")


def test_a_failure_in_the_middle_names_the_database(ledger):
    with (
        pytest.raises(errors.DatabaseUnreachable, match=f"{database.described()} failed: .*no_such_table"),
        database.connection(),
    ):
        db.execute_sql("SELECT * FROM no_such_table")
    assert db.is_closed()


def test_what_a_row_does_not_keep_stays_an_error_of_its_own(ledger):
    with pytest.raises(peewee.IntegrityError), database.connection():
        User.create(login="autotest_system")


@pytest.mark.parametrize("code", [1213, 1205, 1020])
def test_a_transaction_that_another_one_displaced_is_done_again(ledger, code):
    tries = []

    @retried
    def act(login):
        tries.append(login)
        with transaction():
            User.create(login=login)
            if len(tries) < 3:
                raise peewee.OperationalError(code, "try restarting transaction")
        return login

    with database.connection():
        assert act("alice") == "alice"
        assert User.select().where(User.login == "alice").count() == 1
    assert len(tries) == 3


def test_a_transaction_that_never_gets_its_turn_gives_up(ledger, monkeypatch):
    monkeypatch.setattr(database, "_LONGEST_PAUSE_S", 0.001)
    tries = []

    @retried
    def act():
        tries.append(1)
        raise peewee.OperationalError(1213, "Deadlock found when trying to get lock")

    with database.connection(), pytest.raises(peewee.OperationalError, match="Deadlock"):
        act()
    assert len(tries) == database._ATTEMPTS


def test_any_other_failure_is_told_at_once(ledger):
    tries = []

    @retried
    def act():
        tries.append(1)
        db.execute_sql("SELECT * FROM no_such_table")

    with database.connection(), pytest.raises(peewee.DatabaseError):
        act()
    assert len(tries) == 1


def test_a_held_row_is_as_it_is_now(ledger):
    with database.connection(), transaction():
        row = Lab.create(name="desk")
        Lab.update(incarnation=3).where(Lab.id == row.id).execute()
        assert held(Lab, Lab.id == row.id).incarnation == 3
        assert held(Lab, Lab.id == row.id + 1) is None


@pytest.mark.parametrize(
    "moment",
    [
        datetime.datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=datetime.timezone.utc),
        datetime.datetime(2026, 3, 1, 12, 0, tzinfo=datetime.timezone.utc),
        datetime.datetime(2026, 3, 1, 13, 0, tzinfo=datetime.timezone(datetime.timedelta(hours=5, minutes=30))),
    ],
)
def test_a_moment_comes_back_as_the_same_moment_in_utc(ledger, moment):
    with database.connection():
        row = Lab.create(name="desk", seen_at=moment)
        read = Lab.get_by_id(row.id).seen_at
        assert Lab.get_or_none(Lab.seen_at == moment) is not None
        assert Lab.get_or_none(Lab.seen_at < moment) is None

    assert read == moment
    assert read.tzinfo == datetime.timezone.utc


def test_no_moment_stays_none(ledger):
    with database.connection():
        assert Lab.get_by_id(Lab.create(name="desk").id).seen_at is None


def test_now_is_aware():
    assert database.utc_now().utcoffset() == datetime.timedelta(0)


@pytest.mark.parametrize(
    ("said", "fact"),
    [
        ("10.4.34-MariaDB-log", "MariaDB 10.4.34-MariaDB-log; Autotest needs MariaDB 10.5.0 or later"),
        ("5.5.5-10.3.9-MariaDB", "MariaDB 10.3.9-MariaDB; Autotest needs MariaDB 10.5.0 or later"),
        ("5.7.44", "MySQL 5.7.44; Autotest needs MySQL 8.0.17 or later"),
        ("8.0.16-0ubuntu1", "MySQL 8.0.16-0ubuntu1; Autotest needs MySQL 8.0.17 or later"),
        ("10.5.0-MariaDB", ""),
        ("12.0.1-MariaDB", ""),
        ("8.0.17", ""),
        ("9.4.0", ""),
        ("of our own", ""),
    ],
)
def test_a_server_that_is_too_old_is_refused_with_what_it_says_of_itself(said, fact):
    assert database.too_old(said) == fact
