"""The database handle: opened once from a URL, one connection context a task, one way to write.

Every write goes through :func:`transaction`. On SQLite it begins IMMEDIATE, since a plain BEGIN that reads before it
writes loses to lock errors when several processes write; so all transactions go one after the other there. On a server
they overlap, READ COMMITTED: who decides by a row that others may change reads it with :func:`held`, and a function
that is a whole transaction is :func:`retried`, since the server may end it in favour of another one.
"""

from __future__ import annotations

import contextlib
import datetime
import functools
import random
import re
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ParamSpec, TypeVar
from urllib.parse import SplitResult, unquote, urlsplit

import peewee
from playhouse.pool import MaxConnectionsExceeded, PooledDatabase, PooledMySQLDatabase, PooledSqliteDatabase
from pymysql.constants import CLIENT, ER, SERVER_STATUS

from autotest import errors, settings

#: Seconds a writer waits for another one; a backup or a migration may hold the lock that long.
BUSY_SECONDS = 60
_POOL = 20
#: A server that says nothing for so long is gone, and so is one that does not take a connection.
_SILENCE_S = 120
_CONNECT_S = 10
#: A connection that was used so lately is not asked whether it lives, unless the server hung up.
_FRESH_S = 30.0
#: What every session on a server is set to, whatever the server's own configuration says.
_SESSION = (
    "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
    "SET time_zone = '+00:00', sql_mode = 'TRADITIONAL,ONLY_FULL_GROUP_BY', innodb_lock_wait_timeout = 20, "
    f"lock_wait_timeout = {BUSY_SECONDS}",
)
#: A transaction that the server ended in favour of another one is done again so often.
_ATTEMPTS = 10
_LONGEST_PAUSE_S = 0.5
_UTC = datetime.timezone.utc

#: The server ended the transaction, or would not wait longer; a savepoint is gone when its transaction was ended.
_LOST_TO_ANOTHER = frozenset({ER.LOCK_DEADLOCK, ER.LOCK_WAIT_TIMEOUT, ER.CHECKREAD})
_OUT_OF_CONNECTIONS = frozenset({ER.CON_COUNT_ERROR, ER.TOO_MANY_USER_CONNECTIONS, ER.USER_LIMIT_REACHED})
#: Wrong password, no right to the database, no such database: asking again changes nothing.
_REFUSED = frozenset({ER.ACCESS_DENIED_ERROR, ER.DBACCESS_DENIED_ERROR, ER.BAD_DB_ERROR})
#: The oldest that have JSON_ARRAYAGG; of MySQL also CHECK and the collation of our texts.
_OLDEST_MARIADB, _OLDEST_MYSQL = (10, 5, 0), (8, 0, 17)
_VERSION = re.compile(r"(\d{1,4})\.(\d{1,4})\.(\d{1,4})")
#: --read-only; a transaction that was begun READ ONLY; innodb_read_only and innodb_force_recovery.
_READ_ONLY = frozenset({ER.OPTION_PREVENTS_STATEMENT, 1792, 1036, 1836})

#: MariaDB's and MySQL's number for a CHECK that a row does not keep; the driver knows neither as what it is.
_CHECK_FAILED = frozenset({ER.CONSTRAINT_FAILED, 3819})

_P = ParamSpec("_P")
_R = TypeVar("_R")

db = peewee.DatabaseProxy()
_writing = threading.Lock()


class _Session(peewee.MySQLDatabase):
    """Sets up each new connection, and tells a row that is refused from a server in trouble."""

    def _connect(self) -> Any:
        made = super()._connect()
        with made.cursor() as cursor:
            for statement in _SESSION:
                cursor.execute(statement)
        return made

    def execute_sql(self, sql: str, params: Any = None) -> Any:
        try:
            return super().execute_sql(sql, params)
        except peewee.OperationalError as problem:
            if _code(problem) in _CHECK_FAILED:
                raise peewee.IntegrityError(*problem.args) from problem
            raise


class _Server(PooledMySQLDatabase, _Session):
    """The pool sets nothing up again when it hands out a connection once more: it stands before the session.

    It asks the server whether a connection still lives only where there is doubt, and rolls back only what is open: the
    whole process waits for the answers, since peewee hands out and takes back connections under one lock.
    """

    def _can_reuse(self, conn: Any) -> bool:
        conn.last_used = time.monotonic()
        in_transaction = conn.server_status & SERVER_STATUS.SERVER_STATUS_IN_TRANS
        return bool(super()._can_reuse(conn) if in_transaction else conn.open)

    def _is_closed(self, conn: Any) -> bool:
        if conn.open and time.monotonic() - conn.last_used < _FRESH_S and not _speaks(conn._sock):
            return False
        return bool(super()._is_closed(conn))


