"""The fork server: one thread, everything imported, no connection; it forks one autoserv child for each order.

Started by exec, so that it holds nothing of its parent but one socket. Orders and reports are JSON lines:

    -> {"do": "run", "id": 7, "folder": "...", "deadline_s": 3600.0}      <- {"say": "began", "id": 7, "pid": 4711}
    -> {"do": "kill", "id": 7, "grace_s": 1.0}                            <- {"say": "ended", "id": 7, "exit_code": 0,
                                                                              "signal": null, "cause": "ended"}

Only this thread forks, because PDEATHSIG fires when the forking *thread* ends. When the socket closes, the parent is
gone: every child's group gets SIGTERM, so that it can stop its DUT, and SIGKILL a second later.
"""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import gc
import json
import os
import select
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any

from autotest.server import autoserv

_PR_SET_PDEATHSIG = 1
# A child ends itself at its deadline; if it cannot any more, we do it so much later.
_OVERTIME_S = 3.0
_LAST_GRACE_S = 1.0
_libc = ctypes.CDLL(None, use_errno=True)


@dataclasses.dataclass
class _Child:
    order: int
    pid: int
    deadline: float | None
    killed: bool = False
    kill_at: float | None = None

    def cause(self, now: float) -> str:
        if self.killed:
            return "killed"
        return "deadline" if self.deadline is not None and now >= self.deadline else "ended"


class ForkServer:
    """Serves one socket until its other end closes."""

    def __init__(self, wire: socket.socket):
        self._wire = wire
        self._children: dict[int, _Child] = {}
        self._unread = b""
        self._bell, self._clapper = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def serve(self) -> None:
        """Take orders until the parent is gone, then end every child."""
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.set_wakeup_fd(self._clapper, warn_on_full_buffer=False)
        poll = select.poll()
        poll.register(self._wire, select.POLLIN)
        poll.register(self._bell, select.POLLIN)
        while True:
            for file, _ in poll.poll(self._patience_ms()):
                if file == self._bell:
                    os.read(self._bell, 4096)
                elif not self._take_orders():
                    self._end_all()
                    return
            self._reap()
            self._kill_overdue()

    def _take_orders(self) -> bool:
        try:
            data = self._wire.recv(65536)
        except ConnectionError:
            data = b""
        if not data:
            return False
        *lines, self._unread = (self._unread + data).split(b"\n")
        for line in lines:
            order = json.loads(line)
            if order["do"] == "run":
                self._fork(order)
            else:
                self._terminate(order)
        return True

    def _fork(self, order: dict[str, Any]) -> None:
        deadline_s = order["deadline_s"]
        deadline = None if deadline_s is None else time.monotonic() + deadline_s
        parent = os.getpid()
        try:
            pid = os.fork()
        except OSError:
            self._report(say="ended", id=order["id"], exit_code=None, signal=None, cause="lost")
            return
        if pid == 0:
            self._become_child(parent, Path(order["folder"]), deadline_s)
        with contextlib.suppress(OSError):
            os.setpgid(pid, pid)
        self._children[pid] = _Child(order["id"], pid, deadline)
        self._report(say="began", id=order["id"], pid=pid)

    def _become_child(self, parent: int, folder: Path, deadline_s: float | None) -> None:
        status = 1
        try:
            os.setpgid(0, 0)
            _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:
                os._exit(1)
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_DFL)
            for file in (self._bell, self._clapper):
                os.close(file)
            self._wire.close()
            _point_stdio_at(folder)
            status = autoserv.run_folder(folder, deadline_s)
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            with contextlib.suppress(BaseException):
                sys.stderr.flush()
            os._exit(status)

    def _terminate(self, order: dict[str, Any]) -> None:
        for child in self._children.values():
            if child.order == order["id"] and not child.killed:
                child.killed = True
                child.kill_at = time.monotonic() + order["grace_s"]
                _signal_group(child.pid, signal.SIGTERM)

    def _reap(self) -> None:
        """Report children that ended. What is left of a child's group is killed while its number is still its own."""
        for pid, child in list(self._children.items()):
            if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                continue
            _signal_group(pid, signal.SIGKILL)
            _, status = os.waitpid(pid, 0)
            del self._children[pid]
            signalled = os.WIFSIGNALED(status)
            self._report(
                say="ended",
                id=child.order,
                exit_code=None if signalled else os.WEXITSTATUS(status),
                signal=os.WTERMSIG(status) if signalled else None,
                cause=child.cause(time.monotonic()),
            )

    def _kill_overdue(self) -> None:
        now = time.monotonic()
        for child in self._children.values():
            if now >= self._limit(child):
                _signal_group(child.pid, signal.SIGKILL)

    def _limit(self, child: _Child) -> float:
        moments = [child.kill_at, None if child.deadline is None else child.deadline + _OVERTIME_S]
        return min((moment for moment in moments if moment is not None), default=float("inf"))

    def _patience_ms(self) -> float | None:
        soonest = min(map(self._limit, self._children.values()), default=float("inf"))
        return None if soonest == float("inf") else max(10.0, 1000 * (soonest - time.monotonic()))

    def _report(self, **words: Any) -> None:
        # A parent that is gone is noticed by the next read.
        with contextlib.suppress(ConnectionError):
            self._wire.sendall(json.dumps(words).encode() + b"\n")

    def _end_all(self) -> None:
        for child in self._children.values():
            child.killed = True
            _signal_group(child.pid, signal.SIGTERM)
        limit = time.monotonic() + _LAST_GRACE_S
        while self._children and (left := limit - time.monotonic()) > 0:
            select.select([self._bell], [], [], left)
            with contextlib.suppress(BlockingIOError):
                os.read(self._bell, 4096)
            self._reap()
        for pid in self._children:
            _signal_group(pid, signal.SIGKILL)


def _signal_group(pid: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def _point_stdio_at(folder: Path) -> None:
    (folder / "debug").mkdir(exist_ok=True)
    null = os.open(os.devnull, os.O_RDONLY)
    console = os.open(folder / "debug" / "autoserv.console", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    for source, target in ((null, 0), (console, 1), (console, 2)):
        os.dup2(source, target)
    os.close(null)
    os.close(console)


def main() -> None:
    """``python -m autotest.server.fork_server FD``: serve the socket that the parent left at FD."""
    wire = socket.socket(fileno=int(sys.argv[1]))
    wire.set_inheritable(False)
    autoserv.preload()
    gc.freeze()
    ForkServer(wire).serve()


if __name__ == "__main__":
    main()
