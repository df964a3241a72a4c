"""Everybody at once: threads that create, claim, run, abort, lock, lose and parse on one database; nothing is lost.

On a server transactions overlap and block each other; whatever it ends in favour of another one is done again.
"""

from __future__ import annotations

import datetime
import itertools
import random
import threading
import traceback
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from servers.databases import Databases

from autotest import errors
from autotest.host_info import HostInfo
from autotest.job_file import StepOutcome
from autotest.models import database
from autotest.models.afe import Host, HostQueueEntry, Job, SpecialTask, User
from autotest.models.lab import Lab, Lease
from autotest.scheduler import claims, entries, hosts, jobs, leases, reconcile, steps, upkeep
from autotest.scheduler.jobs import JobSpec
from autotest.scheduler.steps import Ended
from autotest.settings import Settings
from autotest.states import FINAL, ControlType, EntryStatus, Step, TaskKind

WORKERS, ROUNDS, PARENTS = 6, 25, 3
DUE_IN = datetime.timedelta(seconds=10)
ENDS = (
    Ended("ended", StepOutcome(ok=True)),
    Ended("ended", StepOutcome(ok=True)),
    Ended("ended", StepOutcome(ok=False, reason="no space left")),
    Ended("lost", None),
)
OK = ENDS[0]


class Crowd:
    """What each of the threads does, and what went wrong in any of them."""

    def __init__(self, url: str, settings: Settings):
        self.settings = settings
        self.problems: list[str] = []
        self.ended: list[int] = []
        database.connect(url)
        with database.connection():
            infos = [HostInfo(f"h{number}", frozenset({"x", f"kind:{number % 2}"})) for number in range(6)]
            self.lab = hosts.start_lab("desk", "node:1", infos, database.utc_now())
            self.parents = [self._job("", None) for _ in range(PARENTS)]
            for parent in self.parents:
                HostQueueEntry.create(job=parent, status="Running", execution_subdir="hostless")

    def work(self, seed: int) -> None:
        dice = random.Random(seed)
        acts: list[Callable[[random.Random], None]] = [
            self.create,
            self.serve,
            self.serve,
            self.serve,
            self.parse,
            self.parse,
            self.abort,
            self.disturb,
            self.sweep,
        ]
        try:
            for _ in range(ROUNDS):
                with database.connection():
                    dice.choice(acts)(dice)
        except BaseException:
            self.problems.append(traceback.format_exc())

    def _job(self, needs: str, parent: int | None, owner: str = "alice", together: int = 0) -> int:
        labels = ["x", needs] if needs else ["x"]
        spec = JobSpec("test", "pass", ControlType.CLIENT, owner, dependencies=labels, synch_count=together)
        if needs:
            return jobs.create(JobSpec(**{**vars(spec), "parent_job_id": parent}), database.utc_now())[0]
        return jobs.insert(spec, database.utc_now()).id

    def create(self, dice: random.Random) -> None:
        for _ in range(3):
            # New users and labels meet as well.
            together = dice.choice([0, 0, 2])
            self._job(f"kind:{dice.randrange(2)}", dice.choice(self.parents), f"user{dice.randrange(9)}", together)

    def serve(self, dice: random.Random) -> None:
        """What a worker does: claim, grant, begin, end."""
        leases.grant_tasks(self.lab, database.utc_now(), DUE_IN)
        for wake in upkeep.servable():
            claims.claim(self.lab, str(wake.args[0]), database.utc_now(), DUE_IN)
        for lease in leases.open_leases(self.lab.id):
            leases.beat([lease.id])
            work, _ = steps.begin(self.lab, lease.id, Step(lease.step), self.settings, database.utc_now())
            if work is not None:
                steps.end(lease.id, work.step, dice.choice(ENDS), self.settings, database.utc_now())

    def parse(self, dice: random.Random) -> None:
        parsing = HostQueueEntry.select(HostQueueEntry.id).where(HostQueueEntry.status == EntryStatus.PARSING.value)
        for (entry_id,) in list(parsing.tuples()):
            for wake in entries.finish(entry_id):
                self.ended.append(int(wake.args[0]))

    def abort(self, dice: random.Random) -> None:
        open_entries = HostQueueEntry.select(HostQueueEntry.id).where(
            HostQueueEntry.complete == False,  # noqa: E712 - an SQL expression
            HostQueueEntry.queue_key != "",
        )
        found = [entry_id for (entry_id,) in open_entries.tuples()]
        chosen = dice.sample(found, min(2, len(found)))
        try:
            _, woken = entries.abort(chosen, f"user{dice.randrange(9)}", "not needed", database.utc_now())
        except errors.ValidationError:
            # A part of a group that runs.
            return
        self.ended += [int(wake.args[0]) for wake in woken if wake.task.endswith("finish_suite")]

    def disturb(self, dice: random.Random) -> None:
        name = f"h{dice.randrange(6)}"
        try:
            hosts.lock(name, "bob", "look", database.utc_now())
            hosts.unlock(name)
        except (errors.HostBusy, errors.ValidationError):
            # Somebody else locked or unlocked it.
            pass
        hosts.request_task(name, dice.choice([TaskKind.VERIFY, TaskKind.REPAIR]), "bob")

    def sweep(self, dice: random.Random) -> None:
        reconcile.aborted(self.lab, database.utc_now())
        reconcile.overdue(self.lab, self.settings, database.utc_now())
        upkeep.forgotten(self.settings, database.utc_now())
        running = [lease for lease in leases.open_leases(self.lab.id) if leases.is_at_work(lease)]
        for lease in running[:1]:
            reconcile.take_back(lease.id, "no sign of life", self.settings, database.utc_now(), seen=lease)

    def drive_to_rest(self) -> None:
        """One healthy worker alone, until nothing is left to do."""
        for host in Host.select().where(Host.locked == True):  # noqa: E712 - an SQL expression
            hosts.unlock(host.hostname)
        Host.update(status="Ready").where(Host.status == "Repair Failed").execute()
        for _ in range(400):
            reconcile.aborted(self.lab, database.utc_now())
            leases.grant_tasks(self.lab, database.utc_now(), DUE_IN)
            for wake in upkeep.servable():
                claims.claim(self.lab, str(wake.args[0]), database.utc_now(), DUE_IN)
            for lease in leases.open_leases(self.lab.id):
                step = Step(lease.step)
                steps.begin(self.lab, lease.id, step, self.settings, database.utc_now())
                steps.end(lease.id, step, OK, self.settings, database.utc_now())
            self.parse(random.Random(0))
            left = HostQueueEntry.select().where(
                HostQueueEntry.complete == False,  # noqa: E712 - an SQL expression
                HostQueueEntry.queue_key != "",
            )
            tasks = SpecialTask.select().where(SpecialTask.is_complete == False)  # noqa: E712 - an SQL expression
            if not left.exists() and not tasks.exists():
                return