def _speaks(channel: socket.socket) -> bool:
    """Whether the other side has something to say. A server that was not asked anything says only that it goes away."""
    poll = select.poll()
    poll.register(channel, select.POLLIN)
    return bool(poll.poll(0))


class LongTextField(peewee.TextField):
    """A text of any length: TEXT ends after 64 KB on MariaDB and MySQL."""

    field_type = "LONGTEXT"


class UTCDateTimeField(peewee.DateTimeField):
    """A moment in UTC with microseconds: aware in Python, DATETIME(6) in the database."""

    field_type = "DATETIME(6)"

    def db_value(self, value: datetime.datetime | None) -> str | None:
        if value is None:
            return None
        if value.tzinfo is not None:
            value = value.astimezone(_UTC).replace(tzinfo=None)
        return value.isoformat(" ", "microseconds")

    def python_value(self, value: Any) -> datetime.datetime | None:
        naive = super().python_value(value)
        return naive.replace(tzinfo=_UTC) if isinstance(naive, datetime.datetime) and naive.tzinfo is None else naive


class BaseModel(peewee.Model):
    """A row."""

    class Meta:
        database = db
        legacy_table_names = False


def utc_now() -> datetime.datetime:
    """This moment, aware, in UTC."""
    return datetime.datetime.now(_UTC)


def connect(url: str) -> None:
    """Bind the models to the database at *url* (``sqlite:///PATH`` or ``mysql://USER:PASSWORD@HOST:PORT/NAME``).

    Opens no connection. Raises ConfigError for any other address, DatabaseUnreachable when the folder of a SQLite file
    cannot be made.
    """
    shown = settings.shown(url)
    parts = urlsplit(url)
    if isinstance(db.obj, PooledDatabase):
        db.obj.close_idle()
    if parts.scheme == "sqlite":
        path = Path(unquote(parts.path[1:] if parts.path.startswith("//") else parts.path))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as problem:
            raise errors.DatabaseUnreachable(f"the database {shown} cannot be opened: {problem.strerror}") from problem
        db.initialize(_file(path))
    elif parts.scheme == "mysql":
        try:
            db.initialize(_server(parts))
        except ValueError as problem:
            raise errors.ConfigError(f"the database address {shown} cannot be read: {problem}") from problem
    else:
        raise errors.ConfigError(f"database address {shown} must begin with sqlite:/// or mysql://")


def _file(path: Path) -> PooledSqliteDatabase:
    """Connections are kept: one that is opened for a write and closed as the last one costs a hundred writes."""
    pragmas = {
        "busy_timeout": BUSY_SECONDS * 1000,
        "journal_mode": "wal",
        "synchronous": "normal",
        "foreign_keys": 1,
        "cache_size": -4000,
    }
    return PooledSqliteDatabase(str(path), max_connections=0, pragmas=pragmas, check_same_thread=False)


def _server(parts: SplitResult) -> _Server:
    return _Server(
        unquote(parts.path.lstrip("/")),
        max_connections=_POOL,
        stale_timeout=3600,
        timeout=BUSY_SECONDS,
        host=parts.hostname or "127.0.0.1",
        port=parts.port or 3306,
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        charset="utf8mb4",
        connect_timeout=_CONNECT_S,
        read_timeout=_SILENCE_S,
        write_timeout=_SILENCE_S,
        # An UPDATE counts the rows that it met, changed or not, as SQLite does.
        client_flag=CLIENT.FOUND_ROWS,
    )


def is_sqlite() -> bool:
    """Whether the models are bound to SQLite."""
    return isinstance(db.obj, peewee.SqliteDatabase)


@contextlib.contextmanager
def connection() -> Iterator[None]:
    """One connection for this thread while the block runs; a nested block uses the same one.

    Raises DatabaseUnreachable, naming the address and the fact, also when the database goes away in the middle.
    IntegrityError and DataError are about what the block wrote, and pass.
    """
    if not db.is_closed():
        yield
        return
    try:
        db.connect()
    except MaxConnectionsExceeded as problem:
        raise errors.DatabaseUnreachable(
            f"all {_POOL} connections of this process to the database {described()} were busy for {BUSY_SECONDS} s"
        ) from problem
    except (peewee.DatabaseError, peewee.InterfaceError) as problem:
        is_silent = isinstance(problem, (peewee.OperationalError, peewee.InterfaceError))
        raise _unreachable(problem, "does not answer" if is_silent else "failed") from problem
    try:
        yield
    except (peewee.IntegrityError, peewee.DataError):
        raise
    except (peewee.DatabaseError, peewee.InterfaceError) as problem:
        raise _unreachable(problem, "failed") from problem
    finally:
        db.close()


