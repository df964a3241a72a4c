"""The keeper: a thread of the lab worker that beats for running steps, kills what was aborted or fenced, sends overdue
steps again, and looks at the database for hosts and queues that changed."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

import peewee

from autotest import errors
from autotest.models import database
from autotest.models.database import utc_now
from autotest.models.lab import Lab
from autotest.scheduler import hosts, leases, reconcile
from autotest.worker.lab_worker import LabWorker

logger = logging.getLogger(__name__)

#: Abort must work within 2 s, on the DUT as well.
_ABORT_EVERY = 0.4
_REFRESH_EVERY = 1.0
#: Changes that come together are looked at together.
_REFRESH_APART = 0.05
_OVERDUE_EVERY = 1.0


class Keeper:
    """Runs each duty at its pace until the worker stops; a duty that fails is logged and tried again."""

    def __init__(self, worker: LabWorker):
        self._worker = worker
        self._duties: list[tuple[float, Callable[[], None]]] = [
            (_ABORT_EVERY, self._abort),
            (_REFRESH_EVERY, self._refresh),
            (_OVERDUE_EVERY, self._overdue),
            (worker.settings.beat_every, self._beat),
        ]
        self._thread = threading.Thread(target=self._keep, name="keeper", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def _keep(self) -> None:
        due = {duty: 0.0 for _, duty in self._duties}
        refreshed = 0.0
        while not self._worker.stopping.is_set():
            now = time.monotonic()
            if self._worker.changed.is_set():
                self._worker.changed.clear()
                due[self._refresh] = min(due[self._refresh], refreshed + _REFRESH_APART)
            for every, duty in self._duties:
                if due[duty] <= now:
                    due[duty] = now + every
                    self._attempt(duty)
                    if duty == self._refresh:
                        refreshed = time.monotonic()
            pause = max(0.0, min(due.values()) - time.monotonic())
            self._worker.changed.wait(pause)

    def _attempt(self, duty: Callable[[], None]) -> None:
        try:
            duty()
        except (errors.DatabaseUnreachable, peewee.OperationalError, peewee.InterfaceError) as problem:
            # A lab that lost its database finishes its tests; nobody takes its leases before they expire.
            logger.warning("%s could not look at the database: %s", duty.__name__, problem)
        except Exception:
            logger.exception("the keeper's %s failed; it goes on", duty.__name__)

    def _beat(self) -> None:
        worker = self._worker
        running = worker.running()
        with database.connection():
            alive = leases.beat(running)
            hosts.seen(worker.lab.id)
            incarnation = Lab.get_by_id(worker.lab.id).incarnation
        for token in set(running) - alive:
            worker.kill(token, "its lease was taken back")
        if incarnation != worker.lab.incarnation:
            worker.give_way(incarnation)

    def _abort(self) -> None:
        worker = self._worker
        with database.connection():
            tokens, woken = reconcile.aborted(worker.lab, utc_now())
        for token in tokens:
            worker.kill(token, "its entry was aborted")
        worker.publish(woken)

    def _overdue(self) -> None:
        worker = self._worker
        with database.connection():
            woken = reconcile.overdue(worker.lab, worker.settings, utc_now())
        worker.publish(woken)

    def _refresh(self) -> None:
        self._worker.lease_tasks()
        self._worker.refresh_credits()
