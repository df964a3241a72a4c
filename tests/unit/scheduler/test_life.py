"""Whatever happens in whatever order: one lease a host, one state an entry, one end of each, or a visible wait; groups
hold all their hosts or none, and no suite holds more machines than it may."""

from __future__ import annotations

import contextlib
import datetime
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from autotest import errors, states
from autotest.host_info import HostInfo
from autotest.job_file import StepOutcome
from autotest.models import database
from autotest.models.afe import Host, HostQueueEntry, Job, JobKeyval, SpecialTask
from autotest.models.database import transaction
from autotest.models.lab import LabelQueue, Lease
from autotest.scheduler import claims, entries, hosts, jobs, leases, quotas, reconcile, steps, upkeep
from autotest.scheduler.claims import Found
from autotest.scheduler.jobs import JobSpec
from autotest.scheduler.steps import Ended
from autotest.settings import Settings
from autotest.states import ControlType, EntryStatus, HostStatus, Step, TaskKind

HOSTS = {
    "h1": {"x"},
    "h2": {"x", "y"},
    "h3": {"x", "y", "version:R1"},
}
NEEDS = (("x",), ("y",), ("x", "version:R2"), ("z",))
WAYS_TO_END = {
    "ok": Ended("ended", StepOutcome(ok=True, found_labels=("version:R2",))),
    "broken": Ended("ended", StepOutcome(ok=False, reason="no space left")),
    "silent": Ended("ended", None),
    "late": Ended("deadline", None),
    "lost": Ended("lost", None),
    "killed": Ended("killed", None),
}
DUE_IN = datetime.timedelta(seconds=10)
ENDINGS = st.sampled_from(sorted(WAYS_TO_END))
WAYS = st.lists(ENDINGS, min_size=1, max_size=3)
PICK = st.integers(0, 10_000)


