"""Flower as a process of its own, beside a real broker and a migrated database that tests fill with rows."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import shutil
import socket
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from email.message import Message
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from nodes.broker import BrokerNode, free_port
from nodes.lab import Lab as RunningLab
from nodes.process import READY_S, Process
from nodes.waiting import until

from autotest import celery, settings
from autotest.models import database
from autotest.models.afe import Host, HostLabel, HostQueueEntry, Job, User
from autotest.models.lab import Lab, Lease
from autotest.scheduler import labels
from autotest.settings import Settings


class Answer(NamedTuple):
    """What Flower said."""

    code: int
    headers: Message
    body: str


class Rows:
    """Writes rows of a lab in which nothing moves by itself."""

    def __init__(self, config: Settings):
        self._results = config.results_dir
        self.now = database.utc_now()
        # The worker of this lab will have been seen just now for as long as any test lasts.
        self.lab = Lab.create(name="rack1", incarnation=1, seen_at=self.now + datetime.timedelta(days=1))

    def hosts(self, count: int, board: str = "pi4", **columns: Any) -> list[Host]:
        """So many hosts ``<board>-host<number>`` that carry ``board:<board>``."""
        first = Host.select().count()
        with database.transaction():
            label = labels.rows_for([f"board:{board}"])[f"board:{board}"]
            made = [
                Host.create(hostname=f"{board}-host{first + number + 1}", lab=self.lab, **columns)
                for number in range(count)
            ]
            HostLabel.insert_many([{"host": host.id, "label": label} for host in made]).execute()
        return made

    def run(self, host: Host, test: str = "sleeptest") -> Lease:
        """A test that runs on the host, with its results folder."""
        with database.transaction():
            job = Job.create(name=f"build/suite/{test}", owner="ann")
            entry = HostQueueEntry.create(job=job, host=host, status="Running", active=True)
            lease = Lease.create(host=host, lab=host.lab, incarnation=1, entry=entry, step="run_test")
            Host.update(status="Running").where(Host.id == host.id).execute()
        folder = self._results / job.tag / ".runs" / str(lease.id)
        folder.mkdir(parents=True)
        (folder / "status.log").write_text("START\t<script>alert(1)</script>\n")
        (folder / "job.json").write_text('{"power_command": "with a password"}')
        return lease

    def end(self, lease: Lease, status: str = "Completed") -> None:
        """The test ended."""
        now = database.utc_now()
        with database.transaction():
            HostQueueEntry.update(
                status=status, active=False, complete=True, finished_on=now, execution_subdir=lease.host.hostname
            ).where(HostQueueEntry.id == lease.entry_id).execute()
            Lease.update(released_at=now).where(Lease.id == lease.id).execute()
            Host.update(status="Ready").where(Host.id == lease.host_id).execute()

    def queue(self, needs: list[str], entries: int = 1, priority: int = 40) -> None:
        """Entries that wait for a host with these labels."""
        queue = labels.queue_of(needs)
        with database.transaction():
            labels.register(queue)
            for _ in range(entries):
                job = Job.create(name="build/suite/sleeptest", owner="ann", priority=priority)
                HostQueueEntry.create(job=job, queue_key=queue.key, priority=priority)

    def lock(self, host: Host, reason: str) -> None:
        """Somebody locked the host."""
        ann, _ = User.get_or_create(login="ann")
        Host.update(locked=True, locked_by=ann, lock_reason=reason).where(Host.id == host.id).execute()


class Flower:
    """``autotest flower`` in a process of its own."""

    def __init__(self, settings_file: Path, folder: Path, password: str = "", prefix: str = ""):
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AUTOTEST_", "FLOWER_"))}
        environment = {**kept, "AUTOTEST_CONFIG": str(settings_file)}
        if password:
            environment["AUTOTEST_FLOWER_PASSWORD"] = password
        if prefix:
            environment["FLOWER_URL_PREFIX"] = prefix
        argv = [sys.executable, "-m", "autotest", "flower", "--port", str(self.port)]
        self.process = Process("flower", argv, folder, environment, self._listens, {})

    def get(self, path: str, **headers: str) -> Answer:
        """GET *path*; headers by name, with ``_`` for ``-``."""
        request = urllib.request.Request(
            self.url + path, headers={name.replace("_", "-"): value for name, value in headers.items()}
        )
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return Answer(answer.status, answer.headers, answer.read().decode(errors="replace"))
        except urllib.error.HTTPError as answer:
            with answer:
                return Answer(answer.code, answer.headers, answer.read().decode(errors="replace"))

    def data(self, query: str = "") -> dict[str, Any]:
        """What the page fetches to stay up to date."""
        answer = self.get(f"/lab/data{query}")
        assert answer.code == 200, answer.body
        return json.loads(answer.body)

    def _listens(self, _: Process) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False


@contextlib.contextmanager
def _running(flower: Flower) -> Iterator[Flower]:
    flower.process.start()
    try:
        flower.process.ready()
        yield flower
    finally:
        flower.process.teardown()


@pytest.fixture
def settings_file(tmp_path: Path, migrated: Path) -> Path:
    """The settings of an installation with nothing in it."""
    (tmp_path / "root").mkdir()
    shutil.copy(migrated, tmp_path / "root" / "autotest.db")
    file = tmp_path / "autotest.toml"
    file.write_text(f'root = "{tmp_path / "root"}"\nbroker = "redis://127.0.0.1:{free_port()}/0"\n')
    return file


@pytest.fixture
def config(settings_file: Path) -> Settings:
    return settings.load(settings_file, {})


@pytest.fixture
def rows(config: Settings) -> Iterator[Rows]:
    """The database of the installation, open in this process."""
    database.connect(config.database_url)
    with database.connection():
        yield Rows(config)


@pytest.fixture
def broker(config: Settings, tmp_path: Path) -> Iterator[BrokerNode]:
    node = BrokerNode(config, tmp_path, int(config.broker.rpartition(":")[2].partition("/")[0]))
    node.container.start()
    try:
        node.ready()
        yield node
    finally:
        node.teardown()


@pytest.fixture
def flower(settings_file: Path, tmp_path: Path, broker: BrokerNode) -> Iterator[Flower]:
    with _running(Flower(settings_file, tmp_path)) as flower:
        yield flower


@pytest.fixture
def password() -> str:
    return "a password: with, signs"


@pytest.fixture
def flower_with_a_password(settings_file: Path, tmp_path: Path, broker: BrokerNode, password: str) -> Iterator[Flower]:
    with _running(Flower(settings_file, tmp_path, password)) as flower:
        yield flower


@pytest.fixture
def flower_behind_a_proxy(settings_file: Path, tmp_path: Path, broker: BrokerNode) -> Iterator[Flower]:
    """Flower below ``/flower``."""
    with _running(Flower(settings_file, tmp_path, prefix="flower")) as flower:
        yield flower


@pytest.fixture
def flower_of_the_lab(lab: RunningLab) -> Iterator[Flower]:
    """Flower beside a whole installation that runs; it has heard of the lab's worker, so it sees what happens there."""
    with _running(Flower(lab.installation.settings_file, lab.installation.folder)) as flower:
        until(lambda: '"lab.' in flower.get("/workers?json=1").body, READY_S, "Flower hears the events of the lab")
        yield flower


@pytest.fixture
def flower_alone(settings_file: Path, tmp_path: Path) -> Iterator[Flower]:
    """Flower without a broker."""
    with _running(Flower(settings_file, tmp_path)) as flower:
        yield flower
        # Its threads would try the broker for a while yet.
        flower.process.kill()


@pytest.fixture
def tell_started(config: Settings, broker: BrokerNode) -> Iterator[Any]:
    """Says to Flower, as a worker does, that a task started."""
    app = celery.make_app(config)

    def tell(uuid: str, name: str, text: str) -> None:
        with broker.client() as client:
            until(client.pubsub_numpat, READY_S, "Flower listens to events")
        with app.connection_for_write() as connection, app.events.Dispatcher(connection, "rack1@here") as dispatcher:
            dispatcher.send("worker-online", sw_ident="autotest")
            dispatcher.send("task-received", uuid=uuid, name=name, args=text, kwargs="{}")
            dispatcher.send("task-started", uuid=uuid)

    yield tell
    app.close()
