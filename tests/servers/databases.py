"""Databases: a fresh one for each test, SQLite unless ``--database mysql`` asks for MariaDB.

With ``--database mysql`` only the tests that use a database run, except those that are marked ``sqlite(reason)``.
"""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import pytest
from playhouse.pool import PooledDatabase

from autotest.models import database, schema
from servers.mariadb import MariaDB

KINDS = ("sqlite", "mysql")


class Databases(Protocol):
    """Hands out databases by their addresses."""

    def empty(self) -> str:
        """A database without tables."""

    def migrated(self) -> str:
        """A database with every migration applied."""

    def drop(self, url: str) -> None:
        """A database that nobody needs any more."""


class SqliteFiles:
    """Databases as files below *folder*."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._numbers = itertools.count(1)
        self._template: Path | None = None

    def empty(self) -> str:
        return f"sqlite:///{self._folder / f'{next(self._numbers)}.db'}"

    def migrated(self) -> str:
        if self._template is None:
            template = self._folder / "template.db"
            database.connect(f"sqlite:///{template}")
            with database.connection():
                schema.migrate()
                database.db.execute_sql("PRAGMA wal_checkpoint(TRUNCATE)")
            self._template = template
        url = self.empty()
        shutil.copyfile(self._template, _path(url))
        return url

    def drop(self, url: str) -> None:
        _let_go()
        for end in ("", "-wal", "-shm"):
            Path(f"{_path(url)}{end}").unlink(missing_ok=True)


class MariaDBDatabases:
    """Databases on a server; a migrated one is made by the statements that show what the first one has."""

    def __init__(self, server: MariaDB):
        self._server = server
        self._template: list[str] = []

    def empty(self) -> str:
        return self._server.url(self._server.new_database())

    def migrated(self) -> str:
        if not self._template:
            self._template = self._statements()
        name = self._server.new_database()
        self._server.as_root("SET foreign_key_checks = 0", *self._template, database=name)
        return self._server.url(name)

    def drop(self, url: str) -> None:
        _let_go()
        self._server.as_root(f"DROP DATABASE IF EXISTS {url.rpartition('/')[2]}")

    def _statements(self) -> list[str]:
        url = self.empty()
        name = url.rpartition("/")[2]
        database.connect(url)
        with database.connection():
            schema.migrate()
        ask = self._server.as_root
        ((_, made),) = ask(f"SHOW CREATE DATABASE {name}")
        statements = [f"ALTER DATABASE {made[made.index('/*!40100') :]}"]
        for (table,) in ask("SHOW TABLES", database=name):
            statements.append(ask(f"SHOW CREATE TABLE `{table}`", database=name)[0][1])
            if ask(f"SELECT 1 FROM `{table}` LIMIT 1", database=name):
                statements.append(f"INSERT INTO `{table}` SELECT * FROM {name}.`{table}`")
        return statements


def _let_go() -> None:
    """Close the connections that are kept for the next who asks."""
    if isinstance(database.db.obj, PooledDatabase):
        database.db.obj.close_all()


def _path(url: str) -> Path:
    return Path(url.removeprefix("sqlite:///"))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--database", choices=KINDS, default="sqlite", help="what the tests of the ledger run on")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "sqlite(reason): about SQLite alone; left out with --database mysql")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("database") == "sqlite":
        return
    wanted = [item for item in items if _uses_any_database(item) and item.get_closest_marker("sqlite") is None]
    config.hook.pytest_deselected(items=[item for item in items if item not in wanted])
    items[:] = wanted


def _uses_any_database(item: pytest.Item) -> bool:
    return "databases" in getattr(item, "fixturenames", ())


@pytest.fixture(scope="session")
def mariadb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MariaDB]:
    """A private MariaDB server. Skips the test where there is none."""
    made = MariaDB(tmp_path_factory.mktemp("mariadb"))
    yield made
    made.remove()


@pytest.fixture(scope="session")
def databases_of(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Databases]:
    """databases_of(kind) hands out databases of that kind, whatever the option says."""
    made: dict[str, Databases] = {}

    def of(kind: str) -> Databases:
        if kind not in made:
            if kind == "sqlite":
                made[kind] = SqliteFiles(tmp_path_factory.mktemp("databases"))
            else:
                made[kind] = MariaDBDatabases(request.getfixturevalue("mariadb"))
        return made[kind]

    return of


@pytest.fixture(scope="session")
def databases(request: pytest.FixtureRequest, databases_of: Callable[[str], Databases]) -> Databases:
    """Databases of the kind that ``--database`` names."""
    return databases_of(request.config.getoption("database"))


@pytest.fixture
def empty_database(databases: Databases) -> Iterator[str]:
    """The address of a database without tables, the test's own."""
    url = databases.empty()
    yield url
    databases.drop(url)


@pytest.fixture
def migrated_database(databases: Databases) -> Iterator[str]:
    """The address of a database with every migration applied, the test's own."""
    url = databases.migrated()
    yield url
    databases.drop(url)