class Life(RuleBasedStateMachine):
    """A lab of three hosts whose messages are lost, delivered twice or late, and whose workers die at any moment."""

    databases: Any

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="life-"))
        self.url = self.databases.migrated()
        database.connect(self.url)
        self._open = database.connection()
        self._open.__enter__()
        self.settings = Settings(root=self.folder)
        self.now = datetime.datetime(2026, 3, 1, 12, 0, tzinfo=datetime.timezone.utc)
        self.ended: dict[int, dict[str, object]] = {}
        self.suites: list[int] = []

    def teardown(self) -> None:
        try:
            if hasattr(self, "lab"):
                self.drive_to_rest()
        finally:
            self._open.__exit__(None, None, None)
            self.databases.drop(self.url)
            shutil.rmtree(self.folder)

    @initialize(together=st.sampled_from((2, 3)), named=st.booleans(), verify=st.booleans(), ways=WAYS)
    def worker_starts(self, together: int, named: bool, verify: bool, ways: list[str]) -> None:
        infos = [
            HostInfo(name, frozenset(labels), {"provisioner": "stub"} if name == "h2" else {})
            for name, labels in HOSTS.items()
        ]
        self.lab = hosts.start_lab("desk", "node:1", infos, self.now)
        self.create_suite_of_one_machine(2)
        self.create_group(together, named, 1, 80, verify, False)
        self.a_round_of_work(ways)

    @rule(
        needs=st.sampled_from(NEEDS),
        priority=st.sampled_from((10, 40, 80)),
        verify=st.booleans(),
        count=st.integers(1, 3),
    )
    def create(self, needs: tuple[str, ...], priority: int, verify: bool, count: int) -> None:
        self._create(needs, (), priority, verify, count)

    @rule(name=st.sampled_from(sorted(HOSTS)), priority=st.sampled_from((10, 80)), verify=st.booleans())
    def create_for_one_host(self, name: str, priority: int, verify: bool) -> None:
        self._create((), (name,), priority, verify, 0)

    @rule(
        together=st.sampled_from((2, 3)),
        named=st.booleans(),
        groups=st.integers(1, 2),
        priority=st.sampled_from((10, 80)),
        verify=st.booleans(),
        in_suite=st.booleans(),
    )
    def create_group(
        self, together: int, named: bool, groups: int, priority: int, verify: bool, in_suite: bool
    ) -> None:
        names = tuple(sorted(HOSTS))[: max(together, 1 + groups)] if named else ()
        needs = () if named else ("x",)
        suite = self.suites[-1] if in_suite and self.suites else None
        self._create(needs, names, priority, verify, groups * together, together, suite)

    @rule(num=st.sampled_from((None, 3)), least=st.integers(0, 2), priority=st.sampled_from((10, 80)))
    def create_suite(self, num: int | None, least: int, priority: int) -> None:
        keyvals = {"suite_min_duts": str(least)} | ({"num": str(num)} if num is not None else {})
        spec = JobSpec("suite", "pass", ControlType.SERVER, "alice", keyvals=keyvals)
        with transaction():
            self.suites.append(jobs.insert(spec, self.now).id)
            for needs in NEEDS[:2]:
                self._create(needs, (), priority, True, 2, 1, self.suites[-1])

    @rule(count=st.integers(1, 3))
    def create_suite_of_one_machine(self, count: int) -> None:
        spec = JobSpec("suite", "pass", ControlType.SERVER, "alice", keyvals={"num": "1"})
        with transaction():
            suite = jobs.insert(spec, self.now).id
            self._create(("x",), (), 40, True, count, 1, suite)

    def _create(
        self,
        needs: tuple[str, ...],
        names: tuple[str, ...],
        priority: int,
        verify: bool,
        count: int,
        together: int = 1,
        suite: int | None = None,
    ) -> None:
        spec = JobSpec(
            name="sleeptest",
            control_file="pass",
            control_type=ControlType.CLIENT,
            owner="alice",
            priority=priority,
            hosts=names,
            meta_hosts=needs[:1] * count,
            dependencies=needs,
            run_verify=verify,
            synch_count=together,
            parent_job_id=suite,
        )
        with transaction():
            bound = list(Host.select().where(Host.hostname.in_(list(names))))
            jobs.insert_entries(jobs.insert(spec, self.now), spec, bound)

    @rule(pick=PICK)
    def claim(self, pick: int) -> None:
        keys = [row.key for row in LabelQueue.select().order_by(LabelQueue.key)]
        if keys:
            claims.claim(self.lab, keys[pick % len(keys)], self.now, DUE_IN)

    @rule()
    def grant_tasks(self) -> None:
        leases.grant_tasks(self.lab, self.now, DUE_IN)

    def _lease(self, pick: int) -> Lease | None:
        rows = list(Lease.select().where(Lease.released_at.is_null()).order_by(Lease.id))
        return rows[pick % len(rows)] if rows else None

    @rule(pick=PICK)
    def begin(self, pick: int) -> None:
        lease = self._lease(pick)
        if lease is not None:
            work, _ = steps.begin(self.lab, lease.id, Step(lease.step), self.settings, self.now)
            assert work is None or lease.due_at is not None
            assert steps.begin(self.lab, lease.id, Step(lease.step), self.settings, self.now)[0] is None

    @rule(pick=PICK, way=ENDINGS)
    def end(self, pick: int, way: str) -> None:
        lease = self._lease(pick)
        if lease is not None and lease.due_at is None:
            steps.end(lease.id, Step(lease.step), WAYS_TO_END[way], self.settings, self.now)

    @rule(ways=WAYS)
    def a_round_of_work(self, ways: list[str]) -> None:
        """Every queue is claimed from, and every lease does a step; how they end goes round."""
        for row in LabelQueue.select().where(LabelQueue.busy == True):  # noqa: E712 - an SQL expression
            claims.claim(self.lab, row.key, self.now, DUE_IN)
        for number, lease in enumerate(Lease.select().where(Lease.released_at.is_null())):
            step, way = Step(lease.step), ways[number % len(ways)]
            steps.begin(self.lab, lease.id, step, self.settings, self.now)
            steps.end(lease.id, step, WAYS_TO_END[way], self.settings, self.now)

    @rule(way=ENDINGS)
    def stale_messages(self, way: str) -> None:
        """What comes for a lease that is released, or for a step that does not run, changes nothing."""
        before = self._everything()
        for lease in Lease.select():
            for step in Step:
                if lease.released_at is not None or lease.step != step.value:
                    assert steps.begin(self.lab, lease.id, step, self.settings, self.now) == (None, [])
                    assert steps.end(lease.id, step, WAYS_TO_END[way], self.settings, self.now) == []
        assert self._everything() == before

    @rule(pick=PICK)
    def parse(self, pick: int) -> None:
        parsing = list(HostQueueEntry.select().where(HostQueueEntry.status == EntryStatus.PARSING.value))
        if parsing:
            entries.finish(parsing[pick % len(parsing)].id)
            entries.finish(parsing[pick % len(parsing)].id)

    @rule(pick=PICK)
    def abort(self, pick: int) -> None:
        rows = list(HostQueueEntry.select())
        if rows:
            with contextlib.suppress(errors.ValidationError):
                # A part of a group that runs.
                entries.abort([rows[pick % len(rows)].id], "bob", "not needed", self.now)

    @rule()
    def keeper_looks_for_aborts(self) -> None:
        running, _ = reconcile.aborted(self.lab, self.now)
        for token in running:
            steps.end(token, Step(Lease.get_by_id(token).step), WAYS_TO_END["killed"], self.settings, self.now)

    @rule(name=st.sampled_from(sorted(HOSTS)))
    def lock_or_unlock(self, name: str) -> None:
        if hosts.named(name).locked:
            hosts.unlock(name)
        else:
            hosts.lock(name, "bob", "a new antenna", self.now)

    @rule(name=st.sampled_from(sorted(HOSTS)), kind=st.sampled_from((TaskKind.VERIFY, TaskKind.REPAIR)))
    def ask_for_a_task(self, name: str, kind: TaskKind) -> None:
        hosts.request_task(name, kind, "bob")

    @rule()
    def worker_dies_and_another_starts(self) -> None:
        self.lab = hosts.start_lab("desk", "node:2", [], self.now)
        reconcile.predecessors(self.lab, self.settings, self.now)
        assert not Lease.select().where(Lease.released_at.is_null()).exists()

    @rule(pick=PICK)
    def a_lease_shows_no_sign_of_life(self, pick: int) -> None:
        lease = self._lease(pick)
        if lease is not None:
            reconcile.take_back(lease.id, "its lab gave no sign of life", self.settings, self.now, seen=lease)
            reconcile.take_back(lease.id, "its lab gave no sign of life", self.settings, self.now)

    @rule(seconds=st.sampled_from((1, 11, 61)))
    def time_passes(self, seconds: int) -> None:
        self.now += datetime.timedelta(seconds=seconds)
        reconcile.overdue(self.lab, self.settings, self.now)
        upkeep.forgotten(self.settings, self.now)
        upkeep.servable()

    @rule()
    def jobs_time_out(self) -> None:
        Job.update(timeout_mins=1).where(Job.id % 5 == 0).execute()
        upkeep.timed_out(self.now)

    def _everything(self) -> list[object]:
        return [[row.__data__ for row in model.select()] for model in (HostQueueEntry, Lease, Host, SpecialTask)]

    @invariant()
    def one_open_lease_a_host_and_an_entry(self) -> None:
        open_leases = list(Lease.select().where(Lease.released_at.is_null()))
        assert len({lease.host_id for lease in open_leases}) == len(open_leases)
        held = [lease.entry_id for lease in open_leases if lease.entry_id is not None]
        assert len(set(held)) == len(held)
        busy = set(HostQueueEntry.select(HostQueueEntry.id).where(HostQueueEntry.active == True).tuples())  # noqa: E712
        assert {entry for (entry,) in busy} == set(held)

    @invariant()
    def a_group_holds_all_its_hosts_or_none(self) -> None:
        leases_of: dict[tuple[int, int], list[Lease]] = {}
        for lease in Lease.select().where(Lease.released_at.is_null(), Lease.entry.is_null(False)):
            if lease.entry.job.synch_count > 1:
                assert lease.entry.token is not None
                leases_of.setdefault((lease.entry.job_id, lease.entry.token), []).append(lease)
        for held in leases_of.values():
            wanted = [lease for lease in held if not lease.entry.aborted]
            assert not wanted or len(held) == held[0].entry.job.synch_count
            assert not wanted or any(lease.step != Step.HOLD.value for lease in held)
            assert len({lease.entry.status == EntryStatus.RUNNING.value for lease in held}) == 1

    @invariant()
    def no_suite_holds_more_machines_than_it_may(self) -> None:
        for suite, quota in quotas.of(list({row.job_id for row in JobKeyval.select()})).items():
            assert quota.allows(0), f"suite {suite}: {quota}"

    @invariant()
    def every_entry_is_in_one_state(self) -> None:
        for entry in HostQueueEntry.select():
            status = EntryStatus(entry.status)
            assert entry.complete == (status in states.FINAL)
            if status is not EntryStatus.QUEUED:
                assert entry.active == (status in states.ACTIVE)
            assert status is not EntryStatus.ABORTED or entry.aborted
            assert status is not EntryStatus.COMPLETED or (entry.succeeded and not entry.aborted)

    @invariant()
    def what_is_final_stays_as_it_is(self) -> None:
        for entry in HostQueueEntry.select().where(HostQueueEntry.complete == True):  # noqa: E712 - an SQL expression
            assert self.ended.setdefault(entry.id, entry.__data__) == entry.__data__

    @invariant()
    def whatever_waits_can_be_found(self) -> None:
        for entry in HostQueueEntry.select().where(
            HostQueueEntry.status == EntryStatus.QUEUED.value,
            HostQueueEntry.active == False,  # noqa: E712 - an SQL expression
        ):
            assert not entry.aborted
            assert LabelQueue.get_by_id(entry.queue_key).busy

    @invariant()
    def a_leased_host_is_no_one_else_s(self) -> None:
        held = {lease.host_id: lease for lease in Lease.select().where(Lease.released_at.is_null())}
        assert not {host.host_id for host in hosts.free(self.lab.id)} & set(held) if hasattr(self, "lab") else True
        for host in Host.select():
            assert host.leased == (host.id in held)
            if host.id not in held:
                assert host.status in (HostStatus.READY, HostStatus.REPAIR_FAILED)
            elif held[host.id].due_at is None:
                assert host.status not in (HostStatus.READY, HostStatus.REPAIR_FAILED)

    @invariant()
    def no_task_is_left_without_anybody_to_carry_it_out(self) -> None:
        carried = {lease.task_id for lease in Lease.select().where(Lease.released_at.is_null())}
        for task in SpecialTask.select().where(SpecialTask.is_complete == False):  # noqa: E712 - an SQL expression
            assert task.id in carried or (task.queue_entry_id is None and not task.is_active)

    def drive_to_rest(self) -> None:
        """Let everything go well from here on: what can end ends; what waits has no host, and says so."""
        for host in Host.select().where(Host.locked == True):  # noqa: E712 - an SQL expression
            hosts.unlock(host.hostname)
        for _ in range(2000):
            if not self._go_on():
                break
        else:
            pytest.fail("never came to rest")
        self.one_open_lease_a_host_and_an_entry()
        self.every_entry_is_in_one_state()
        self.what_is_final_stays_as_it_is()
        dead = {host.id for host in Host.select().where(Host.status == HostStatus.REPAIR_FAILED.value)}
        living = {hosts.named(name).id: carried for name, carried in HOSTS.items() if hosts.named(name).id not in dead}
        for entry in HostQueueEntry.select().where(HostQueueEntry.complete == False):  # noqa: E712 - an SQL expression
            siblings = HostQueueEntry.select().where(HostQueueEntry.job == entry.job_id)
            taken = {each.host_id for each in siblings if each.complete}
            needed = entries.wanted(entry) - {"version:R1", "version:R2"}
            fitting = [
                host_id
                for host_id, carried in living.items()
                if needed <= carried and host_id not in taken and entry.host_id in (None, host_id)
            ]
            assert entry.status == EntryStatus.QUEUED
            if entry.job.synch_count > 1:
                siblings = siblings.where(HostQueueEntry.complete == False)  # noqa: E712 - an SQL expression
                meant = {each.host_id for each in siblings} - {None}
                fitting = [host_id for host_id in living if not meant or host_id in meant]
                fitting = [host_id for host_id in fitting if host_id not in taken and needed <= living[host_id]]
            enough = max(1, entry.job.synch_count)
            assert len(fitting) < enough, f"entry {entry.id} waits although hosts {fitting} are free"

    def _go_on(self) -> bool:
        """One round of a healthy lab. False when nothing is left to do."""
        moved = bool(leases.grant_tasks(self.lab, self.now, DUE_IN))
        self.keeper_looks_for_aborts()
        for wake in upkeep.servable():
            moved |= claims.claim(self.lab, str(wake.args[0]), self.now, DUE_IN).found is Found.GRANTED
        for lease in Lease.select().where(Lease.released_at.is_null()):
            step = Step(lease.step)
            steps.begin(self.lab, lease.id, step, self.settings, self.now)
            steps.end(lease.id, step, WAYS_TO_END["ok"], self.settings, self.now)
            moved = True
        for entry in HostQueueEntry.select().where(HostQueueEntry.status == EntryStatus.PARSING.value):
            entries.finish(entry.id)
            moved = True
        return moved


def test_the_life_of_a_lab(databases):
    Life.databases = databases
    # Without the shrink phase: a failure is told within the test's own time limit.
    Life.TestCase.settings = settings(
        max_examples=20,
        stateful_step_count=30,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[phase for phase in Phase if phase is not Phase.shrink],
    )
    Life.TestCase().runTest()
