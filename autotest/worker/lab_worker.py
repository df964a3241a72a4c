"""The lab worker: one process that serves one lab, and what its Celery tasks need to reach from any thread."""

from __future__ import annotations

import logging
import os
import signal
import threading
from pathlib import Path

from autotest import celery, errors, plurals
from autotest.job_file import StepOutcome
from autotest.models import database
from autotest.models.database import utc_now
from autotest.models.lab import Lab
from autotest.scheduler import builds, floor, hosts, labels, labs, leases, quotas, reconcile, wakes
from autotest.scheduler.claims import Claim
from autotest.scheduler.steps import Ended, Work
from autotest.scheduler.wakes import Wake
from autotest.server.launcher import Launcher
from autotest.settings import Settings
from autotest.worker import succession
from autotest.worker.credits import Credits, LabelQueues, Messages
from autotest.worker.lab_config import LabConfig

logger = logging.getLogger(__name__)


class LabWorker:
    """One incarnation of one lab.

    The launcher is started first, while the process has one thread; then the lab is registered, which fences off
    every predecessor.
    """

    def __init__(self, config: LabConfig, settings: Settings, launcher: Launcher | None = None):
        self.config = config
        self.settings = settings
        self.queues = LabelQueues()
        self.credits = Credits()
        self.messages = Messages()
        self.changed = threading.Event()
        self.stopping = threading.Event()
        #: The database lets one claim of a lab go at a time; a step waits for that one only, not for a heap of them.
        self.claiming = threading.Lock()
        self._launcher = launcher or Launcher()
        self._running: dict[int, Path] = {}
        self._lock = threading.Lock()
        self._lab: Lab | None = None
        self._stopped: str | None = None

    @property
    def lab(self) -> Lab:
        """The lab's row as it was registered. Raises IllegalMove before start."""
        if self._lab is None:
            raise errors.IllegalMove(f"lab {self.config.name} is not registered yet")
        return self._lab

    def start(self) -> None:
        """Start the fork server, register the lab and take back what its predecessor held."""
        self._launcher.start()
        with database.connection():
            self._lab = hosts.start_lab(self.config.name, succession.here(), self.config.hosts, utc_now())
            woken = reconcile.predecessors(self._lab, self.settings, utc_now())
            # Afterwards, so that what a predecessor held of them is taken back first.
            gone = hosts.keep_only(self._lab, [host.hostname for host in self.config.hosts])
        self.publish(woken)
        if gone:
            names = ", ".join(gone)
            logger.warning("lab %s: its file does not name %s any more; no work goes there", self._lab.name, names)
        count = plurals.counted(len(self.config.hosts), "host")
        logger.info("lab %s: incarnation %s, %s", self._lab.name, self._lab.incarnation, count)

    def stop(self) -> None:
        """End every child; their steps go back to their queues."""
        self.stopping.set()
        self.changed.set()
        self._launcher.close()

    def sign_off(self) -> None:
        """Let the next worker of this lab begin without a wait; it waits when this could not be written down."""
        try:
            with database.connection():
                labs.gone(self.lab)
        except errors.DatabaseUnreachable as problem:
            logger.warning("%s; the next worker of lab %s waits for a sign of life", problem, self.config.name)

    def give_way(self, incarnation: int) -> None:
        """A newer worker serves this lab: end this process as a SIGTERM would."""
        logger.error(
            "lab %s is served by incarnation %s now, this worker was %s: it stops",
            self.lab.name,
            incarnation,
            self.lab.incarnation,
        )
        os.kill(os.getpid(), signal.SIGTERM)

    def publish(self, woken: list[Wake]) -> None:
        """Publish; a broker that does not answer is no loss, since the sweep sends again."""
        try:
            celery.publish(celery.needed(woken))
        except errors.BrokerUnreachable as problem:
            waiting = plurals.counted(len(woken), "wake waits", "wakes wait")
            logger.warning("%s; %s for the sweep", problem, waiting)
        if woken:
            self.changed.set()

    def carry_out(self, work: Work) -> Ended:
        """Run the step in a child and wait for its end; its build is fetched first, where dev servers have it.

        The folder is written first. Raises StageBuildFailure.
        """
        folder = self.settings.results_dir / work.folder
        with self._lock:
            self._running[work.token] = folder
        try:
            if work.build and self.settings.devservers:
                builds.stage(self.settings, work.build)
            end = self._launcher.run(folder, work.job_file.deadline_s)
        finally:
            with self._lock:
                self._running.pop(work.token, None)
        return Ended(end.cause, StepOutcome.read(folder))

    def running(self) -> dict[int, Path]:
        """Tokens and folders of the steps that run now."""
        with self._lock:
            return dict(self._running)

    def kill(self, token: int, why: str) -> None:
        """End the child of a step, on the DUT as well."""
        folder = self.running().get(token)
        if folder is not None:
            logger.warning("killing the step of lease %s: %s", token, why)
            threading.Thread(target=self._launcher.kill, args=(folder,), daemon=True).start()

    def message_received(self, key: str) -> None:
        """Called in the consumer's thread for each message of a label queue."""
        self.messages.received(key)
        self.queues.apply_now(self.credits.received(key))

    def claim_settled(self, key: str, claim: Claim, messages: int) -> None:
        """Called when the claim of so many messages came back from the database."""
        self._listen(self.credits.settled(key, claim, messages))
        self.changed.set()

    def refresh_credits(self) -> None:
        """Look at the database and listen to the queues that a free host could serve."""
        looked = self.credits.now()
        with database.connection():
            free, queues = hosts.free(self.lab.id), labels.busy_queues()
            full = quotas.full(queues)
        if self.is_stopped():
            free = []
        able = [queue for queue in queues if queue.key not in full]
        shut = {queue.family for queue in queues} - {queue.family for queue in able}
        self._listen(self.credits.refresh(free, able, looked, shut))

    def is_stopped(self) -> bool:
        """Whether the results disk is too full for work to start; told once, and once when it has room again."""
        reason = floor.reason(self.settings)
        if (reason is None) != (self._stopped is None):
            logger.warning("%s", reason or "the results disk has room again; work goes on")
        self._stopped = reason
        return reason is not None

    def lease_tasks(self) -> None:
        """Begin the verifies and repairs that wait for a free host."""
        if self.is_stopped():
            return
        with database.connection():
            woken = leases.grant_tasks(self.lab, utc_now(), reconcile.due_in(self.settings))
        self.publish(woken)

    def _listen(self, keys: set[str]) -> None:
        if self.queues.want(keys):
            self.publish_poke()

    def publish_poke(self) -> None:
        """End the consumer's poll, so that it sees queues that were opened meanwhile."""
        try:
            celery.publish([celery.Poke(wakes.lab_queue(self.lab.name))])
        except errors.BrokerUnreachable as problem:
            logger.debug("no poke: %s", problem)


_current: LabWorker | None = None


def serve(worker: LabWorker) -> None:
    """Make *worker* the one that this process's tasks work for."""
    global _current
    _current = worker


def serves() -> bool:
    """Whether this process is a lab worker."""
    return _current is not None


def current() -> LabWorker:
    """The lab worker of this process. Raises IllegalMove in any other process."""
    if _current is None:
        raise errors.IllegalMove("a DUT step reached a process that is no lab worker")
    return _current
