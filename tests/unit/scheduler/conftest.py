"""The ``lab`` fixture: a migrated database of its own, and builders that insert only the facts a test is about."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from autotest.job_file import StepOutcome
from autotest.models import database
from autotest.models.afe import AclGroup, AclGroupHost, AclGroupUser, Host, HostQueueEntry, Job, Label, SpecialTask
from autotest.models.database import transaction
from autotest.models.lab import Lab, LabelQueue, Lease
from autotest.scheduler import claims, entries, hosts, jobs, labels, leases, steps, users
from autotest.scheduler.claims import Claim
from autotest.scheduler.jobs import JobSpec
from autotest.scheduler.steps import Ended, Work
from autotest.scheduler.wakes import Wake
from autotest.settings import Settings
from autotest.states import ControlType, EntryStatus, HostStatus, Step

OK = Ended("ended", StepOutcome(ok=True))
BROKEN = Ended("ended", StepOutcome(ok=False, reason="no space left"))
LOST = Ended("lost", None)
KILLED = Ended("killed", None)
LATE = Ended("deadline", None)
DUE_IN = datetime.timedelta(seconds=10)


class PaperLab:
    """One lab called ``desk`` on paper: rows come from the builders, time stands still until ``later``."""

    ok, broken, lost, killed, late = OK, BROKEN, LOST, KILLED, LATE

    def __init__(self, root: Path):
        self.settings = Settings(root=root)
        self.now = datetime.datetime(2026, 3, 1, 12, 0, tzinfo=datetime.timezone.utc)
        self.row = Lab.create(name="desk", incarnation=1)

    def later(self, **span: float) -> datetime.datetime:
        """Let time pass: ``lab.later(seconds=11)``."""
        self.now += datetime.timedelta(**span)
        return self.now

    def host(
        self,
        hostname: str,
        labels: Iterable[str] = (),
        groups: Iterable[str] = ("Everyone",),
        lab: Lab | None = None,
        attributes: dict[str, str] | None = None,
        **columns: Any,
    ) -> Host:
        """A Ready host of this lab."""
        host = Host.create(hostname=hostname, lab=lab or self.row, **columns)
        hosts.set_labels(host.id, set(labels))
        for name in groups:
            AclGroupHost.create(aclgroup=self.acl_group(name), host=host)
        for attribute, value in (attributes or {}).items():
            hosts.HostAttribute.create(host=host, attribute=attribute, value=value)
        return host

    def acl_group(self, name: str, members: Iterable[str] = ()) -> AclGroup:
        """An ACL group with these users."""
        group, _ = AclGroup.get_or_create(name=name)
        for login in members:
            AclGroupUser.get_or_create(aclgroup=group, user=users.named(login))
        return group

    def only_if_needed(self, name: str) -> None:
        """Make *name* a label that keeps its hosts for those who ask for it."""
        ids = labels.rows_for([name])
        Label.update(only_if_needed=True).where(Label.id == ids[name]).execute()

    def job(self, **fields: Any) -> Job:
        """A job without entries."""
        return jobs.insert(self._spec(**fields), self.now)

    def entry(
        self,
        needs: Iterable[str] = (),
        host: Host | None = None,
        any_of: str | None = None,
        job: Job | None = None,
        **fields: Any,
    ) -> HostQueueEntry:
        """A queued entry: bound to *host*, or for any host with the label *any_of*, or with the labels *needs*."""
        spec = self._spec(dependencies=tuple(needs), meta_hosts=(any_of,) if any_of else (), **fields)
        with transaction():
            row = job or jobs.insert(spec, self.now)
            return jobs.insert_entries(row, spec, [host] if host is not None else [])[0]

    def group(
        self,
        count: int,
        needs: Iterable[str] = (),
        named: Iterable[Host] = (),
        any_of: Iterable[str] = (),
        **fields: Any,
    ) -> list[HostQueueEntry]:
        """The queued entries of a job that *count* hosts run together: hosts with the labels *needs*, or *named* ones,
        or one for each metahost of *any_of*."""
        bound = list(named)
        names = tuple(host.hostname for host in bound)
        spec = self._spec(dependencies=tuple(needs), hosts=names, meta_hosts=tuple(any_of), synch_count=count, **fields)
        with transaction():
            return jobs.insert_entries(jobs.insert(spec, self.now), spec, bound)

    def suite(self, num: int | None = None, suite_min_duts: int | None = None, **fields: Any) -> Job:
        """A suite job that runs; its machines may be limited."""
        limits = {"num": num, "suite_min_duts": suite_min_duts}
        keyvals = {key: str(value) for key, value in limits.items() if value is not None}
        job = self.job(name="suite", keyvals=keyvals, **fields)
        HostQueueEntry.create(
            job=job, status=EntryStatus.RUNNING, execution_subdir="hostless", active=True, priority=job.priority
        )
        return job

    def _spec(self, **fields: Any) -> JobSpec:
        defaults: dict[str, Any] = {
            "name": "sleeptest",
            "control_file": "job.run_test('sleeptest')",
            "control_type": ControlType.CLIENT,
            "owner": "alice",
        }
        return JobSpec(**{**defaults, **fields})

    def claim(self, entry: HostQueueEntry, lab: Lab | None = None) -> Claim:
        """What a worker of this lab gets that heard of the queue of *entry*."""
        return claims.claim(lab or self.row, entry.queue_key, self.now, DUE_IN)

    def granted(self, entry: HostQueueEntry) -> int:
        """The token of a claim that finds a host."""
        token = self.claim(entry).token
        assert token is not None
        return token

    def grant_tasks(self) -> list[Wake]:
        """Lease free hosts to the tasks that wait for them."""
        return leases.grant_tasks(self.row, self.now, DUE_IN)

    def begin(self, token: int) -> Work | None:
        """Begin the step that the lease waits for."""
        return steps.begin(self.row, token, self.step(token), self.settings, self.now)[0]

    def end(self, token: int, ended: Ended = OK) -> list[Wake]:
        """End the step that the lease runs."""
        return steps.end(token, self.step(token), ended, self.settings, self.now)

    def run_step(self, token: int, ended: Ended = OK) -> list[Wake]:
        """Begin and end the step that the lease waits for."""
        assert self.begin(token) is not None
        return self.end(token, ended)

    def running(self, entry: HostQueueEntry) -> int:
        """Bring *entry* to Running. Returns its token."""
        token = self.granted(entry)
        while self.step(token) is not Step.RUN_TEST:
            self.run_step(token)
        assert self.begin(token) is not None
        return token

    def completed(self, entry: HostQueueEntry) -> HostQueueEntry:
        """Bring *entry* through its run and its parsing."""
        self.end(self.running(entry))
        entries.finish(entry.id)
        return self.fresh(entry)

    def step(self, token: int) -> Step:
        """What the lease does now or next."""
        return Step(Lease.get_by_id(token).step)

    def fresh(self, row: Any) -> Any:
        """The row as the database has it now."""
        return type(row).get_by_id(row.id)

    def status(self, row: HostQueueEntry | Host) -> EntryStatus | HostStatus:
        """The status of an entry or a host, as the database has it now."""
        kind = EntryStatus if isinstance(row, HostQueueEntry) else HostStatus
        return kind(self.fresh(row).status)

    def open_leases(self, host: Host | None = None) -> list[Lease]:
        """Leases that are not released."""
        query = Lease.select().where(Lease.released_at.is_null())
        return list(query if host is None else query.where(Lease.host == host.id))

    def tasks(self, host: Host, kind: str) -> list[SpecialTask]:
        """The tasks of that kind that the host ever had, oldest first."""
        wanted = SpecialTask.select().where(SpecialTask.host == host.id, SpecialTask.task == kind)
        return list(wanted.order_by(SpecialTask.id))

    def busy(self, entry: HostQueueEntry) -> bool:
        """Whether workers look at the queue of *entry*."""
        return bool(LabelQueue.get_by_id(entry.queue_key).busy)


@pytest.fixture
def ledger(migrated_database: str) -> Iterator[str]:
    """An open database of this test's own."""
    database.connect(migrated_database)
    with database.connection():
        yield migrated_database


