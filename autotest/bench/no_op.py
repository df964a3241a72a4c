"""No-op: one test that does nothing, from its verify to its parsed rows, and entries a second on twenty DUTs."""

from __future__ import annotations

import time

import paramiko

from autotest import celery
from autotest.bench import bare_worker, dispatch, installation, measure, paper_lab
from autotest.bench.installation import Installation, Plan
from autotest.bench.measure import Figure, Target
from autotest.host_info import HostInfo
from autotest.models import database
from autotest.models.afe import HostQueueEntry, SpecialTask
from autotest.models.database import utc_now
from autotest.models.tko import TkoJob
from autotest.scheduler import jobs
from autotest.scheduler.jobs import JobSpec
from autotest.sim import fleet, scenario
from autotest.states import ControlType

_BUILD = "build-1"
_TEST = """\
from autotest.client import process, test
class no_op(test.test):
    version = 1
    def run_once(self):
        process.run("true")
"""
#: Celery tasks of an entry: claim, verify, run_test, parse.
_TASKS = 4
_BARE_SSH = "paramiko connects and runs true"
_BARE_TASKS = "plain Celery no-ops, four for each entry"


def run(plan: Plan) -> list[Figure]:
    """One entry at a time on one of the simulated DUTs, then all DUTs at once."""
    duts, count = (20, 60) if plan.full else (2, 2)
    alone: list[float] = []
    ssh: list[float] = []
    rate: list[float] = []
    bare_rate: list[float] = []
    with installation.fresh(plan) as here, fleet.running(here.folder / "fleet", scenario.plain(duts)) as running:
        _start(here, running)
        _entries(here, duts)
        for turn in range(plan.runs):
            alone.append(_entries(here, 1)[0])
            ssh.append(_ssh(running.hosts[turn % duts]))
            rate.append(count / _entries(here, count)[1])
            bare_rate.append(_tasks(here, range(turn * _TASKS * count, (turn + 1) * _TASKS * count)) / _TASKS)
    target = Target("at most", 1.0, of="difference") if plan.full else None
    return [
        Figure("no-op test, verify to parsed rows", "s", alone, ssh, _BARE_SSH, target),
        Figure(f"entries through all steps on {duts} DUTs", "1/s", rate, bare_rate, _BARE_TASKS),
    ]


def _start(here: Installation, running: fleet.Fleet) -> None:
    folder = here.settings.builds_dir / _BUILD / "control" / "no_op"
    folder.mkdir(parents=True)
    (folder / "no_op.py").write_text(_TEST)
    config = here.folder / "fleet.toml"
    config.write_text(fleet.lab_toml(running.hosts, "bench"))
    for name in ("run", "results"):
        here.start(name, "autotest", "worker", name, "--config", str(config))
    for name in ("run", "results"):
        here.wait_for_log(name, " ready.")
    dispatch.start_bare_worker(here, here.folder / "notes")


def _entries(here: Installation, count: int) -> tuple[float, float]:
    """Run so many no-op tests. Returns seconds from the first verify, and from the first message, to the last row."""
    spec = JobSpec(
        "no_op",
        "job.run_test('no_op')",
        ControlType.CLIENT,
        paper_lab.OWNER,
        dependencies=["board:sim"],
        keyvals={"build": _BUILD},
    )
    with database.connection():
        made = [jobs.create(spec, utc_now()) for _ in range(count)]
    sent = time.time()
    celery.publish([wake for _, woken in made for wake in woken], here.app)
    ids = [job_id for job_id, _ in made]
    here.wait(f"the end of {count} no-op tests", lambda: _stored(ids) == count, 30 + 2 * count)
    ended = time.time()
    with database.connection():
        of_jobs = HostQueueEntry.select(HostQueueEntry.id).where(HostQueueEntry.job.in_(ids))
        verifies = SpecialTask.select(SpecialTask.time_started).where(SpecialTask.queue_entry.in_(of_jobs))
        began = min(task.time_started.timestamp() for task in verifies)
    return ended - began, ended - sent


def _stored(ids: list[int]) -> int:
    """How many of these jobs have ended and have their rows."""
    with database.connection():
        ended = HostQueueEntry.select(HostQueueEntry.job).where(
            HostQueueEntry.job.in_(ids),
            HostQueueEntry.complete == True,  # noqa: E712 - an SQL expression
        )
        return int(TkoJob.select().where(TkoJob.afe_job_id.in_(ended)).count())


def _ssh(info: HostInfo) -> float:
    """Seconds of a bare connection and one command."""
    with measure.stopwatch() as watch, paramiko.SSHClient() as client:
        client.load_host_keys(info.get("known_hosts"))
        client.connect(
            info.get("address"),
            int(info.get("port")),
            username=info.get("user") or None,
            key_filename=info.get("key"),
            allow_agent=False,
            look_for_keys=False,
        )
        _, stdout, _ = client.exec_command("true")
        stdout.channel.recv_exit_status()
    return watch.seconds


def _tasks(here: Installation, numbers: range) -> float:
    """Plain Celery tasks a second."""
    notes = here.folder / "notes"
    with measure.stopwatch() as watch:
        with here.app.producer_or_acquire() as producer:
            for number in numbers:
                bare_worker.send(here.app, bare_worker.NO_OP, number, producer)
        here.wait("every no-op", lambda: numbers[-1] in bare_worker.read(notes, bare_worker.NO_OP))
    return len(numbers) / watch.seconds
