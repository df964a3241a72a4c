"""Wakes: what is ready now and which queue should hear of it. A wake carries no work; the database does.

Step 0 of the broker carries the steps of running entries; queued entries travel at 1 (urgent) to 8.
"""

from __future__ import annotations

from typing import NamedTuple

from autotest import states
from autotest.states import Step

SUITES_QUEUE = "suites"


class Wake(NamedTuple):
    """One message: *task* with *args* into *queue* at priority *step*; *shown* is what people read in Flower.

    A *spare* one is needed only if no other message waits in its queue.
    """

    queue: str
    task: str
    args: tuple[int | str, ...]
    step: int
    shown: str
    spare: bool = False


def label_queue(key: str) -> str:
    """The broker queue of a label set; the lines of one family (``<family>.<suite>``) share it."""
    return f"label.{key.partition('.')[0]}"


def lab_queue(lab: str) -> str:
    """The broker queue of a lab's own steps."""
    return f"lab.{lab}"


def results_queue(lab: str) -> str:
    """The broker queue of a lab's results worker."""
    return f"results.{lab}"


def entry_queued(key: str, priority: int, bound: bool, shown: str) -> Wake:
    """An entry waits in the queue *key*; entries that name a host go before all others (section 3.2)."""
    step = 1 if bound else states.broker_step(priority)
    return Wake(label_queue(key), "autotest.claim", (key.partition(".")[0],), step, shown)


def queue_waits(key: str, priority: int, bound: bool, shown: str) -> Wake:
    """Entries wait in the queue *key* and a host may have become free for them; each had its own message before."""
    return entry_queued(key, priority, bound, shown)._replace(spare=True)


def step_due(lab: str, token: int, step: Step, shown: str) -> Wake:
    """The lease *token* waits for *step*."""
    return Wake(lab_queue(lab), f"autotest.{step.value}", (token,), 0, shown)


def parse_due(lab: str | None, entry_id: int, shown: str) -> Wake:
    """The results of an entry wait to be parsed: where its lab keeps them, or with the suites."""
    queue = results_queue(lab) if lab else SUITES_QUEUE
    return Wake(queue, "autotest.parse", (entry_id,), 0, shown)


def suite_queued(job_id: int, priority: int, shown: str) -> Wake:
    """A suite waits for its children to be created."""
    return Wake(SUITES_QUEUE, "autotest.run_suite", (job_id,), states.broker_step(priority), shown)


def suite_ended(job_id: int, shown: str) -> Wake:
    """The last child of a suite ended."""
    return Wake(SUITES_QUEUE, "autotest.finish_suite", (job_id,), 0, shown)
