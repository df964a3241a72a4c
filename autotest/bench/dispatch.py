"""Dispatch: from an entry that is queued while a host is free to the beginning of its first step."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from autotest import celery
from autotest.bench import bare_worker, installation, measure, no_op_worker, paper_lab
from autotest.bench.installation import Installation, Plan
from autotest.bench.measure import Figure, Target
from autotest.models import database
from autotest.models.afe import HostQueueEntry
from autotest.models.database import utc_now
from autotest.models.lab import Lease
from autotest.scheduler import jobs
from autotest.scheduler.jobs import JobSpec
from autotest.sim import fleet
from autotest.states import ControlType

_RATE = 20.0
_STEP_S = 1.0
_BASELINE = "from sending a plain Celery no-op at the same rate to its beginning"


def run(plan: Plan) -> list[Figure]:
    """The median and the 99th percentile of so many dispatches a run."""
    duts, count = (200, 400) if plan.full else (20, 20)
    ours: list[list[float]] = []
    bare: list[list[float]] = []
    with installation.fresh(plan) as here:
        steps, notes = here.folder / "steps", here.folder / "notes"
        start_no_op_worker(here, duts, steps, _STEP_S)
        start_bare_worker(here, notes)
        _ours(here, steps, round(_RATE))
        for turn in range(plan.runs):
            ours.append(_ours(here, steps, count))
            bare.append(_bare(here, notes, range(turn * count, (turn + 1) * count)))
    figures = []
    for percent, most in ((50, 30), (99, 250)):
        values = [1000 * measure.percentile(delays, percent) for delays in ours]
        others = [1000 * measure.percentile(delays, percent) for delays in bare]
        target = Target("at most", most) if plan.full else None
        figures.append(Figure(f"queued to first step, p{percent}", "ms", values, others, _BASELINE, target))
    return figures


def start_no_op_worker(here: Installation, duts: int, steps: Path, seconds: float) -> None:
    """Start a worker of so many paper DUTs, whose steps take *seconds*."""
    config = here.folder / "bench.toml"
    config.write_text(fleet.lab_toml(paper_lab.infos(duts), "bench"), encoding="utf-8")
    here.start("lab", "autotest.bench.no_op_worker", str(config), str(steps), str(seconds))
    here.wait_for_log("lab", " ready.")


def start_bare_worker(here: Installation, notes: Path) -> None:
    """Start the baseline."""
    here.start("bare", "autotest.bench.bare_worker", str(notes))
    here.wait_for_log("bare", " ready.")


def _ours(here: Installation, steps: Path, count: int) -> list[float]:
    """Seconds from the commit of each entry to the beginning of its first step."""
    queued: dict[int, float] = {}
    wishes = paper_lab.label_sets()

    def dispatch(number: int) -> None:
        needs = sorted(wishes[number % len(wishes)])
        spec = JobSpec("bench", "pass", ControlType.CLIENT, paper_lab.OWNER, dependencies=needs)
        with database.connection():
            job_id, woken = jobs.create(spec, utc_now())
        queued[job_id] = time.monotonic()
        celery.publish(woken, here.app)

    at_rate(dispatch, range(count))
    here.wait("the first step of each entry", lambda: queued.keys() <= _first_steps(steps).keys())
    began = _first_steps(steps)
    here.wait("the end of each entry", lambda: not _active())
    return [began[job_id] - when for job_id, when in queued.items()]


def _bare(here: Installation, notes: Path, numbers: range) -> list[float]:
    sent: dict[int, float] = {}

    def dispatch(number: int) -> None:
        sent[number] = time.monotonic()
        bare_worker.send(here.app, bare_worker.NO_OP, number)

    at_rate(dispatch, numbers)
    here.wait("every no-op", lambda: sent.keys() <= bare_worker.read(notes, bare_worker.NO_OP).keys())
    began = bare_worker.read(notes, bare_worker.NO_OP)
    return [began[number] - when for number, when in sent.items()]


def at_rate(act: Callable[[int], None], numbers: range) -> None:
    """Do it for each number, _RATE times a second."""
    first = time.monotonic()
    for place, number in enumerate(numbers):
        time.sleep(max(0.0, first + place / _RATE - time.monotonic()))
        act(number)


def _first_steps(steps: Path) -> dict[int, float]:
    """When the first step of each job began."""
    with database.connection():
        rows = Lease.select(Lease.id, HostQueueEntry.job).join(HostQueueEntry, on=(Lease.entry == HostQueueEntry.id))
        job_of = dict(rows.tuples())
    began: dict[int, float] = {}
    for ran in no_op_worker.read(steps):
        job_id = job_of.get(ran.token)
        if job_id is not None:
            began[job_id] = min(ran.began, began.get(job_id, ran.began))
    return began


def _active() -> bool:
    with database.connection():
        return bool(Lease.select().where(Lease.released_at.is_null()).exists())
