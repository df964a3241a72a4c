"""Lab: what a test does with a running installation, and what it sees of it: jobs, entries, leases, hosts."""

from __future__ import annotations

import contextlib
import itertools
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from peewee import JOIN
from pytest_celery import CeleryTestSetup

from autotest import api, celery
from autotest.models import database
from autotest.models.afe import Host, HostQueueEntry, Job
from autotest.models.lab import Lease
from autotest.scheduler import jobs
from autotest.scheduler.jobs import JobSpec
from autotest.sim.fleet import Handle
from autotest.states import FINAL, ControlType, EntryStatus, Priority
from nodes.broker import BrokerNode
from nodes.installation import BUILD, Installation
from nodes.waiting import until
from nodes.workers import WorkerNode

#: Long enough for a machine that is busy with other things.
PATIENCE_S = 30.0
OWNER = "tester"


class Gate:
    """A test that begins, and ends when it may."""

    def __init__(self, place: Path):
        self.place = place

    @property
    def control(self) -> str:
        return f"job.run_test('gate', place={str(self.place)!r})"

    @property
    def runs(self) -> list[int]:
        """The pid of each run on a DUT, oldest first."""
        began = Path(f"{self.place}.began")
        return [int(line) for line in began.read_text().split()] if began.exists() else []

    def open(self) -> None:
        """Let every run of it end, also those to come."""
        Path(f"{self.place}.go").touch()

    def wait_for_run(self, number: int = 1, seconds: float = PATIENCE_S) -> int:
        """Wait until it began *number* times. Returns the pid of that run."""
        until(lambda: len(self.runs) >= number, seconds, f"run {number} of {self.place.name} begins")
        return self.runs[number - 1]


