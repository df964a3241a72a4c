"""The processes below one process: found in /proc, and ended."""

import os
import signal
import time
from typing import Dict, List, NamedTuple, Optional

_DEATH_S = 2.0


class Process(NamedTuple):
    """One process; *started* (clock ticks since boot) tells it from a later one of the same pid.

    *is_dead*: nothing is left of it but an exit status that nobody has read.
    """

    pid: int
    parent: int
    group: int
    started: int
    is_dead: bool


def processes() -> List[Process]:
    """Every process that /proc shows."""
    found = (_process(name) for name in os.listdir("/proc") if name.isdigit())
    return [process for process in found if process]


def _process(pid: str) -> Optional[Process]:
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            # The name in parentheses may hold anything, so count from its last parenthesis.
            words = stat.read().rpartition(b")")[2].split()
        return Process(int(pid), int(words[1]), int(words[2]), int(words[19]), words[0] in (b"Z", b"X"))
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
    """SIGKILL those of *victims* that are still the same process, and give them a moment to be gone."""
    for victim in victims:
        if _is_running(victim):
            send(victim.pid, signal.SIGKILL)
    deadline = time.monotonic() + _DEATH_S
    while any(_is_running(victim) for victim in victims) and time.monotonic() < deadline:
        time.sleep(0.01)


def _is_running(process: Process) -> bool:
    now = _process(str(process.pid))
    return now is not None and now.started == process.started and not now.is_dead


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
        status = wait(pid)
    kill(below)
    return status


def wait(pid: int) -> int:
    """Wait until our child *pid* has ended; its wait status."""
    return os.waitpid(pid, 0)[1]


def wait_for(pid: int, limit_s: float) -> Optional[int]:
    """Wait for our child *pid* to end: its wait status, or None once *limit_s* has passed."""
    deadline = time.monotonic() + limit_s
    while True:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return status
        left = deadline - time.monotonic()
        if left <= 0:
            return None
        time.sleep(min(0.02, left))
