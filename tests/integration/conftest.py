"""The harness: pytest-celery on local processes. ``lab`` is a whole installation of its own, up in seconds.

A simulated fleet in a thread, a copy of a migrated database, a build of two tests, a real broker and the four kinds
of workers. ``@pytest.mark.lab(...)`` says what a test asks of it: see nodes.installation.Plan.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from celery import Celery
from pytest_celery import CeleryBrokerCluster, CeleryTestSetup, CeleryWorkerCluster

sys.path.insert(0, str(Path(__file__).parent))

from nodes.broker import BrokerNode
from nodes.installation import Installation, Plan
from nodes.lab import Lab
from nodes.proxy import Proxy
from nodes.settled import WITNESS
from nodes.workers import WorkerNode

from autotest import api, api_session, celery
from autotest.models import database, schema
from autotest.sim import fleet


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "lab(**plan): what the test asks of its lab (nodes.installation.Plan)")


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with every migration applied, to be copied."""
    path = tmp_path_factory.mktemp("template") / "autotest.db"
    database.connect(f"sqlite:///{path}")
    with database.connection():
        schema.migrate()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        for statement in WITNESS:
            connection.execute(statement)
        connection.commit()
        # Nothing may stay in a side file that would not be copied.
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


@pytest.fixture
def plan(request: pytest.FixtureRequest) -> Plan:
    marker = request.node.get_closest_marker("lab")
    return Plan(**marker.kwargs) if marker else Plan()


@pytest.fixture
def installation(tmp_path: Path, plan: Plan, migrated: Path) -> Iterator[Installation]:
    with fleet.running(tmp_path / "fleet", plan.specs()) as running:
        yield Installation(tmp_path, plan, running, migrated)


@pytest.fixture
def celery_broker_cluster(installation: Installation) -> Iterator[CeleryBrokerCluster]:
    node = BrokerNode(installation.settings, installation.folder, installation.broker_port)
    cluster = CeleryBrokerCluster(node)
    try:
        node.container.start()
        node.ready()
        yield cluster
    finally:
        cluster.teardown()
        node.teardown()


@pytest.fixture
def celery_backend_cluster() -> None:
    """There is none: results are rows."""


@pytest.fixture
def proxy(installation: Installation, celery_broker_cluster: CeleryBrokerCluster, plan: Plan) -> Iterator[Proxy | None]:
    """What stands between the workers and the broker, if the plan wants something there."""
    if plan.disturbance is None:
        yield None
        return
    with Proxy(celery_broker_cluster[0].port, plan.disturbance).running() as proxy:
        installation.send_through(proxy.url)
        yield proxy


@pytest.fixture
def celery_setup_app(
    installation: Installation,
    celery_broker_cluster: CeleryBrokerCluster,
    proxy: Proxy | None,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Celery]:
    """The product's own app, bound to this installation for the test's process too."""
    app = celery.make_app(installation.settings)
    if proxy is not None:
        app.conf.broker_url = proxy.url
    monkeypatch.setattr(celery, "app", app)
    yield app
    app.close()


@pytest.fixture
def celery_worker_cluster(
    installation: Installation, celery_setup_app: Celery, proxy: Proxy | None
) -> Iterator[CeleryWorkerCluster]:
    wanted = [(kind, lab) for lab in installation.lab_files for kind in ("run", "results")]
    nodes = [
        WorkerNode(kind, lab, installation.settings_file, installation.folder, celery_setup_app)
        for kind, lab in [*wanted, ("suites", None), ("beat", None)]
    ]
    try:
        for node in nodes:
            node.container.start()
        cluster = CeleryWorkerCluster(*nodes)
        assert cluster.ready()
        yield cluster
    finally:
        _take_down(nodes)


@pytest.fixture
def lab(
    celery_setup: CeleryTestSetup,
    installation: Installation,
    celery_setup_app: Celery,
    monkeypatch: pytest.MonkeyPatch,
) -> Lab:
    """A whole installation that runs, and that the API works on."""
    monkeypatch.setattr(api_session, "_bound", None)
    api.bind(installation.settings, celery_setup_app)
    return Lab(installation, celery_setup)


def _take_down(nodes: list[WorkerNode]) -> None:
    """End all at once, and see that nothing is left of any."""
    problems = []

    def end(node: WorkerNode) -> None:
        try:
            node.teardown()
        except AssertionError as problem:
            problems.append(str(problem))

    with concurrent.futures.ThreadPoolExecutor(len(nodes)) as pool:
        list(pool.map(end, nodes))
    assert not problems, "\n".join(problems)
