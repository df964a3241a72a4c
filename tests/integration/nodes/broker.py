"""The broker as a node: the embedded Valkey server with its append-only file, killed and started at will."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import redis
from pytest_celery import CeleryTestBroker

from autotest import broker
from autotest.settings import Settings
from nodes.process import Process


class BrokerNode(CeleryTestBroker):
    """A real broker in a process of its own; :attr:`url` goes straight to it."""

    def __init__(self, settings: Settings, folder: Path, port: int):
        self.port = port
        self.url = f"redis://127.0.0.1:{port}/0"
        argv = [str(word) for word in broker.prepare(settings)]
        config = {"url": self.url, "host_url": self.url}
        super().__init__(Process("broker", argv, folder, os.environ, self._answers, config))

    def client(self) -> redis.Redis:
        """A client of its own; the caller closes it."""
        return redis.Redis(port=self.port, socket_timeout=5)

    def _answers(self, _: Process) -> bool:
        try:
            with self.client() as client:
                return bool(client.ping())
        except redis.RedisError:
            # It still loads its file, or does not listen yet.
            return False


def free_port() -> int:
    """A port of this machine that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
