"""What a lab worker does: claims an entry for a free host, then one task a step, each an autoserv child."""

from __future__ import annotations

import datetime
import logging
import time
from typing import Any

import peewee
from celery import signals
from celery.worker.control import control_command

from autotest import errors
from autotest.celery import POKE, app
from autotest.models import database
from autotest.models.database import utc_now
from autotest.scheduler import claims, lines, steps
from autotest.scheduler.claims import Claim, Found
from autotest.scheduler.steps import Ended, Work
from autotest.scheduler.wakes import Wake
from autotest.states import Step
from autotest.tasks import run_folders
from autotest.worker import lab_worker

logger = logging.getLogger(__name__)


@app.task(name="autotest.claim")
def claim(key: str) -> None:
    """Give the best entries of the label queue *key* free hosts of this lab: one for each message that is here by the
    time that it is this one's turn. A message whose entry was served by another one's claim has nothing left to do."""
    worker = lab_worker.current()
    with worker.claiming:
        messages = worker.messages.taken(key, claims.AT_ONCE)
        if not messages:
            return
        with database.connection():
            result = _claim(worker, key, messages)
    # Messages of entries that still wait go back for whoever has a host.
    returned = [result.waiting] * (messages - result.served) if result.waiting is not None else []
    worker.publish([*result.wakes, *returned])
    worker.claim_settled(key, result, messages)


def _claim(worker: lab_worker.LabWorker, key: str, most: int) -> Claim:
    if worker.is_stopped():
        return Claim(Found.NO_HOST, waiting=lines.wake_of_family(key))
    due_in = datetime.timedelta(seconds=worker.settings.step_due)
    return claims.claim(worker.lab, key, utc_now(), due_in, most)


@app.task(name="autotest.verify")
def verify(token: int) -> None:
    """See whether the leased host is fit for tests."""
    _step(token, Step.VERIFY)


@app.task(name="autotest.repair")
def repair(token: int) -> None:
    """Make the leased host fit for tests again."""
    _step(token, Step.REPAIR)


@app.task(name="autotest.provision")
def provision(token: int) -> None:
    """Put the wanted version onto the leased host."""
    _step(token, Step.PROVISION)


@app.task(name="autotest.run_test")
def run_test(token: int) -> None:
    """Run the entry's control file on the leased host and bring home what came out."""
    _step(token, Step.RUN_TEST)


@app.task(name=POKE, send_events=False)
def poke() -> None:
    """Nothing: that it was received ended the consumer's poll."""


@control_command(name="autotest_refresh")
def refresh(state: object) -> dict[str, bool]:
    """Broadcast to every worker: queues or hosts changed. Only lab workers care."""
    if lab_worker.serves():
        lab_worker.current().changed.set()
    return {"ok": True}


@signals.task_received.connect
def _drop_credit(request: Any, **_: Any) -> None:
    if request.name == claim.name and lab_worker.serves():
        (key,) = request.args
        lab_worker.current().message_received(key)


def _step(token: int, step: Step) -> None:
    worker = lab_worker.current()
    with database.connection():
        work, woken = steps.begin(worker.lab, token, step, worker.settings, utc_now())
    worker.publish(woken)
    if work is None:
        return
    ended = _carry_out(worker, work)
    if worker.stopping.is_set() and not ended.ok:
        # This worker ended the child itself; its successor takes the lease back.
        return
    worker.publish(_write_down(worker, work, ended))


def _carry_out(worker: lab_worker.LabWorker, work: Work) -> Ended:
    try:
        run_folders.write(worker.settings.results_dir, work)
        return worker.carry_out(work)
    except (OSError, errors.BadResultsFolder, errors.StageBuildFailure, RuntimeError) as problem:
        logger.exception("lease %s: %s could not begin", work.token, work.step.value)
        return Ended.not_begun(f"{work.step.value} could not begin: {problem}")


def _write_down(worker: lab_worker.LabWorker, work: Work, ended: Ended) -> list[Wake]:
    """The verdict reaches the database as soon as that answers again, for as long as the lease lives."""
    pause, last = 0.5, time.monotonic() + worker.settings.lease_length
    while True:
        try:
            with database.connection():
                run_folders.close(worker.settings.results_dir, work, utc_now())
                return steps.end(work.token, work.step, ended, worker.settings, utc_now())
        except (errors.DatabaseUnreachable, peewee.OperationalError, peewee.InterfaceError) as problem:
            if time.monotonic() > last:
                raise
            logger.warning("lease %s: the end of %s waits for the database: %s", work.token, work.step.value, problem)
            time.sleep(pause)
            pause = min(2 * pause, 10.0)
