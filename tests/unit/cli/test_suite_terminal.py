"""`autotest suite run` at a real terminal: Ctrl-C asks, and a terminal that is closed leaves the suite alone."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator

import pytest

from autotest import api

BUILD = "pi4-release/R1-1.0"
PATIENCE_S, AGAIN_S = 60.0, 5.0


class Terminal:
    """A process at a terminal of 80 columns."""

    def __init__(self, *arguments: str):
        self._master, slave = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "autotest", *arguments],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
            env={**os.environ, "AUTOTEST_BROKER": "memory://", "TERM": "xterm", "COLUMNS": "80"},
        )
        os.close(slave)
        self.text = ""

    def type(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def press_ctrl_c(self, pattern: str) -> None:
        """Press Ctrl-C until *pattern* is there: one that comes just as a read begins is only seen with the next."""
        end = time.monotonic() + PATIENCE_S
        self.type("\x03")
        while not self._read_until(pattern, AGAIN_S):
            assert time.monotonic() < end, f"no {pattern!r} in {self.text!r}"
            self.type("\x03")

    def expect(self, pattern: str) -> None:
        """Read until *pattern* is there; what came before is forgotten."""
        assert self._read_until(pattern, PATIENCE_S), f"no {pattern!r} in {self.text!r}"

    def _read_until(self, pattern: str, patience_s: float) -> bool:
        end = time.monotonic() + patience_s
        while not (found := re.search(pattern, self.text)):
            if time.monotonic() > end:
                return False
            self.text += self._more(end - time.monotonic())
        self.text = self.text[found.end() :]
        return True

    def close(self) -> None:
        """Close the window."""
        os.close(self._master)
        self._master = -1

    def ended(self) -> int:
        """The exit code."""
        return self.process.wait(PATIENCE_S)

    def leave(self) -> None:
        """End what is still there."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self._master >= 0:
            os.close(self._master)

    def _more(self, patience_s: float) -> str:
        ready, _, _ = select.select([self._master], [], [], max(0.0, patience_s))
        # Linux answers EIO once nobody holds the other end.
        with contextlib.suppress(OSError):
            return os.read(self._master, 65536).decode(errors="replace") if ready else ""
        pytest.fail(f"the process ended with {self.ended()} and said {self.text!r}")


@pytest.fixture
def suite_run(installation) -> Iterator[Terminal]:
    """`autotest suite run` as it shows that suite 1 waits."""
    installation.build()
    installation.test("sleeptest")
    installation.host("rack1-h1", ["board:pi4"])
    terminal = Terminal("suite", "run", "smoke", "-b", "pi4", "-i", BUILD)
    try:
        terminal.expect("Ctrl-C asks what to do")
        yield terminal
    finally:
        terminal.leave()


def test_ctrl_c_asks_and_the_suite_goes_on(suite_run):
    suite_run.press_ctrl_c(r"\(a\)bort the suite, \(d\)etach")
    suite_run.type("c\r")
    suite_run.expect("Ctrl-C asks what to do")
    suite_run.press_ctrl_c(r"\(a\)bort the suite, \(d\)etach")
    suite_run.press_ctrl_c("detached; suite job 1 goes on: autotest suite wait 1")
    assert suite_run.ended() == 130
    assert [suite["status"] for suite in api.list_suites()] == ["Queued"]


def test_ctrl_c_can_abort_the_suite(suite_run):
    suite_run.press_ctrl_c(r"\(a\)bort the suite, \(d\)etach")
    suite_run.type("a\r")
    suite_run.expect(r"Suite job failed\. \(code 3\)")
    assert suite_run.ended() == 3
    assert [suite["status"] for suite in api.list_suites()] == ["Aborted"]


def test_a_closed_terminal_leaves_the_suite_to_be_picked_up(suite_run, command):
    suite_run.close()
    assert suite_run.ended() == -signal.SIGHUP
    assert [suite["status"] for suite in api.list_suites()] == ["Queued"]
    api.abort_jobs([1])
    command("suite", "wait", 1, code=3)
