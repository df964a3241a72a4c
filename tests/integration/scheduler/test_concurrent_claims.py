"""Promises 2 and 6 under load: four processes of sixteen threads claim on one database; no host is given twice, groups
get all their hosts or none, and no suite holds more machines than num."""

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
from autotest.scheduler import claims, hosts, jobs
from autotest.scheduler.claims import Found
from autotest.scheduler.jobs import JobSpec
from autotest.states import ControlType

if TYPE_CHECKING:
    # The processes of the test run this file by itself.
    from servers.databases import Databases

PROCESSES, THREADS, COUNT = 4, 16, 200
LABS, NUM = ("desk", "attic"), 7
DUE_IN = datetime.timedelta(seconds=10)


@pytest.fixture(params=["sqlite", "mysql"])
def empty(request: pytest.FixtureRequest, databases_of: Callable[[str], Databases]) -> str:
    """A database without hosts and jobs."""
    url = databases_of(request.param).migrated()
    database.connect(url)
    return url


@pytest.fixture
def address(empty: str) -> str:
    """A database with COUNT entries that wait for any of COUNT free hosts."""
    url = empty
    with database.connection():
        now = database.utc_now()
        infos = [HostInfo(f"h{number}", frozenset({"x"})) for number in range(COUNT)]
        hosts.start_lab("desk", "node:1", infos, now)
        spec = JobSpec("sleeptest", "pass", ControlType.CLIENT, "alice", dependencies=["x"])
        with transaction():
            for _ in range(COUNT):
                jobs.insert_entries(jobs.insert(spec, now), spec, ())
    return url


def _claim_until_empty(key: str, said: list[tuple[str, object]], lab_name: str) -> None:
    with database.connection():
        lab = Lab.get(Lab.name == lab_name)
        while True:
            try:
                claim = claims.claim(lab, key, database.utc_now(), DUE_IN)
            except Exception as problem:
                said.append(("lost", repr(problem)))
                return
            if claim.found is not Found.GRANTED:
                said.append(("done", claim.found.value))
                return
            said.extend(("granted", host_id) for host_id in claim.host_ids)


def _claim_all(url: str, key: str, *labs: str) -> None:
    """One process: claims for the labs with all its threads until nothing is left, then prints what each claim said."""
    database.connect(url)
    said: list[tuple[str, object]] = []
    threads = [
        threading.Thread(target=_claim_until_empty, args=(key, said, labs[number % len(labs)]))
        for number in range(THREADS)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(json.dumps(said))


def test_every_entry_gets_a_host_of_its_own(address):
    with database.connection():
        key = HostQueueEntry.get().queue_key
    said = _claim_by_all(address, key, "desk")
    assert said["lost"] == []
    assert said["done"] == ["no entry"] * PROCESSES * THREADS
    assert len(said["granted"]) == COUNT
    assert len(set(said["granted"])) == COUNT
    with database.connection():
        assert HostQueueEntry.select(HostQueueEntry.host).distinct().count() == COUNT
        assert Lease.select().where(Lease.released_at.is_null()).count() == COUNT


def _claim_by_all(address: str, key: str, *labs: str) -> dict[str, list[object]]:
    """What all claims of all processes said, by what was found."""
    command = [sys.executable, __file__, address, key, *labs]
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
    print(f"{len(said['granted'])} hosts in {time.monotonic() - began:.1f} s")
    return said


def test_a_suite_never_holds_more_machines_than_num_whichever_lab_claims(empty):
    with database.connection():
        now = database.utc_now()
        for name in LABS:
            hosts.start_lab(name, "node:1", [HostInfo(f"{name}{each}", frozenset({"x"})) for each in range(30)], now)
        suite = jobs.insert(JobSpec("suite", "pass", ControlType.SERVER, "alice", keyvals={"num": str(NUM)}), now)
        spec = JobSpec("test", "pass", ControlType.CLIENT, "alice", dependencies=["x"], parent_job_id=suite.id)
        with transaction():
            for _ in range(40):
                jobs.insert_entries(jobs.insert(spec, now), spec, ())
        key = HostQueueEntry.get().queue_key
    said = _claim_by_all(empty, key, *LABS)
    assert said["lost"] == []
    assert len(set(said["granted"])) == len(said["granted"]) == NUM
    assert set(said["done"]) == {"no host"}
    with database.connection():
        assert Lease.select().where(Lease.released_at.is_null()).count() == NUM


def test_groups_get_all_their_hosts_or_none(empty):
    with database.connection():
        now = database.utc_now()
        infos = [HostInfo(f"h{number}", frozenset({"x"})) for number in range(31)]
        hosts.start_lab("desk", "node:1", infos, now)
        spec = JobSpec("pair", "pass", ControlType.SERVER, "alice", dependencies=["x"], synch_count=2)
        with transaction():
            for _ in range(20):
                jobs.insert_entries(jobs.insert(spec, now), spec, ())
        key = HostQueueEntry.get().queue_key
    said = _claim_by_all(empty, key, "desk")
    assert said["lost"] == []
    assert len(set(said["granted"])) == len(said["granted"]) == 30
    with database.connection():
        active = HostQueueEntry.select().where(HostQueueEntry.active == True)  # noqa: E712 - an SQL expression
        assert set(collections.Counter(entry.token for entry in active).values()) == {2}
        assert len({entry.job_id for entry in active}) == 15


if __name__ == "__main__":
    _claim_all(*sys.argv[1:])
