"""MariaDB in trouble: what each call then says, and that it heals without a restart of ours."""

from __future__ import annotations

import contextlib
import signal
import threading

import peewee
import pymysql
import pytest
from click.testing import CliRunner

from autotest import cli, errors
from autotest.models import database
from autotest.models.afe import User
from autotest.models.database import db, held, retried, transaction
from autotest.models.lab import Lab

_THREADS = 40


def _look():
    with database.connection():
        return User.select().count()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_connections_that_a_restart_broke_are_replaced(server, number):
    assert _look() == 1
    server.restart(number)
    assert _look() == 1


def _look_across_a_restart(server):
    with database.connection():
        User.select().count()
        server.restart()
        User.select().count()


def test_a_call_that_the_restart_hits_fails_by_name_and_the_next_one_works(server):
    with pytest.raises(errors.DatabaseUnreachable, match=rf"mysql://127\.0\.0\.1:{server.port}/autotest\d+ failed"):
        _look_across_a_restart(server)
    assert db.is_closed()
    assert _look() == 1


def test_a_server_that_comes_back_is_waited_for(server):
    server.server.stop()
    with pytest.raises(errors.DatabaseUnreachable, match="does not answer"):
        database.wait_until_reachable(0)
    starter = threading.Thread(target=server.server.start)
    starter.start()
    database.wait_until_reachable(60)
    starter.join()
    assert _look() == 1


def test_more_threads_than_connections_take_turns(server):
    seen, problems = [], []
    together = threading.Barrier(_THREADS)

    def look():
        together.wait()
        try:
            for _ in range(5):
                seen.append(_look())
        except Exception as problem:
            problems.append(problem)

    threads = [threading.Thread(target=look) for _ in range(_THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert seen == [1] * 5 * _THREADS


def test_a_process_whose_connections_are_all_busy_says_so(server, monkeypatch):
    monkeypatch.setattr(db.obj, "_max_connections", 1)
    monkeypatch.setattr(db.obj, "_wait_timeout", 0.1)
    caught = []

    def look():
        try:
            _look()
        except errors.DatabaseUnreachable as problem:
            caught.append(str(problem))

    with database.connection():
        thread = threading.Thread(target=look)
        thread.start()
        thread.join()
    assert caught
    assert "connections of this process" in caught[0]


def test_a_server_without_a_free_connection_is_named_with_what_to_do(server, address):
    with server.setting(max_connections=10), contextlib.ExitStack() as stack:
        database.db.close()
        for _ in range(10):
            with contextlib.suppress(pymysql.err.OperationalError):
                taken = pymysql.connect(host=server.host, port=server.port, user=server.user, password=server.password)
                stack.enter_context(contextlib.closing(taken))
        database.connect(address)
        with pytest.raises(errors.DatabaseUnreachable, match=r"is out of connections: .*; raise its max_connections"):
            _look()
    assert _look() == 1


def test_a_read_only_server_is_named_with_what_to_do_and_can_be_read(server):
    with server.setting(read_only=1):
        assert _look() == 1
        with (
            pytest.raises(errors.DatabaseUnreachable, match=r"is read-only: .*--read-only.*; make it writable"),
            database.connection(),
        ):
            User.create(login="alice")
    with database.connection():
        assert User.create(login="alice").id


def test_the_command_line_tells_a_read_only_server_in_one_line(server, address, monkeypatch):
    monkeypatch.setenv("AUTOTEST_DATABASE", address)
    with server.setting(read_only=1):
        result = CliRunner().invoke(cli.main, ["db", "migrate", "--down", "zero"])
    assert result.exit_code == 3
    assert "is read-only" in result.stderr
    assert server.password not in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_wrong_password_is_named_and_not_shown(server):
    database.connect(f"mysql://{server.user}:wrongsecret@{server.host}:{server.port}/autotest1")
    with pytest.raises(errors.DatabaseUnreachable, match="Access denied for user 'autotest'") as caught:
        _look()
    assert "wrongsecret" not in str(caught.value)


def test_a_database_that_is_not_there_is_named(server):
    database.connect(server.url("autotest_nowhere"))
    with pytest.raises(errors.DatabaseUnreachable, match="Unknown database 'autotest_nowhere'"):
        _look()


def test_both_of_two_transactions_that_block_each_other_end_well(server):
    """Each holds one row and wants the other's; the server ends one of them, and that one is done again."""
    with database.connection():
        rows = [Lab.create(name=name).id for name in ("one", "two")]
    before = _deadlocks(server)
    both_hold = threading.Barrier(2)
    first_time = threading.local()
    problems = []

    @retried
    def move(first, second):
        with transaction():
            held(Lab, Lab.id == first)
            if not getattr(first_time, "over", False):
                first_time.over = True
                both_hold.wait(10)
            # An inner transaction goes down with the outer one.
            with transaction():
                Lab.update(incarnation=Lab.incarnation + 1).where(Lab.id == second).execute()

    def work(first, second):
        try:
            with database.connection():
                move(first, second)
        except Exception as problem:
            problems.append(problem)

    threads = [threading.Thread(target=work, args=pair) for pair in (rows, rows[::-1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert _deadlocks(server) == before + 1
    with database.connection():
        assert [row.incarnation for row in Lab.select()] == [1, 1]


def test_who_waits_too_long_for_a_row_tries_again(server):
    with database.connection():
        row = Lab.create(name="one")
    released = threading.Event()
    tries = []

    @retried
    def move():
        with transaction():
            tries.append(1)
            if len(tries) == 2:
                released.set()
            db.execute_sql("SET innodb_lock_wait_timeout = 1")
            Lab.update(incarnation=7).where(Lab.id == row.id).execute()

    def hold():
        with database.connection(), transaction():
            held(Lab, Lab.id == row.id)
            holds.set()
            released.wait(30)

    holds = threading.Event()
    holder = threading.Thread(target=hold)
    holder.start()
    holds.wait(10)
    with database.connection():
        move()
        assert Lab.get_by_id(row.id).incarnation == 7
        db.execute_sql("SET innodb_lock_wait_timeout = 20")
    holder.join()
    assert len(tries) >= 2


def test_inside_a_transaction_nothing_is_done_again(server):
    tries = []

    @retried
    def lose():
        tries.append(1)
        raise peewee.OperationalError(1213, "Deadlock found when trying to get lock")

    with database.connection(), contextlib.suppress(peewee.OperationalError), transaction():
        lose()
    assert len(tries) == 1


def _deadlocks(server):
    return int(server.as_root("SHOW GLOBAL STATUS LIKE 'innodb_deadlocks'")[0][1])
