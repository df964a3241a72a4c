"""Processes of the demo: started in groups of their own, and gone with it, however it ends."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from autotest import errors

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)


class Crew:
    """The processes of one installation, each with a log in *logs*. Leaving the block ends them all, last first."""

    def __init__(self, logs: Path, environment: dict[str, str]):
        self._logs = logs
        self._environment = environment
        self._started: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, *_: object) -> None:
        for process in reversed(self._started.values()):
            _signal(process, signal.SIGTERM)
        last = time.monotonic() + 8.0
        for process in reversed(self._started.values()):
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, last - time.monotonic()))
            _signal(process, signal.SIGKILL)
            process.wait()

    def start(self, name: str, *arguments: str) -> None:
        """Start ``autotest ARGUMENTS`` in the background."""
        self._logs.mkdir(parents=True, exist_ok=True)
        with (self._logs / f"{name}.log").open("ab") as log:
            self._started[name] = subprocess.Popen(
                command(*arguments),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._environment,
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )

    def check(self) -> None:
        """Raise LabError, with the end of its log, when one of them ended by itself."""
        for name, process in self._started.items():
            if process.poll() is not None:
                tail = (self._logs / f"{name}.log").read_text(encoding="utf-8", errors="replace").splitlines()[-5:]
                raise errors.LabError(f"{name} ended with status {process.returncode}: {' | '.join(tail)}")


def command(*arguments: str) -> list[str]:
    """The argv of ``autotest ARGUMENTS`` with this Python."""
    return [sys.executable, "-m", "autotest", *arguments]


def run(environment: dict[str, str], *arguments: str) -> None:
    """Run ``autotest ARGUMENTS`` and wait. Raises LabError with what it said when it fails."""
    done = subprocess.run(command(*arguments), env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise errors.LabError(f"autotest {' '.join(arguments)} failed: {(done.stderr or done.stdout).strip()}")


def _die_with_parent() -> None:
    # A demo that is killed takes its processes along; each of them looks after its own children.
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() == 1:
        os._exit(1)


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