def _unreachable(problem: Exception, what: str) -> errors.DatabaseUnreachable:
    address = f"the database {described()}"
    code = _code(problem)
    if code in _OUT_OF_CONNECTIONS:
        return errors.DatabaseUnreachable(
            f"{address} is out of connections: {problem.args[1]}; raise its max_connections, or run fewer workers"
        )
    if code in _READ_ONLY:
        return errors.DatabaseUnreachable(
            f"{address} is read-only: {problem.args[1]}; make it writable, or name the server that is"
        )
    if code in _REFUSED:
        return errors.DatabaseUnreachable(
            f"{address} refuses us: {problem.args[1]}; check user, password and name (database, database_password_file)"
        )
    return errors.DatabaseUnreachable(f"{address} {what}: {problem}")


def _code(problem: BaseException) -> int | None:
    """The server's number of an error."""
    return problem.args[0] if len(problem.args) > 1 and isinstance(problem.args[0], int) else None


@contextlib.contextmanager
def transaction() -> Iterator[None]:
    """All writes of the block, or none."""
    if is_sqlite() and not db.in_transaction():
        # Who finds a SQLite file locked sleeps for ever longer pauses; threads of one process wait in line instead.
        with _writing, db.atomic("IMMEDIATE"):
            yield
    else:
        with db.atomic():
            yield


def retried(act: Callable[_P, _R]) -> Callable[_P, _R]:
    """Let *act*, a function that is one whole transaction, begin anew when a server ends it in favour of another one
    (deadlock, lock wait timeout). Inside a transaction nothing is done again: that is for whoever began it.
    """

    @functools.wraps(act)
    def run(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        attempts = 1 if db.in_transaction() else _ATTEMPTS
        for attempt in range(1, attempts + 1):
            try:
                return act(*args, **kwargs)
            except peewee.DatabaseError as problem:
                if attempt == attempts or not _lost_to_another(problem):
                    raise
            # Not in step with the other one, which may have lost as well.
            time.sleep(random.uniform(0, min(0.01 * 2**attempt, _LONGEST_PAUSE_S)))
        raise AssertionError("the last attempt returns or raises")

    return run


def _lost_to_another(problem: BaseException | None) -> bool:
    """Also when undoing an inner transaction then failed, since the outer one had gone with all its savepoints."""
    while problem is not None:
        if _code(problem) in _LOST_TO_ANOTHER:
            return True
        problem = problem.__context__
    return False


def held(row: type[BaseModel], *conditions: Any) -> Any:
    """The first such row as it is now, or None; nobody else changes it until the caller's transaction ends."""
    return holding(row.select().where(*conditions)).first()


def holding(query: Any) -> Any:
    """*query*, whose rows nobody else changes until the caller's transaction ends."""
    return query if is_sqlite() else query.for_update()


def wait_until_reachable(seconds: float) -> None:
    """Try with growing pauses until the database answers.

    Raises DatabaseUnreachable once *seconds* have passed, at once when it refuses us; ConfigError for a server that is
    too old.
    """
    pause, end = 0.2, time.monotonic() + seconds
    while True:
        try:
            with connection():
                _require_version()
            return
        except errors.DatabaseUnreachable as problem:
            if time.monotonic() + pause > end or (problem.__cause__ and _code(problem.__cause__) in _REFUSED):
                raise
            time.sleep(pause)
            pause = min(pause * 2, 5.0)


def _require_version() -> None:
    if is_sqlite():
        db.execute_sql("SELECT 1")
        return
    (said,) = db.execute_sql("SELECT VERSION()").fetchone()
    fact = too_old(said)
    if fact:
        raise errors.ConfigError(f"the database {described()} is {fact}")


def too_old(said: str) -> str:
    """What a server is that says this of itself, and what we need; '' when it will do."""
    said = said.removeprefix("5.5.5-")
    name, oldest = ("MariaDB", _OLDEST_MARIADB) if "mariadb" in said.lower() else ("MySQL", _OLDEST_MYSQL)
    found = _VERSION.match(said)
    if found is None or tuple(map(int, found.groups())) >= oldest:
        return ""
    return f"{name} {said}; Autotest needs {name} {'.'.join(map(str, oldest))} or later"


def described() -> str:
    """The address of the database, without its password, for messages."""
    if is_sqlite():
        return f"sqlite:///{db.obj.database}"
    options = db.obj.connect_params
    return f"mysql://{options.get('host')}:{options.get('port')}/{db.obj.database}"
