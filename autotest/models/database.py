"""The database handle: opened once from a URL, one connection context a task, one way to write.

Every write goes through :func:`transaction`. On SQLite it begins IMMEDIATE, since a plain BEGIN that reads before it
writes loses to lock errors when several processes write.
"""

from __future__ import annotations

import contextlib
import datetime
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import peewee
from playhouse.pool import PooledMySQLDatabase

from autotest import errors, settings

#: Seconds a writer waits for another one; a backup or a migration may hold the lock that long.
BUSY_SECONDS = 60
_POOL = 20
_UTC = datetime.timezone.utc

db = peewee.DatabaseProxy()


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

    Opens no connection. Raises ConfigError for any other address.
    """
    parts = urlsplit(url)
    if parts.scheme == "sqlite":
        path = Path(unquote(parts.path[1:] if parts.path.startswith("//") else parts.path))
        path.parent.mkdir(parents=True, exist_ok=True)
        pragmas = {"journal_mode": "wal", "synchronous": "normal", "foreign_keys": 1, "cache_size": -16000}
        db.initialize(peewee.SqliteDatabase(str(path), pragmas=pragmas, timeout=BUSY_SECONDS))
    elif parts.scheme == "mysql":
        db.initialize(
            PooledMySQLDatabase(
                parts.path.lstrip("/"),
                max_connections=_POOL,
                stale_timeout=300,
                timeout=BUSY_SECONDS,
                host=parts.hostname or "127.0.0.1",
                port=parts.port or 3306,
                user=unquote(parts.username or ""),
                password=unquote(parts.password or ""),
                charset="utf8mb4",
                init_command="SET time_zone = '+00:00', transaction_isolation = 'READ-COMMITTED'",
            )
        )
    else:
        raise errors.ConfigError(f"database address {settings.shown(url)} must begin with sqlite:/// or mysql://")


def is_sqlite() -> bool:
    """Whether the models are bound to SQLite."""
    return isinstance(db.obj, peewee.SqliteDatabase)


@contextlib.contextmanager
def connection() -> Iterator[None]:
    """One connection for this thread while the block runs; a nested block uses the same one.

    Raises DatabaseUnreachable, naming the address.
    """
    if not db.is_closed():
        yield
        return
    try:
        db.connect()
    except (peewee.OperationalError, peewee.InterfaceError) as problem:
        raise errors.DatabaseUnreachable(f"the database {described()} does not answer: {problem}") from problem
    try:
        yield
    finally:
        db.close()


@contextlib.contextmanager
def transaction() -> Iterator[None]:
    """All writes of the block, or none."""
    if is_sqlite():
        with db.atomic("IMMEDIATE") if not db.in_transaction() else db.atomic():
            yield
    else:
        with db.atomic():
            yield


def wait_until_reachable(seconds: float) -> None:
    """Try to connect with growing pauses. Raises DatabaseUnreachable once *seconds* have passed."""
    pause, end = 0.2, time.monotonic() + seconds
    while True:
        try:
            with connection():
                db.execute_sql("SELECT 1")
            return
        except errors.DatabaseUnreachable:
            if time.monotonic() + pause > end:
                raise
            time.sleep(pause)
            pause = min(pause * 2, 5.0)


def described() -> str:
    """The address of the database, without its password, for messages."""
    if is_sqlite():
        return f"sqlite:///{db.obj.database}"
    options = db.obj.connect_params
    return f"mysql://{options.get('host')}:{options.get('port')}/{db.obj.database}"
