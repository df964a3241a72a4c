"""Launcher: runs autoserv children from any thread, through a fork server that it starts and replaces."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, Literal, NamedTuple

Cause = Literal["ended", "deadline", "killed", "lost"]
# A fork server that does not end a child in time is not working; then we do it.
_STUCK_S = 2.0

logger = logging.getLogger(__name__)


class ChildEnd(NamedTuple):
    """How a child ended: *exit_code* or *signal*, or neither when it was lost with its fork server.

    *cause*: it ended by itself, it outran its deadline, kill() ended it, or it was lost.
    """

    exit_code: int | None
    signal: int | None
    cause: Cause


_LOST = ChildEnd(None, None, "lost")


@dataclasses.dataclass
class _Running:
    folder: Path
    ended: threading.Event = dataclasses.field(default_factory=threading.Event)
    pid: int | None = None
    end: ChildEnd = _LOST


@dataclasses.dataclass(frozen=True)
class _Server:
    process: subprocess.Popen[bytes]
    wire: socket.socket
    running: dict[int, _Running]


class Launcher:
    """Thread-safe. The fork server dies with this process, and every child with the fork server.

    A fork server that died is replaced by the next run(); its children are killed, and their run() says "lost".
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._server: _Server | None = None
        self._closed = False

    def start(self) -> None:
        """Start the fork server now, before the process has threads; else the first run() does."""
        with self._lock:
            self._live_server()

    def run(self, folder: Path, deadline_s: float | None = None) -> ChildEnd:
        """Run the step of *folder* (its job.json) and wait for the end of the child.

        After *deadline_s* seconds the child stops its DUT and ends. Raises RuntimeError after close().
        """
        running = _Running(folder.absolute())
        number = next(self._numbers)
        with self._lock:
            server = self._live_server()
            server.running[number] = running
            _send(server, {"do": "run", "id": number, "folder": str(running.folder), "deadline_s": deadline_s})
        running.ended.wait()
        return running.end

    def kill(self, folder: Path, grace_s: float = 1.0) -> bool:
        """End the child of *folder*: SIGTERM to its group, SIGKILL after *grace_s*. False when none runs."""
        place = folder.absolute()
        with self._lock:
            server = self._server
            found = [] if server is None else [item for item in server.running.items() if item[1].folder == place]
            for number, _ in found:
                _send(server, {"do": "kill", "id": number, "grace_s": grace_s})
        for _, running in found:
            if not running.ended.wait(grace_s + _STUCK_S) and running.pid is not None:
                _kill_group(running.pid)
        return bool(found)

    def running(self) -> list[Path]:
        """The folders whose child has not ended."""
        with self._lock:
            return [] if self._server is None else [running.folder for running in self._server.running.values()]

    def close(self) -> None:
        """End the fork server and every child; returns when they are gone."""
        with self._lock:
            self._closed = True
            server = self._server
        if server is not None:
            with contextlib.suppress(OSError):
                server.wire.shutdown(socket.SHUT_WR)
            server.process.wait()

    def _live_server(self) -> _Server:
        if self._closed:
            raise RuntimeError("the launcher is closed; it starts no more children")
        if self._server is None:
            ours, theirs = socket.socketpair()
            with theirs:
                process = subprocess.Popen(
                    [sys.executable, "-m", "autotest.server.fork_server", str(theirs.fileno())],
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                )
            self._server = _Server(process, ours, {})
            threading.Thread(target=self._listen, args=(self._server,), name="launcher", daemon=True).start()
        return self._server

    def _listen(self, server: _Server) -> None:
        with contextlib.suppress(ConnectionError), server.wire.makefile("rb") as reports:
            for line in reports:
                self._note(server, json.loads(line))
        with self._lock:
            if self._server is server:
                self._server = None
            orphans = list(server.running.values())
            server.running.clear()
        for orphan in orphans:
            logger.warning("the fork server is gone, and with it the child of %s", orphan.folder)
            if orphan.pid is not None:
                _kill_group(orphan.pid)
            orphan.ended.set()
        server.process.wait()
        server.wire.close()

    def _note(self, server: _Server, report: dict[str, Any]) -> None:
        with self._lock:
            if report["say"] == "began":
                server.running[report["id"]].pid = report["pid"]
                return
            running = server.running.pop(report["id"])
        running.end = ChildEnd(report["exit_code"], report["signal"], report["cause"])
        running.ended.set()


def _send(server: _Server | None, order: dict[str, Any]) -> None:
    # A dead fork server is noticed by the listener, which ends what waits for it.
    if server is not None:
        with contextlib.suppress(OSError):
            server.wire.sendall(json.dumps(order).encode() + b"\n")


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
