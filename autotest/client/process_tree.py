"""The processes below one process: found in /proc, and ended."""

import os
import signal
import time
from typing import Dict, List, NamedTuple, Optional


class Process(NamedTuple):
    """One process; *started* (clock ticks since boot) tells it from a later one of the same pid."""

    pid: int
    parent: int
    group: int
    started: int


def processes() -> List[Process]:
    """Every process that /proc shows."""
    found = (_process(name) for name in os.listdir("/proc") if name.isdigit())
    return [process for process in found if process]


def _process(pid: str) -> Optional[Process]:
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            # The name in parentheses may hold anything, so count from its last parenthesis.
            words = stat.read().rpartition(b")")[2].split()
        return Process(int(pid), int(words[1]), int(words[2]), int(words[19]))
    except (OSError, ValueError, IndexError):
        return None


def descendants(pid: int) -> List[Process]:
    """The children of *pid*, their children and so on."""
    children: Dict[int, List[Process]] = {}
    for process in processes():
        children.setdefault(process.parent, []).append(process)
    below: List[Process] = []
    wave = children.get(pid, [])
    while wave:
        below.extend(wave)
        wave = [child for process in wave for child in children.pop(process.pid, [])]
    return below


def kill(victims: List[Process]) -> None:
    """SIGKILL those of *victims* that are still the same process."""
    for victim in victims:
        now = _process(str(victim.pid))
        if now and now.started == victim.started:
            send(victim.pid, signal.SIGKILL)


def send(pid: int, number: int) -> None:
    """Send a signal to a process that may be gone."""
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def end_child(pid: int, grace_s: float) -> int:
    """End our child *pid* and all below it: SIGTERM, and SIGKILL after *grace_s*. Returns its wait status."""
    below = descendants(pid)
    send(pid, signal.SIGTERM)
    for process in below:
        send(process.pid, signal.SIGTERM)
    status = wait_for(pid, grace_s)
    if status is None:
        below = below + descendants(pid)
        send(pid, signal.SIGKILL)
        status = os.waitpid(pid, 0)[1]
    kill(below)
    return status


def wait_for(pid: int, limit_s: Optional[float]) -> Optional[int]:
    """Wait for our child *pid* to end: its wait status, or None once *limit_s* has passed. None waits forever."""
    if limit_s is None:
        return os.waitpid(pid, 0)[1]
    deadline = time.monotonic() + limit_s
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return status
        left = deadline - time.monotonic()
        if left <= 0:
            return None
        time.sleep(min(0.02, left))