@pytest.fixture
def lab(ledger: str, tmp_path: Path) -> PaperLab:
    """An empty lab; its results and builds go below the test's folder."""
    return PaperLab(tmp_path)


class PaperBuild:
    """A staged build, file by file."""

    def __init__(self, root: Path):
        self.root = root
        (root / "test_suites").mkdir(parents=True)
        (root / "control").mkdir()

    def suite(self, name: str, text: str = "NAME = 'suite'\n") -> Path:
        """``test_suites/control.<name>``."""
        path = self.root / "test_suites" / f"control.{name}"
        path.write_text(text, encoding="utf-8")
        return path

    def test(self, name: str, suite: str = "smoke", **variables: Any) -> Path:
        """``control/<name>/control`` of a client test in *suite*."""
        known = {
            "AUTHOR": "the team",
            "NAME": name,
            "TIME": "SHORT",
            "TEST_TYPE": "client",
            "TEST_CLASS": "smoke",
            "TEST_CATEGORY": "Functional",
            "DOC": "Sleeps.",
            "ATTRIBUTES": f"suite:{suite}",
            **variables,
        }
        lines = [f"{key} = {value!r}\n" for key, value in known.items()]
        return self.file(f"{name}/control", "".join(lines) + f"job.run_test({name!r})\n")

    def file(self, path: str, text: str) -> Path:
        """Any file below ``control/``."""
        place = self.root / "control" / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
        return place


@pytest.fixture
def build(tmp_path: Path) -> PaperBuild:
    """Build ``R7-1``, staged where the settings of ``lab`` look for it, with the suite ``smoke``."""
    staged = PaperBuild(tmp_path / "builds" / "R7-1")
    staged.suite("smoke")
    return staged
