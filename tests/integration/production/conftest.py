"""``lab`` on production parts: MariaDB, Debian's redis-server with a password, and three machines behind OpenSSH."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

import pytest
import redis
from nodes.installation import BUILD, Installation, Plan
from nodes.process import Process
from pytest_celery import CeleryBrokerCluster, CeleryTestBroker
from servers.databases import Databases
from servers.openssh import OpenSSH
from servers.redis import Redis

from autotest.sim import fleet

_LABELS = {
    "rack1-host1": {"board:pi4", "pool:suites"},
    "rack1-host2": {"board:pi4", "pool:suites", "bluetooth"},
    "rack1-host3": {"board:pi4", "pool:suites", "camera"},
}
# Leaves a number, a text and an attribute, with characters of every length.
_MEASURES = """
from autotest.client import test
class measures(test.test):
    version = 1
    def run_once(self):
        self.write_perf_keyval({"speed": 12.5, "distance": 3})
        self.write_attr_keyval({"colour": "gr\u00fcn"})
        self.write_test_keyval({"face": "\U0001f600"})
"""


class Machines:
    """The machines of the lab, in the place of a simulated fleet."""

    def __init__(self, machines: list[OpenSSH]):
        self.machines = machines

    @property
    def hosts(self) -> list[fleet.HostInfo]:
        return [machine.info for machine in self.machines]


class ProductionInstallation(Installation):
    """All addresses stand in one settings file, and each password in a file of its own."""

    def __init__(self, folder: Path, machines: Machines, broker: Redis, database: str):
        self._database = database
        self._redis = broker
        #: Stands where the embedded database would be, and must stay empty.
        self.embedded = folder / "nothing.db"
        self.embedded.touch()
        super().__init__(folder, Plan(), machines, self.embedded)
        self.embedded = self.settings.root_dir / "autotest.db"

    def _write_settings(self, broker: str) -> None:
        super()._write_settings(_without_password(self._redis.url))
        lines = [f"database = {json.dumps(_without_password(self._database))}"]
        for name, url in (("broker", self._redis.url), ("database", self._database)):
            secret = self.folder / f"{name}.password"
            secret.touch(mode=0o600)
            secret.write_text(unquote(urlsplit(url).password or "") + "\n")
            lines.append(f"{name}_password_file = {json.dumps(str(secret))}")
        with self.settings_file.open("a") as file:
            file.write("\n".join(lines) + "\n")

    def _write_build(self) -> None:
        super()._write_build()
        folder = self.settings.builds_dir / BUILD / "control" / "measures"
        folder.mkdir()
        (folder / "measures.py").write_text(_MEASURES)


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    user, _, place = parts.netloc.rpartition("@")
    user = user.partition(":")[0]
    return urlunsplit(parts._replace(netloc=f"{user}@{place}" if user else place))


class RedisNode(CeleryTestBroker):
    """Redis, started and stopped with the installation."""

    def __init__(self, redis_server: Redis, folder: Path):
        self._url = redis_server.url
        config = {"url": self._url, "host_url": self._url}
        super().__init__(Process("redis", redis_server.argv, folder, os.environ, self._answers, config))

    def _answers(self, _: Process) -> bool:
        try:
            with redis.Redis.from_url(self._url) as client:
                return bool(client.ping())
        except redis.RedisError:
            # It does not listen yet.
            return False


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[list[OpenSSH]]:
    with contextlib.ExitStack() as stack:
        made = []
        for hostname, labels in _LABELS.items():
            (tmp_path / hostname).mkdir()
            made.append(OpenSSH(hostname, labels, tmp_path / hostname))
            stack.callback(made[-1].remove)
            made[-1].server.start()
        yield made


@pytest.fixture
def redis_server(tmp_path: Path) -> Redis:
    return Redis(tmp_path / "redis")


@pytest.fixture
def installation(
    tmp_path: Path, machines: list[OpenSSH], redis_server: Redis, databases_of: Callable[[str], Databases]
) -> Iterator[Installation]:
    url = databases_of("mysql").migrated()
    yield ProductionInstallation(tmp_path, Machines(machines), redis_server, url)
    databases_of("mysql").drop(url)


@pytest.fixture
def celery_broker_cluster(installation: Installation, redis_server: Redis) -> Iterator[CeleryBrokerCluster]:
    node = RedisNode(redis_server, installation.folder)
    cluster = CeleryBrokerCluster(node)
    try:
        node.container.start()
        node.ready()
        yield cluster
    finally:
        cluster.teardown()
        node.teardown()
