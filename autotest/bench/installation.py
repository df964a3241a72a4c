"""Installation: what one bench runs on: a folder, a broker and a database of its own, gone when it ends."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import redis
from celery import Celery

from autotest import broker, celery, errors, settings
from autotest.models import database, schema
from autotest.settings import Settings

_PATIENCE_S = 60.0


@dataclasses.dataclass(frozen=True)
class Plan:
    """How a bench is run: *runs* times, at *full* size or a small one that only shows that it works.

    *database* is the address of an empty MariaDB or MySQL database; '' means an SQLite file of its own.
    """

    runs: int = 5
    full: bool = True
    database: str = ""


class Installation:
    """One folder with settings, broker and an empty, migrated database."""

    def __init__(self, folder: Path, database_url: str):
        self.folder = folder
        self.settings_file = folder / "autotest.toml"
        lines = {
            "root": str(folder / "root"),
            "broker": f"redis://127.0.0.1:{_free_port()}/0",
            **({"database": database_url} if database_url else {}),
        }
        self.settings_file.touch(mode=0o600)
        text = "".join(f"{key} = {json.dumps(value)}\n" for key, value in lines.items())
        self.settings_file.write_text(text, encoding="utf-8")
        self.settings: Settings = settings.load(self.settings_file, {})
        self.app: Celery = celery.make_app(self.settings)
        self._started: list[subprocess.Popen[bytes]] = []

    def client(self) -> redis.Redis:
        """A client of the broker; the caller closes it."""
        return celery.broker_client(self.app)

    def start(self, name: str, *argv: str) -> subprocess.Popen[bytes]:
        """Start ``python -m ARGV`` with the settings of this installation; its log is ``<name>.log``."""
        return self._start(name, [sys.executable, "-m", *argv])

    def wait(self, what: str, ready: Callable[[], object], seconds: float = _PATIENCE_S) -> None:
        """Wait until *ready*. Raises LabError, with the end of its log, when a process ended or it took too long."""
        last = time.monotonic() + seconds
        while not ready():
            for process in self._started:
                status = process.poll()
                if status is not None:
                    raise errors.LabError(f"a process of the bench ended with status {status}: {self.tail()}")
            if time.monotonic() > last:
                raise errors.LabError(f"{what} did not come within {seconds:g} s: {self.tail()}")
            time.sleep(0.005)

    def wait_for_log(self, name: str, text: str) -> None:
        """Wait until the process *name* wrote *text*."""
        self.wait(name, lambda: text in (self.folder / f"{name}.log").read_text(errors="replace"))

    def tail(self) -> str:
        """The last lines of every log, on one line."""
        found = []
        for log in sorted(self.folder.glob("*.log")):
            lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-5:]
            found.append(f"{log.name}: {' | '.join(lines)}")
        return "; ".join(found)

    def stop(self, process: subprocess.Popen[bytes]) -> None:
        """End a process, as the kernel does when it does not end by itself."""
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process in self._started:
            self._started.remove(process)

    def close(self) -> None:
        """End every process, the last one first."""
        for process in reversed(list(self._started)):
            self.stop(process)

    def start_broker(self) -> None:
        """Start the broker and wait until it answers."""
        binary, file = broker.prepare(self.settings)
        self._start("broker", [binary, str(file)])
        self.wait("the broker", self._broker_answers)

    def _broker_answers(self) -> bool:
        with self.client() as client, contextlib.suppress(redis.exceptions.RedisError):
            return bool(client.ping())
        return False

    def _start(self, name: str, argv: list[str]) -> subprocess.Popen[bytes]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith("AUTOTEST_")}
        with (self.folder / f"{name}.log").open("ab") as log:
            process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**kept, "AUTOTEST_CONFIG": str(self.settings_file)},
                start_new_session=True,
            )
        self._started.append(process)
        return process


@contextlib.contextmanager
def fresh(plan: Plan, with_broker: bool = True) -> Iterator[Installation]:
    """A new installation for the block; its database is open in this process.

    Raises ConfigError when the database of the plan is not empty: a bench never touches anybody's rows.
    """
    with tempfile.TemporaryDirectory(prefix="autotest-bench-", ignore_cleanup_errors=True) as folder:
        made = Installation(Path(folder), plan.database)
        with contextlib.ExitStack() as stack:
            stack.enter_context(_migrated(made.settings))
            # First of all at the end: whoever still works there holds tables that are taken back.
            stack.callback(made.close)
            if with_broker:
                made.start_broker()
            yield made


@contextlib.contextmanager
def _migrated(config: Settings) -> Iterator[None]:
    database.connect(config.database_url)
    with database.connection():
        if database.db.get_tables():
            raise errors.ConfigError(
                f"the database {database.described()} is not empty; give a bench an empty one, which it leaves empty"
            )
        schema.migrate()
    try:
        yield
    finally:
        if not database.is_sqlite():
            with database.connection():
                schema.take_back("zero")
                database.db.execute_sql("DROP TABLE IF EXISTS schema_migration")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
