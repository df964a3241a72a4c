"""Steps: the gap between two steps of one entry while thousands of others wait."""

from __future__ import annotations

from autotest import celery
from autotest.bench import bare_worker, dispatch, installation, measure, no_op_worker, paper_lab
from autotest.bench.installation import Installation, Plan
from autotest.bench.measure import Figure, Target
from autotest.models import database
from autotest.scheduler import upkeep
from autotest.states import Step

_STEP_S = 0.5
_BASELINE = "between two plain Celery no-ops of which the first sends the second, nothing else waiting"


def run(plan: Plan) -> list[Figure]:
    """The median and the 99th percentile over the entries of a run: 20 DUTs that are never idle, steps of half a
    second on average."""
    duts, queued, wanted = (20, 5_000, 200) if plan.full else (4, 100, 8)
    pairs = [_once(plan, duts, queued, wanted) for _ in range(plan.runs)]
    figures = []
    for percent, most in ((50, None), (99, 100)):
        ours, bare = ([1000 * measure.percentile(pair[place], percent) for pair in pairs] for place in range(2))
        target = Target("at most", most) if plan.full and most is not None else None
        name = f"gap between verify and run_test, {queued:,} queued, p{percent}"
        figures.append(Figure(name, "ms", ours, bare, _BASELINE, target))
    return figures


def _once(plan: Plan, duts: int, queued: int, wanted: int) -> tuple[list[float], list[float]]:
    """Seconds of at least *wanted* gaps, ours and bare."""
    with installation.fresh(plan) as here:
        steps, notes = here.folder / "steps", here.folder / "notes"
        dispatch.start_bare_worker(here, notes)
        bare = _bare(here, wanted)
        with database.connection():
            paper_lab.queue_entries(queued)
            woken = upkeep.everything()
        celery.publish(woken, here.app)
        dispatch.start_no_op_worker(here, duts, steps, _STEP_S)
        here.wait("enough steps", lambda: len(_gaps(no_op_worker.read(steps))) >= wanted)
        return _gaps(no_op_worker.read(steps)), bare


def _gaps(ran: list[no_op_worker.Ran]) -> list[float]:
    """Seconds between the end of each verify and the beginning of the run_test under the same lease."""
    verified = {each.token: each.ended for each in ran if each.step == Step.VERIFY.value}
    tests = [each for each in ran if each.step == Step.RUN_TEST.value]
    return [each.began - verified[each.token] for each in tests if each.token in verified]


def _bare(here: Installation, count: int) -> list[float]:
    notes = here.folder / "notes"

    def send(number: int) -> None:
        bare_worker.send(here.app, bare_worker.PAIR, number)

    dispatch.at_rate(send, range(count))
    here.wait("every pair", lambda: len(bare_worker.read(notes, bare_worker.NO_OP)) >= count)
    ends, begins = (bare_worker.read(notes, task) for task in (bare_worker.PAIR, bare_worker.NO_OP))
    return [begins[number] - ends[number] for number in range(count)]
