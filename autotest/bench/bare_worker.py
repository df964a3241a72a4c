"""Bare worker: plain Celery with tasks that do nothing, the baseline of everything that is a task here.

``python -m autotest.bench.bare_worker NOTES``: each task leaves a line in the file NOTES: its name, its number and when
it ran on the machine's monotonic clock.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from celery import Celery
from kombu import Exchange, Queue

from autotest import celery, settings

#: The queue that it listens to; it must not be named like one of ours.
QUEUE = "bare"
NO_OP = "bare.no_op"
#: Notes its end and sends a no-op with the same number: two steps of one entry.
PAIR = "bare.pair"
_SLOTS = 24


def send(app: Celery, task: str, number: int, producer: object = None) -> None:
    """Send one message to the bare worker."""
    queue = Queue(QUEUE, Exchange(""), routing_key=QUEUE)
    app.send_task(task, (number,), queue=queue, producer=producer, priority=0, ignore_result=True)


def read(notes: Path, task: str) -> dict[int, float]:
    """When each number of that task ran; a line that is being written is left out."""
    lines = notes.read_text().splitlines(keepends=True) if notes.exists() else []
    words = [line.split() for line in lines if line.endswith("\n")]
    return {int(number): float(when) for name, number, when in words if name == task}


def main(notes: str) -> None:
    """Serve the queue until told to stop."""
    app = celery.make_app(settings.load())
    app.conf.include = []
    log = Path(notes).open("a", buffering=1)  # noqa: SIM115 - for as long as the process lives

    @app.task(name=NO_OP)
    def no_op(number: int) -> None:
        log.write(f"{NO_OP} {number} {time.monotonic()}\n")

    @app.task(name=PAIR)
    def pair(number: int) -> None:
        log.write(f"{PAIR} {number} {time.monotonic()}\n")
        send(app, NO_OP, number)

    app.Worker(
        hostname="bare@bench",
        pool="threads",
        concurrency=_SLOTS,
        queues=[QUEUE],
        loglevel="INFO",
        quiet=True,
        without_gossip=True,
        without_mingle=True,
        task_events=True,
    ).start()


if __name__ == "__main__":
    main(*sys.argv[1:])
