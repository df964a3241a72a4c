"""The workers as nodes: ``autotest worker run``, ``results``, ``suites`` and ``beat``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from celery import Celery
from pytest_celery import CeleryTestWorker

from nodes.process import Process

#: What each writes when it serves.
_READY = {"run": " ready.", "results": " ready.", "suites": " ready.", "beat": "beat asks for the sweep"}


class WorkerNode(CeleryTestWorker):
    """One ``autotest worker KIND``."""

    def __init__(
        self, kind: str, config: Path | None, settings_file: Path, folder: Path, app: Celery, prefix: str = ""
    ):
        self.kind = kind
        argv = [sys.executable, "-m", "autotest", "worker", kind, *(["--config", str(config)] if config else [])]
        environment = {key: value for key, value in os.environ.items() if not key.startswith("AUTOTEST_")}
        environment |= {"AUTOTEST_CONFIG": str(settings_file), "PYTHONUNBUFFERED": "1", "PYTHONFAULTHANDLER": "1"}
        name = prefix + (f"{kind}-{config.stem}" if config else kind)
        config_of_node = {"broker_url": str(app.conf.broker_url)}
        process = Process(name, argv, folder, environment, lambda it: _READY[kind] in it.fresh_logs(), config_of_node)
        super().__init__(process, app)
        self.container: Process

    @property
    def worker_name(self) -> str:
        return self.container.name

    def fork_server(self) -> int:
        """The pid of its fork server."""
        return next(pid for pid, line in self.container.family().items() if self._is_fork_server(pid, line))

    def children(self) -> list[int]:
        """The pids of the autoserv children that run now: they share the fork server's command line."""
        lines = self.container.family().items()
        return [pid for pid, line in lines if "fork_server" in line and not self._is_fork_server(pid, line)]

    def _is_fork_server(self, pid: int, line: str) -> bool:
        return "fork_server" in line and _parent(pid) == self.container.pid


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
