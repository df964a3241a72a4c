"""MariaDB: a private server with quick settings, and databases of its own for each test."""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pymysql

from servers.server import Server, accepts, free_port, program

_SETTINGS = (
    "--innodb-flush-log-at-trx-commit=2",
    "--innodb-buffer-pool-size=64M",
    "--innodb-log-file-size=32M",
    "--innodb-doublewrite=0",
    "--innodb-file-per-table=0",
    "--skip-log-bin",
    "--skip-name-resolve",
    # What our sessions must not depend on.
    "--default-time-zone=+05:30",
    "--character-set-server=latin1",
    "--sql-mode=",
    "--transaction-isolation=SERIALIZABLE",
)


#: Making the tables of a test in memory takes a third of the time.
_MEMORY = Path("/dev/shm")
_ROOM = 1_000_000_000


class MariaDB:
    """One mariadbd on a port of its own; *folder* gets its log. *user* may do everything but what needs SUPER."""

    user, password = "autotest", "se/cr@et"
    host = "127.0.0.1"

    def __init__(self, folder: Path):
        self.port = free_port()
        in_memory = os.access(_MEMORY, os.W_OK) and shutil.disk_usage(_MEMORY).free > _ROOM
        as_root = ["--user=root"] if os.geteuid() == 0 else []
        self._data = _installed(_MEMORY if in_memory else folder, as_root)
        self._socket = self._data / "socket"
        self._numbers = itertools.count(1)
        argv = [program("mariadbd", "mariadb-server"), "--no-defaults", f"--datadir={self._data}", *as_root]
        argv += [f"--socket={self._socket}", f"--bind-address={self.host}", f"--port={self.port}"]
        argv += [f"--pid-file={self._data / 'pid'}", *_SETTINGS]
        self.server = Server(argv, folder / "log", lambda: accepts(self.port))
        self.server.start()
        self.as_root(
            f"CREATE USER {self.user}@'{self.host}' IDENTIFIED BY '{self.password}'",
            f"GRANT ALL ON `autotest%`.* TO {self.user}@'{self.host}'",
        )

    def url(self, name: str) -> str:
        """The address of a database, as settings have it."""
        return f"mysql://{self.user}:{quote(self.password, safe='')}@{self.host}:{self.port}/{name}"

    def new_database(self) -> str:
        """A database without tables. Returns its name."""
        name = f"autotest{next(self._numbers)}"
        self.as_root(f"CREATE DATABASE {name}")
        return name

    def as_root(self, *statements: str, database: str | None = None) -> list[tuple[Any, ...]]:
        """Run statements as the one who may do everything. Returns the rows of the last."""
        rows: list[tuple[Any, ...]] = []
        with contextlib.closing(self._root(database)) as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
                rows = list(cursor.fetchall())
        return rows

    @contextlib.contextmanager
    def setting(self, **variables: object) -> Iterator[None]:
        """Global variables of the server while the block runs."""
        before = {name: self.as_root(f"SELECT @@GLOBAL.{name}")[0][0] for name in variables}
        self.as_root(*(f"SET GLOBAL {name} = {value}" for name, value in variables.items()))
        try:
            yield
        finally:
            self.as_root(*(f"SET GLOBAL {name} = {value}" for name, value in before.items()))

    def restart(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End the server with that signal, and start it again on the same data."""
        self.server.stop(number)
        self.server.start()

    def remove(self) -> None:
        """End the server, and leave nothing of it."""
        self.server.stop()
        shutil.rmtree(self._data)

    def _root(self, database: str | None = None) -> pymysql.Connection[Any]:
        return pymysql.connect(
            unix_socket=str(self._socket), user="root", database=database, autocommit=True, charset="utf8mb4"
        )


def _installed(place: Path, as_root: list[str]) -> Path:
    """A folder with a new server's own tables.

    Debian's installer was seen to die half-way, once in some hundred runs; it gets a second empty folder. What it said
    is printed, and raised when that fails as well.
    """
    install = program("mariadb-install-db", "mariadb-server")
    said = ""
    for _ in range(2):
        data = Path(tempfile.mkdtemp(prefix="mariadb-", dir=place))
        command = [install, "--no-defaults", f"--datadir={data}", "--skip-test-db", *as_root]
        command += ["--auth-root-authentication-method=normal"]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=120, check=False)
        if done.returncode == 0:
            return data
        said = f"{install} ended with {done.returncode}: {done.stdout[-2000:]} {done.stderr[-2000:]}"
        print(said)
        shutil.rmtree(data)
    raise AssertionError(said)
