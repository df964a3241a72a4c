"""Server: one server process in a folder, started until it answers, stopped as an operator does."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

_READY_S = 60.0
_POLITE_S = 30.0
_LOOK_EVERY_S = 0.02


def program(name: str, package: str) -> str:
    """The path of a program. Skips the test, naming the package, where there is none."""
    found = shutil.which(name, path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    if found is None:
        pytest.skip(f"there is no {name} on this machine; root installs it with: apt-get install {package}")
    return found


def free_port() -> int:
    """A port of the loopback interface that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def accepts(port: int) -> bool:
    """Whether somebody takes connections at that port of the loopback interface."""
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True


def _dying_with_us() -> list[str]:
    """What goes before an argv so that the process ends when this one is killed; nothing where that cannot be asked."""
    setpriv = shutil.which("setpriv")
    # The kernel sends the signal when the thread ends that started the process: only the main one lasts.
    if setpriv is None or threading.current_thread() is not threading.main_thread():
        return []
    return [setpriv, "--pdeathsig", "TERM", "--"]


class Server:
    """One process; *answers* says whether it serves. What it writes goes to *log*."""

    def __init__(
        self, argv: Sequence[str], log: Path, answers: Callable[[], bool], environment: Mapping[str, str] | None = None
    ):
        self.argv = list(argv)
        self.log = log
        self._answers = answers
        self._environment = environment
        self._running: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers. Raises AssertionError with the end of its log."""
        with self.log.open("ab") as log:
            self._running = subprocess.Popen(
                [*_dying_with_us(), *self.argv],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
                start_new_session=True,
            )
        end = time.monotonic() + _READY_S
        while not self._answers():
            assert self._running.poll() is None, f"{self.argv[0]} ended:\n{self._last_words()}"
            assert time.monotonic() < end, f"{self.argv[0]} does not answer:\n{self._last_words()}"
            time.sleep(_LOOK_EVERY_S)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End it, and wait until it has ended."""
        if self._running is None:
            return
        self._running.send_signal(number)
        try:
            self._running.wait(_POLITE_S)
        except subprocess.TimeoutExpired:
            self._running.kill()
            self._running.wait()
            raise
        finally:
            self._running = None

    def _last_words(self) -> str:
        return self.log.read_text(errors="replace")[-3000:]
