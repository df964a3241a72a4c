"""``server``: the models bound to a migrated database on a private MariaDB, whose own configuration fits nobody."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from servers.databases import Databases
from servers.mariadb import MariaDB

from autotest.models import database


@pytest.fixture
def address(databases_of: Callable[[str], Databases]) -> Iterator[str]:
    """The address of a migrated database, the test's own."""
    databases = databases_of("mysql")
    url = databases.migrated()
    yield url
    databases.drop(url)


@pytest.fixture
def server(mariadb: MariaDB, address: str) -> MariaDB:
    """The server; the models are bound to the database, and no connection is open."""
    database.connect(address)
    return mariadb
