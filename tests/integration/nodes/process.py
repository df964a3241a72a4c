"""Process: one local process that looks to pytest-celery like a container."""

from __future__ import annotations

import contextlib
import os
import signal as signals
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from nodes.waiting import until

READY_S = 30.0
_POLITE_S = 8.0
_GONE_S = 5.0
_DUMP_S = 1.0


class Process:
    """A process in a session of its own. Its output is kept over restarts.

    *is_ready* gets this object; what it sees of :meth:`fresh_logs` was written since the last start.
    """

    def __init__(
        self,
        name: str,
        argv: list[str],
        folder: Path,
        environment: Mapping[str, str],
        is_ready: Callable[[Process], bool],
        config: dict[str, str],
    ):
        self.name = name
        self.celeryconfig = config
        self._argv = argv
        self._environment = dict(environment)
        self._is_ready = is_ready
        self._log = folder / f"{name}.log"
        self._log.touch()
        self._offset = 0
        self._running: subprocess.Popen[bytes] | None = None
        self._sessions: list[int] = []

    @property
    def id(self) -> str:
        return self.name

    @property
    def pid(self) -> int:
        """The number of the process that was started last."""
        return self._sessions[-1]

    @property
    def status(self) -> str:
        """``running`` or ``exited``, in Docker's words; ``created`` before the first start."""
        if self._running is None:
            return "created"
        return "running" if self._running.poll() is None else "exited"

    def start(self) -> None:
        """Start it; :meth:`ready` waits for it."""
        self._offset = self._log.stat().st_size
        with self._log.open("ab") as log:
            self._running = subprocess.Popen(
                self._argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
                start_new_session=True,
            )
        self._sessions.append(self._running.pid)

    def ready(self) -> bool:
        """True once it is ready. Raises AssertionError with the end of its log when that does not come, or it ends."""
        until(
            lambda: self.status == "exited" or self._is_ready(self),
            READY_S,
            lambda: f"{self.name} is ready; its log ends\n{self._last_words()}",
        )
        assert self.status == "running", f"{self.name} ended instead of starting:\n{self.logs()[-2000:]}"
        return True

    def logs(self) -> str:
        """Everything it wrote."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    def fresh_logs(self) -> str:
        """What it wrote since its last start."""
        return self._log.read_bytes()[self._offset :].decode("utf-8", "replace")

    def kill(self, signal: str | int = "SIGKILL") -> None:
        """Send it a signal; for SIGKILL, wait for its end."""
        number = signals.Signals[signal] if isinstance(signal, str) else signals.Signals(signal)
        assert self._running is not None
        self._running.send_signal(number)
        if number is signals.SIGKILL:
            self._running.wait(_GONE_S)

    def reload(self) -> None:
        """A process has nothing to look up."""

    def restart(self, timeout: float = READY_S) -> None:
        """End it if it runs, start it again and wait until it is ready."""
        self.stop()
        self.start()
        self.ready()

    def stop(self) -> bool:
        """End it as an operator does, and as the kernel does when that takes too long: False then."""
        if self._running is None:
            return True
        if self._running.poll() is None:
            self._running.send_signal(signals.SIGCONT)
            self._running.terminate()
        try:
            self._running.wait(_POLITE_S)
        except subprocess.TimeoutExpired:
            self._last_words()
            return False
        return True

    def teardown(self) -> None:
        """End it. Raises AssertionError when it does not end by itself, or a process of its sessions outlives it."""
        is_polite = self.stop()
        try:
            assert is_polite, f"{self.name} did not end within {_POLITE_S:g} s of SIGTERM:\n{self.logs()[-6000:]}"
            until(lambda: not self.family(), _GONE_S, lambda: f"{self.name} leaves no process; {self.family()} live")
        finally:
            for pid in self.family():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signals.SIGKILL)

    def _last_words(self) -> str:
        """End it in a way that makes Python write where each thread stands. Returns the end of its log."""
        assert self._running is not None
        self._running.send_signal(signals.SIGABRT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._running.wait(_DUMP_S)
        self._running.kill()
        self._running.wait(_GONE_S)
        return self.logs()[-6000:]

    def family(self) -> dict[int, str]:
        """Every live process of its sessions: pid and command line."""
        return {pid: _command_line(pid) for pid in _processes_of(self._sessions)}


def _processes_of(sessions: list[int]) -> list[int]:
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        with contextlib.suppress(OSError):
            # After the last bracket: state, ppid, pgrp, session (proc(5)).
            fields = Path("/proc", name, "stat").read_text().rpartition(")")[2].split()
            if fields[0] not in "ZX" and int(fields[3]) in sessions:
                found.append(int(name))
    return found


def _command_line(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    return ""
