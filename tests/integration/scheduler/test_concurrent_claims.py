"""Promise 2 under load: four processes of sixteen threads claim on one database, and no host is given twice."""

from __future__ import annotations

import collections
import datetime
import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from autotest.host_info import HostInfo
from autotest.models import database
from autotest.models.afe import HostQueueEntry
from autotest.models.database import transaction
from autotest.models.lab import Lab, Lease
from autotest.scheduler import hosts, jobs, leases
from autotest.scheduler.jobs import JobSpec
from autotest.scheduler.leases import Found
from autotest.states import ControlType

if TYPE_CHECKING:
    # The processes of the test run this file by itself.
    from servers.databases import Databases

PROCESSES, THREADS, COUNT = 4, 16, 200
DUE_IN = datetime.timedelta(seconds=10)


@pytest.fixture(params=["sqlite", "mysql"])
def address(request: pytest.FixtureRequest, databases_of: Callable[[str], Databases]) -> str:
    """A database with COUNT entries that wait for any of COUNT free hosts."""
    url = databases_of(request.param).migrated()
    database.connect(url)
    with database.connection():
        now = database.utc_now()
        infos = [HostInfo(f"h{number}", frozenset({"x"})) for number in range(COUNT)]
        hosts.start_lab("desk", "node:1", infos, now)
        spec = JobSpec("sleeptest", "pass", ControlType.CLIENT, "alice", dependencies=["x"])
        with transaction():
            for _ in range(COUNT):
                jobs.insert_entries(jobs.insert(spec, now), spec, ())
    return url


def _claim_until_empty(key: str, said: list[tuple[str, object]]) -> None:
    with database.connection():
        lab = Lab.get()
        while True:
            try:
                claim = leases.claim(lab, key, database.utc_now(), DUE_IN)
            except Exception as problem:
                said.append(("lost", repr(problem)))
                return
            if claim.found is not Found.GRANTED:
                said.append(("done", claim.found.value))
                return
            said.append(("granted", claim.host_id))


def _claim_all(url: str, key: str) -> None:
    """One process: claims with all its threads until nothing is left, then prints what each claim said."""
    database.connect(url)
    said: list[tuple[str, object]] = []
    threads = [threading.Thread(target=_claim_until_empty, args=(key, said)) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(json.dumps(said))


def test_every_entry_gets_a_host_of_its_own(address):
    with database.connection():
        key = HostQueueEntry.get().queue_key
    command = [sys.executable, __file__, address, key]
    began = time.monotonic()
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(PROCESSES)]
    said = collections.defaultdict(list)
    try:
        for process in processes:
            output, _ = process.communicate(timeout=90)
            for kind, what in json.loads(output):
                said[kind].append(what)
    finally:
        for process in processes:
            process.kill()

    print(f"{len(said['granted'])} claims in {time.monotonic() - began:.1f} s")
    assert said["lost"] == []
    assert said["done"] == ["no entry"] * PROCESSES * THREADS
    assert len(said["granted"]) == COUNT
    assert len(set(said["granted"])) == COUNT
    with database.connection():
        assert HostQueueEntry.select(HostQueueEntry.host).distinct().count() == COUNT
        assert Lease.select().where(Lease.released_at.is_null()).count() == COUNT


if __name__ == "__main__":
    _claim_all(*sys.argv[1:])
