"""Facts about the machine: a folder of them for each boot, a few keyvals for each test (test-api section 2.6)."""

import logging
import os
import subprocess
import time
from typing import Dict, List, Tuple

from autotest.client import encoding, process_tree

_COMMANDS = {"uname": "uname -a", "hostname": "hostname", "uptime": "uptime", "mount": "mount", "lscpu": "lscpu"}
_PROC_FILES = ("cmdline", "meminfo", "version", "cpuinfo", "modules", "interrupts", "partitions")
_LIMIT_S = 30.0
_MOST_BYTES = 1 << 20


def collect_boot(folder: str) -> str:
    """Write the facts of this boot to ``<folder>`` the first time, to ``<folder>/boot.<n>`` later. Never raises.

    Returns the folder that was filled.
    """
    target = folder
    try:
        count = 0
        while os.path.exists(target):
            target = os.path.join(folder, f"boot.{count}")
            count += 1
        os.makedirs(target)
        for name in _PROC_FILES:
            _copy(f"/proc/{name}", os.path.join(target, name))
        _run_all(target)
    except Exception:
        # A machine that hides its facts can still run tests.
        logging.exception("sysinfo could not be collected into %s", target)
    return target


def test_keyvals() -> Dict[str, object]:
    """The ``sysinfo-*`` keyvals of a test."""
    uname = os.uname()
    memory_kb = _memory_kb()
    return {
        "sysinfo-cmdline": _read("/proc/cmdline").strip(),
        "sysinfo-uname": f"{uname.release} {uname.version} {uname.machine} GNU/{uname.sysname}",
        "sysinfo-memtotal-in-kb": memory_kb,
        "sysinfo-phys-mbytes": memory_kb // 1024,
    }


def _run_all(target: str) -> None:
    """Run every command at once; what has not ended within the limit is killed."""
    deadline = time.monotonic() + _LIMIT_S
    running: List[Tuple[subprocess.Popen, str]] = []
    for name, command in _COMMANDS.items():
        path = os.path.join(target, name)
        with open(path, "wb") as output:
            child = subprocess.Popen(
                command, shell=True, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.DEVNULL
            )
        running.append((child, path))
    for child, path in running:
        try:
            child.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            child.returncode = process_tree.end_child(child.pid, 0.0)
        if os.path.getsize(path) > _MOST_BYTES:
            os.truncate(path, _MOST_BYTES)


def _copy(path: str, target: str) -> None:
    text = _read(path)
    if text:
        with open(target, "wb") as file:
            file.write(encoding.to_bytes(text))


def _read(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return encoding.to_text(file.read(_MOST_BYTES))
    except OSError:
        return ""


def _memory_kb() -> int:
    for line in _read("/proc/meminfo").splitlines():
        name, _, value = line.partition(":")
        if name == "MemTotal":
            return int(value.split()[0])
    return 0
