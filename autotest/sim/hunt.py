"""Finds and kills the processes of simulated DUTs: by a mark in their environment, whatever session they fled to.

Started as a script it is the fleet's guardian: it waits for the end of its input, which comes when the fleet dies in
whatever way, and then kills what the fleet's DUTs left behind. It imports only the standard library for that.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator

#: The environment variable that every process of a DUT carries; its value is the DUT's root folder.
MARK = "AUTOTEST_SIM_DUT"
_PATIENCE_S = 5.0


def processes(place: str) -> list[int]:
    """The pids of all live processes whose mark is *place* or a folder below it."""
    return [pid for pid in _all_pids() if _belongs(pid, place)]


def kill(place: str) -> int:
    """Kill all processes marked with *place* or a folder below it; returns how many were met.

    Looks again until none was there twice: a process may fork while we look, and shows no mark in the middle of an
    exec.
    """
    deadline = time.monotonic() + _PATIENCE_S
    met = clear = 0
    while time.monotonic() < deadline and clear < 2:
        found = processes(place)
        clear = 0 if found else clear + 1
        met += sum(_kill_if_marked(pid, place) for pid in found)
        time.sleep(0.005)
    return met


def _all_pids() -> Iterator[int]:
    own = os.getpid()
    return (int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) != own)


def _kill_if_marked(pid: int, place: str) -> bool:
    # The handle is taken before the second look, so that a recycled pid cannot be hit.
    try:
        handle = os.pidfd_open(pid)
    except OSError:
        return False
    try:
        if not _belongs(pid, place):
            return False
        signal.pidfd_send_signal(handle, signal.SIGKILL)
        return True
    except OSError:
        return False
    finally:
        os.close(handle)


def _belongs(pid: int, place: str) -> bool:
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            environment = file.read()
    except OSError:
        return False
    wanted = os.fsencode(f"{MARK}={place}")
    return any(entry == wanted or entry.startswith(wanted + b"/") for entry in environment.split(b"\0"))


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.stdin.buffer.read()
    kill(sys.argv[1])