@pytest.fixture(params=["sqlite", "mysql"])
def crowd(request: pytest.FixtureRequest, databases_of: Callable[[str], Databases], tmp_path) -> Iterator[Crowd]:
    databases = databases_of(request.param)
    url = databases.migrated()
    yield Crowd(url, Settings(root=tmp_path, max_requeues=3))
    databases.drop(url)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_every_entry_ends_once_and_no_host_is_held_twice(crowd, seed):
    threads = [threading.Thread(target=crowd.work, args=(100 * seed + number,)) for number in range(WORKERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not crowd.problems, "\n".join(crowd.problems)
    with database.connection():
        crowd.drive_to_rest()
        children = [entry for entry in HostQueueEntry.select() if entry.queue_key]
        stuck = [
            (entry.id, entry.status, entry.aborted) for entry in children if EntryStatus(entry.status) not in FINAL
        ]
        assert stuck == []
        assert children, "the crowd created nothing"
        for lease in Lease.select():
            assert lease.released_at is not None
        _assert_leases_never_met()
        assert {host.leased for host in Host.select()} == {False}
        logins = Counter(user.login for user in User.select())
        assert set(logins.values()) == {1}
        # Whoever ended last said so, however many ended at that moment.
        asked = {job.parent_job_id for job in Job.select() if job.parent_job_id}
        assert asked <= set(crowd.ended)
        assert Lab.get().incarnation == 1


def _assert_leases_never_met() -> None:
    by_host: dict[int, list[Lease]] = {}
    for lease in Lease.select().order_by(Lease.id):
        by_host.setdefault(lease.host_id, []).append(lease)
    for held in by_host.values():
        assert [lease.id for lease in held] == sorted(lease.id for lease in held)
        for earlier, later in itertools.pairwise(held):
            assert earlier.released_at is not None
            assert earlier.id < later.id
