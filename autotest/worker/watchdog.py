"""The watchdog: a worker that no longer hears its own messages drops its connection and consumes anew.

Workers that stop consuming after a Redis reconnect are a recurring Celery fault (celery issues 8030, 8091, 10205).
Each worker sends itself a poke every few seconds over a queue of its own; silence while the broker takes the pokes
means that the consumer is deaf.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import Any

from celery import bootsteps, signals
from celery.worker import state

from autotest import celery, errors

logger = logging.getLogger(__name__)

POKE_EVERY = 5.0
DEAF_AFTER = 30.0


class Watchdog(bootsteps.StartStopStep):
    """One for each Celery worker process; it outlives the consumers that it watches."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, consumer: Any, **options: Any):
        super().__init__(consumer, **options)
        self._consumer: Any = None
        self._heard = time.monotonic()
        self._queue = f"node.{consumer.hostname}"
        signals.task_received.connect(self._hear, weak=False)
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def start(self, consumer: Any) -> None:
        """Listen to the queue of this node."""
        self._heard = time.monotonic()
        self._consumer = consumer
        consumer.add_task_queue(self._queue, exchange="", routing_key=self._queue)

    def stop(self, consumer: Any) -> None:
        """The consumer goes; it is started again when the broker is back."""
        self._consumer = None

    def _hear(self, request: Any = None, **_: Any) -> None:
        if request is not None and request.name == celery.POKE:
            self._heard = time.monotonic()

    def _watch(self) -> None:
        while True:
            time.sleep(POKE_EVERY)
            consumer = self._consumer
            if consumer is None:
                continue
            try:
                celery.publish([celery.Poke(self._queue)])
            except errors.BrokerUnreachable:
                self._heard = time.monotonic()
                continue
            full = len(state.reserved_requests) >= consumer.pool.num_processes
            if full:
                self._heard = time.monotonic()
            elif time.monotonic() - self._heard > DEAF_AFTER:
                logger.error("%s heard nothing for %.0f s: it connects to the broker anew", self._queue, DEAF_AFTER)
                self._heard = time.monotonic()
                consumer.hub.call_soon(_drop_connection)


def _drop_connection() -> None:
    raise ConnectionResetError("the watchdog dropped a connection that delivered nothing")
