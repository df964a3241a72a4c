"""The demo's installation: one folder with settings, broker, database, simulated DUTs, a build, logs and results."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
import socket
import time
from collections.abc import Callable
from importlib import resources
from pathlib import Path

import redis

from autotest import errors
from autotest.demo import processes
from autotest.demo.processes import Crew

BUILD = "demo-1"
BOARDS = ("pi4", "x86box")
POOL = "suites"
_MARK = ".autotest-demo"
_PATIENCE_S = 30.0


class Installation:
    """One folder with everything. Made anew; a folder that is not a demo's own is left alone."""

    def __init__(self, folder: Path, tests: Path):
        self.folder = folder.absolute()
        self.tests = tests.absolute()
        self.settings_file = self.folder / "autotest.toml"
        self.results = self.folder / "root" / "results"
        self.logs = self.folder / "logs"
        self.flower_port = _free_port()
        self._broker_port = _free_port()
        self._password = secrets.token_urlsafe(16)

    @property
    def flower(self) -> str:
        return f"http://127.0.0.1:{self.flower_port}"

    @property
    def environment(self) -> dict[str, str]:
        """The environment of every process of this installation."""
        foreign = {name for name in os.environ if name.startswith("AUTOTEST_")}
        kept = {name: value for name, value in os.environ.items() if name not in foreign}
        return {**kept, "AUTOTEST_CONFIG": str(self.settings_file)}

    def lay_out(self) -> None:
        """Make the folder, write the settings and stage the build.

        Raises ConfigError when the folder is somebody else's, or when there are no tests to stage.
        """
        for name in ("control", "test_suites"):
            if not (self.tests / name).is_dir():
                raise errors.ConfigError(f"{self.tests} holds no {name}/; run the demo in a checkout, or give --tests")
        self._take_folder()
        staged = self.folder / "root" / "builds" / BUILD
        for name in ("control", "test_suites"):
            shutil.copytree(self.tests / name, staged / name)
        self.settings_file.touch(mode=0o600)
        self.settings_file.write_text(
            f"root = {json.dumps(str(self.folder / 'root'))}\n"
            f'broker = "redis://:{self._password}@127.0.0.1:{self._broker_port}/0"\n',
            encoding="utf-8",
        )

    def release(self) -> None:
        """Let go of the folder."""
        self._lock.close()

    def start(self, crew: Crew) -> None:
        """Start every process. Raises LabError when one does not come up."""
        crew.start("broker", "broker")
        fleet = self.folder / "fleet"
        scenario = resources.files("autotest.sim") / "demo.toml"
        crew.start("sim", "sim", "up", "--duts", "8", "--scenario", str(scenario), "--dir", str(fleet))
        processes.run(self.environment, "db", "migrate")
        self._wait(crew, "the broker", self._broker_answers)
        lab = fleet / "lab.toml"
        self._wait(crew, "the simulated fleet", lab.is_file)
        crew.start("suites", "worker", "suites")
        crew.start("results", "worker", "results", "--config", str(lab))
        crew.start("lab", "worker", "run", "--config", str(lab))
        crew.start("beat", "worker", "beat")
        crew.start("flower", "flower", "--port", str(self.flower_port))

    def _take_folder(self) -> None:
        mark = self.folder / _MARK
        if self.folder.exists() and any(self.folder.iterdir()) and not mark.is_file():
            raise errors.ConfigError(f"{self.folder} is not empty and not a demo's; give another --dir")
        self.folder.mkdir(parents=True, exist_ok=True)
        # Goes with this process, whatever ends it.
        self._lock = mark.open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as problem:
            raise errors.ConfigError(f"a demo runs in {self.folder}; stop it, or give another --dir") from problem
        for child in self.folder.iterdir():
            if child.is_dir() and not child.is_symlink():
                shutil.rmtree(child)
            elif child != mark:
                child.unlink()

    def _wait(self, crew: Crew, what: str, ready: Callable[[], bool]) -> None:
        last = time.monotonic() + _PATIENCE_S
        while not ready():
            crew.check()
            if time.monotonic() > last:
                raise errors.LabError(f"{what} did not come up within {_PATIENCE_S:g} s; see {self.logs}")
            time.sleep(0.05)

    def _broker_answers(self) -> bool:
        client = redis.Redis(port=self._broker_port, password=self._password, socket_timeout=2)
        try:
            return bool(client.ping())
        except redis.exceptions.RedisError:
            return False
        finally:
            client.close()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
