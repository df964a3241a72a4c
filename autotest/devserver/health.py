"""Health: how busy this machine is, under the names of section 6."""

from __future__ import annotations

import shutil
import threading
import time
from pathlib import Path
from typing import NamedTuple

_SECTOR = 512
_GB = 10**9


class _Sample(NamedTuple):
    at: float
    idle: float
    ticks: float
    disk: int
    network: int


class Health:
    """Rates are means since the last look, at least a second ago."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._lock = threading.Lock()
        self._before = _sample()
        self._rates = {"cpu_percent": 0.0, "disk_total_bytes_per_second": 0.0, "network_total_bytes_per_second": 0.0}

    def to_json(self, requests: int, stagings: int) -> dict[str, float]:
        """The answer to check_health."""
        with self._lock:
            now = _sample()
            if now.at - self._before.at >= 1:
                self._rates = _rates(self._before, now)
                self._before = now
            return {
                "free_disk": round(shutil.disk_usage(self._folder).free / _GB, 3),
                **self._rates,
                "apache_client_count": requests,
                "au_process_count": 0,
                "staging_thread_count": stagings,
            }


def _rates(before: _Sample, now: _Sample) -> dict[str, float]:
    seconds, ticks = now.at - before.at, now.ticks - before.ticks
    return {
        "cpu_percent": round(100 * (1 - (now.idle - before.idle) / ticks), 1) if ticks else 0.0,
        "disk_total_bytes_per_second": round((now.disk - before.disk) / seconds),
        "network_total_bytes_per_second": round((now.network - before.network) / seconds),
    }


def _sample() -> _Sample:
    """proc(5): /proc/stat, /proc/diskstats of whole disks, /proc/net/dev but for loopback."""
    ticks = [int(word) for word in _lines("/proc/stat")[0][1:9]]
    disks = [words for words in _lines("/proc/diskstats") if Path("/sys/block", words[2]).exists()]
    wires = [line for line in _lines("/proc/net/dev")[2:] if line[0] != "lo:"]
    return _Sample(
        time.monotonic(),
        ticks[3] + ticks[4],
        sum(ticks),
        sum(int(words[5]) + int(words[9]) for words in disks) * _SECTOR,
        sum(int(words[1]) + int(words[9]) for words in wires),
    )


def _lines(path: str) -> list[list[str]]:
    return [line.replace(":", ": ").split() for line in Path(path).read_text(encoding="ascii").splitlines()]