class Lab:
    """A running installation."""

    def __init__(self, installation: Installation, setup: CeleryTestSetup):
        self.installation = installation
        self.settings = installation.settings
        self.setup = setup
        #: Every job that was asked for; children of suites are found by their rows.
        self.job_ids: list[int] = []
        self._numbers = itertools.count(1)

    @property
    def broker(self) -> BrokerNode:
        return self.setup.broker

    def worker(self, kind: str, lab: str = "") -> WorkerNode:
        """The worker of that kind: run, results, suites or beat; of a lab by name where there are several."""
        found = (node for node in self.setup.worker_cluster if node.kind == kind and node.name().endswith(lab))
        return next(found)

    @contextlib.contextmanager
    def another_worker(self) -> Iterator[WorkerNode]:
        """A second worker for the first lab, as somebody starts who thinks that the first is gone."""
        here = self.installation
        node = WorkerNode("run", here.lab_files[0], here.settings_file, here.folder, self.setup.app, "second-")
        try:
            node.container.start()
            node.ready()
            yield node
        finally:
            node.teardown()

    @contextlib.contextmanager
    def write_lock(self) -> Iterator[None]:
        """Hold the database's write lock: nobody else is in the middle of a write while the block runs."""
        path = self.settings.root_dir / "autotest.db"
        with contextlib.closing(sqlite3.connect(path, isolation_level=None, timeout=PATIENCE_S)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            finally:
                connection.execute("ROLLBACK")

    def freeze(self, worker: WorkerNode) -> None:
        """Stop a worker's own process between two writes: asleep with SQLite's lock, it would stop everybody."""
        with self.write_lock():
            worker.container.kill("SIGSTOP")

    def dut(self, hostname: str = "dut1") -> Handle:
        return self.installation.fleet.dut(hostname)

    def gate(self) -> Gate:
        """A test that ends when it may."""
        return Gate(self.installation.folder / f"gate{next(self._numbers)}")

    # What people do

    def job(
        self,
        control: str = "job.run_test('quick')",
        needs: Sequence[str] = ("board:sim",),
        hosts: Sequence[str] = (),
        priority: int = Priority.DEFAULT,
        verify: bool = False,
        side: str = "client",
    ) -> int:
        """Create one job: on any host that carries *needs*, or on *hosts* by name. Returns its id."""
        self.job_ids.append(
            api.create_job(
                f"job{next(self._numbers)}",
                control,
                side,
                hosts=hosts,
                dependencies=() if hosts else needs,
                priority=priority,
                run_verify=verify,
                keyvals={"build": BUILD},
                owner=OWNER,
            )
        )
        return self.job_ids[-1]

    def group(
        self,
        count: int,
        control: str,
        side: ControlType = ControlType.SERVER,
        needs: Sequence[str] = ("board:sim",),
        hosts: Sequence[str] = (),
        verify: bool = False,
    ) -> int:
        """Create one job that *count* hosts run together. Returns its id."""
        spec = JobSpec(
            name=f"group{next(self._numbers)}",
            control_file=control,
            control_type=side,
            owner=OWNER,
            hosts=hosts,
            dependencies=() if hosts else needs,
            run_verify=verify,
            keyvals={"build": BUILD},
            synch_count=count,
        )
        with database.connection():
            job_id, woken = jobs.create(spec, database.utc_now())
        celery.publish(woken)
        self.job_ids.append(job_id)
        return job_id

    def statuses(self, job_id: int) -> list[str]:
        """The status of each entry of a job."""
        with database.connection():
            rows = HostQueueEntry.select(HostQueueEntry.status).where(HostQueueEntry.job == job_id)
            return [status for (status,) in rows.order_by(HostQueueEntry.id).tuples()]

    def light_jobs(self, count: int) -> list[int]:
        """Create several jobs that hold a host and leave it in peace: their control files run in autoserv."""
        return [self.job("job.record('GOOD', None, 'light')", side="server") for _ in range(count)]

    def jobs(self, count: int, needs: Sequence[str] = ("board:sim",), priority: int = Priority.DEFAULT) -> list[int]:
        """Create several jobs that pass at once."""
        return [self.job(needs=needs, priority=priority) for _ in range(count)]

    def suite(self, board: str = "sim") -> int:
        """Create suite smoke of the build. Returns its job id."""
        self.job_ids.append(api.create_suite_job("smoke", board, BUILD, pool="suites", owner=OWNER))
        return self.job_ids[-1]

    # What people see

    def entry(self, job_id: int) -> HostQueueEntry:
        """The entry of a job as it is now."""
        with database.connection():
            query = HostQueueEntry.select(HostQueueEntry, Job, Host).join(Job).switch(HostQueueEntry)
            return query.join(Host, JOIN.LEFT_OUTER).where(HostQueueEntry.job == job_id).get()

    def status(self, job_id: int) -> EntryStatus:
        return EntryStatus(self.entry(job_id).status)

    def unfinished(self) -> list[int]:
        """The jobs whose entry is not complete."""
        with database.connection():
            rows = HostQueueEntry.select(HostQueueEntry.job).where(HostQueueEntry.complete == False)  # noqa: E712 - SQL
            return [job_id for (job_id,) in rows.tuples()]

    def wait_for(self, job_id: int, *wanted: EntryStatus, seconds: float = PATIENCE_S) -> float:
        """Wait until the job's entry has one of the *wanted* states, any final one if none is given.

        Returns how many seconds that took.
        """
        states = wanted or tuple(FINAL)
        return until(lambda: self.status(job_id) in states, seconds, lambda: f"{self.story(job_id)} gets {states}")

    def wait_until(self, condition: Callable[[], object], what: str, seconds: float = PATIENCE_S) -> float:
        return until(condition, seconds, what)

    def story(self, job_id: int) -> str:
        """Where a job stands, for a message."""
        entry = self.entry(job_id)
        host = entry.host.hostname if entry.host else "no host"
        return f"job {job_id} ({entry.status}, {host}, reason {entry.reason!r})"

    def attempt(self, job_id: int) -> Path:
        """The folder of the attempt that runs now."""
        with database.connection():
            lease = Lease.get(Lease.entry == self.entry(job_id).id, Lease.released_at.is_null())
            return self.settings.results_dir / self.entry(job_id).job.tag / ".runs" / str(lease.id)

    def log(self, job_id: int) -> str:
        """The status log that the job's attempts have written so far."""
        with database.connection():
            runs = self.settings.results_dir / self.entry(job_id).job.tag / ".runs"
        return "".join(path.read_text(errors="replace") for path in runs.glob("*/status.log"))

    def results(self, job_id: int) -> Path:
        """The results folder that counts."""
        entry = self.entry(job_id)
        with database.connection():
            return self.settings.results_dir / entry.job.tag / entry.execution_subdir
