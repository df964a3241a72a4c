"""The ``installation`` fixture: SQLite, builds and a broker in memory for each test; the API works on it."""

from __future__ import annotations

import contextlib
import datetime
import shutil
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from celery import Celery

from autotest import api, api_session, celery
from autotest.models import database, schema
from autotest.models.afe import Host, HostQueueEntry, Job, SpecialTask, User
from autotest.models.lab import Lab, Lease
from autotest.scheduler import hosts, users, wakes
from autotest.settings import Settings

CONTROL = """AUTHOR = 'The Autotest team'
NAME = '{name}'
TIME = 'FAST'
TEST_TYPE = 'client'
TEST_CLASS = 'smoke'
TEST_CATEGORY = 'Functional'
ATTRIBUTES = 'suite:smoke'
DEPENDENCIES = '{needs}'
DOC = 'Sleeps.'
job.run_test('{name}')
"""


class Installation:
    """Builders of the rows a test is about, and what the broker was told."""

    def __init__(self, root: Path, app: Celery):
        self.settings = Settings(root=root, broker=str(app.conf.broker_url))
        self.celery = app

    def build(self, name: str = "pi4-release/R1-1.0", suite: str = "smoke", text: str | bytes = "# smoke\n") -> str:
        """A staged build with one suite file; returns its name."""
        folder = self.settings.builds_dir / name / "test_suites"
        folder.mkdir(parents=True)
        (folder / f"control.{suite}").write_bytes(text if isinstance(text, bytes) else text.encode())
        return name

    def test(self, name: str, needs: str = "", build: str = "pi4-release/R1-1.0") -> Path:
        """A control file in the build."""
        path = self.settings.builds_dir / build / "control" / name / "control"
        path.parent.mkdir(parents=True)
        path.write_text(CONTROL.format(name=name, needs=needs))
        return path

    def lab(self, name: str = "desk", silent_s: float | None = 1) -> Lab:
        """A lab whose worker was seen *silent_s* seconds ago."""
        seen = None if silent_s is None else database.utc_now() - datetime.timedelta(seconds=silent_s)
        with database.connection():
            lab, _ = Lab.get_or_create(name=name)
            Lab.update(seen_at=seen, incarnation=1).where(Lab.id == lab.id).execute()
        return lab

    def host(
        self, hostname: str, labels: Iterable[str] = ("board:pi4",), lab: str | None = "desk", **columns: Any
    ) -> Host:
        """A Ready host; *columns* say otherwise."""
        api.add_host(hostname, labels)
        row = self.lab(lab) if lab is not None else None
        with database.connection():
            Host.update(lab=row, **columns).where(Host.hostname == hostname).execute()
            return hosts.named(hostname)

    def lease(self, hostname: str, job_id: int | None = None, step: str = "run_test") -> Lease:
        """An open lease of the host for the entry of a job."""
        with database.connection():
            host = hosts.named(hostname)
            entry = HostQueueEntry.get_or_none(HostQueueEntry.job == job_id)
            if entry is not None:
                HostQueueEntry.update(host=host, active=True, status="Running").where(
                    HostQueueEntry.id == entry.id
                ).execute()
            return Lease.create(host=host, lab=host.lab, incarnation=1, entry=entry, step=step)

    def task(self, hostname: str, kind: str = "Verify", **columns: Any) -> SpecialTask:
        """A task of the host."""
        with database.connection():
            return SpecialTask.create(
                host=hosts.named(hostname), task=kind, requested_by=users.named("alice"), **columns
            )

    def superuser(self, login: str) -> None:
        """A user who may use every host."""
        with database.connection():
            users.named(login)
            User.update(access_level=100).where(User.login == login).execute()

    def job(self, job_id: int) -> Job:
        """The row of a job."""
        with database.connection():
            return Job.get_by_id(job_id)

    def entries(self, job_id: int) -> list[HostQueueEntry]:
        """The entries of a job."""
        with database.connection():
            return list(HostQueueEntry.select().where(HostQueueEntry.job == job_id).order_by(HostQueueEntry.id))

    def ended(self, job_id: int, status: str = "Completed") -> None:
        """Let a job's entries end."""
        with database.connection():
            HostQueueEntry.update(status=status, complete=True, active=False).where(
                HostQueueEntry.job == job_id
            ).execute()

    def messages(self, queue: str = wakes.SUITES_QUEUE) -> int:
        """How many messages the broker holds in *queue*; they are thrown away."""
        with self.celery.connection_for_read() as connection:
            return int(connection.default_channel.queue_purge(queue) or 0)


@pytest.fixture(scope="session")
def _migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("migrated") / "autotest.db"
    database.connect(f"sqlite:///{path}")
    with database.connection():
        schema.migrate()
        database.db.execute_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


@pytest.fixture(scope="session")
def memory_broker() -> Celery:
    """A Celery app whose broker is this process."""
    return celery.make_app(Settings(broker="memory://"))


@pytest.fixture
def installation(
    tmp_path: Path, _migrated: Path, memory_broker: Celery, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Installation]:
    """An installation below tmp_path; the API works on it."""
    root = tmp_path / "installation"
    root.mkdir()
    shutil.copy(_migrated, root / "autotest.db")
    monkeypatch.setenv("AUTOTEST_ROOT", str(root))
    monkeypatch.setenv("LOGNAME", "ann")
    made = Installation(root, memory_broker)
    api.bind(made.settings, memory_broker)
    made.messages()
    # While a connection stays open, closing the others does not write the whole log back to the file.
    with contextlib.closing(sqlite3.connect(root / "autotest.db")) as kept:
        kept.execute("SELECT login FROM afe_users").fetchall()
        yield made
    monkeypatch.setattr(api_session, "_bound", None)
