"""Credits: which label queues this lab may listen to, and the Celery step that opens and closes them.

A queue is open exactly while free hosts of the lab could serve it; for a while also when nothing waits there, so that
its next entry need not be heard of first. A credit drops in the consumer thread when a
message is received, before the next poll; the claim in the database then decides, and the keeper's next look at the
database puts everything right. Where the claim said that nobody may have the hosts (they are kept for somebody else, a
suite has all it may have), the queue stays shut until a host becomes free, and for a second at least.
"""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Collection
from typing import Any

from celery import bootsteps

from autotest.scheduler import matching, wakes
from autotest.scheduler.claims import Claim, Found
from autotest.scheduler.labels import Queue
from autotest.scheduler.matching import Candidate

_BARREN_S = 1.0
#: A queue that nothing waited in for so long is not listened to any more; nor are more such queues than so many.
_REMEMBERED_S = 600.0
_MOST_REMEMBERED = 64


class Credits:
    """Free hosts and busy queues as this worker knows them, queues by family. Thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._lock = threading.Lock()
        self._clock = clock
        self._free: list[Candidate] = []
        self._queues: dict[str, Queue] = {}
        #: Queues in which something waited lately, by family, and when; the latest one at the end.
        self._lately: dict[str, tuple[Queue, float]] = {}
        #: Families whose claim found no host although one was free, until when, and what was free then.
        self._barren: dict[str, tuple[float, frozenset[int]]] = {}
        #: Hosts set aside for messages whose claim has not come back, by family.
        self._aside: dict[str, list[list[Candidate]]] = defaultdict(list)
        self._claims = 0
        #: The claim that took each host last, so that an older look at the database does not free it again.
        self._taken: dict[int, int] = {}

    def now(self) -> int:
        """How many claims came back so far; asked before the database is looked at for :meth:`refresh`."""
        with self._lock:
            return self._claims

    def refresh(
        self, free: list[Candidate], queues: list[Queue], looked: int, full: Collection[str] = frozenset()
    ) -> set[str]:
        """Take over what the database said at the moment *looked*: free hosts, queues with entries, and families that
        may have no more hosts now. Returns the families of the queues to listen to."""
        with self._lock:
            away = {host.host_id for messages in self._aside.values() for hosts in messages for host in hosts}
            away |= {host_id for host_id, claim in self._taken.items() if claim > looked}
            self._free = [host for host in free if host.host_id not in away]
            here = frozenset(host.host_id for host in self._free)
            now = self._clock()
            self._remember({queue.family: queue._replace(key=queue.family) for queue in queues}, full, now)
            self._barren = {
                family: (until, here) for family, (until, seen) in self._barren.items() if until > now and here <= seen
            }
            return self._servable()

    def received(self, family: str) -> set[str]:
        """A message for the queues of *family* came: set aside the hosts that its claim will want."""
        with self._lock:
            queue = self._queues.get(family)
            hosts = matching.take(self._free, queue, list(self._queues.values())) if queue is not None else []
            if hosts:
                self._aside[family].append(hosts)
            return self._servable()

    def settled(self, family: str, claim: Claim, messages: int = 1) -> set[str]:
        """The claim of so many messages came back."""
        with self._lock:
            aside = self._aside.get(family, [])
            hosts = [host for _ in range(min(messages, len(aside))) for host in aside.pop()]
            self._claims += 1
            self._taken |= dict.fromkeys(claim.host_ids, self._claims)
            self._free = [each for each in self._free if each.host_id not in claim.host_ids]
            for others in self._aside.values():
                # A claim serves also those who go before it, with hosts that were set aside for somebody else.
                others[:] = [[host for host in some if host.host_id not in claim.host_ids] for some in others]
            if claim.found is Found.NO_HOST:
                # Hosts that the database did not give stay out until the next refresh.
                seen = frozenset(host.host_id for host in (*hosts, *self._free))
                self._barren[family] = (self._clock() + _BARREN_S, seen)
            else:
                self._free += [host for host in hosts if host.host_id not in claim.host_ids]
            return self._servable()

    def _remember(self, busy: dict[str, Queue], full: Collection[str], now: float) -> None:
        for family, queue in busy.items():
            self._lately.pop(family, None)
            self._lately[family] = queue, now
        latest = list(self._lately.items())[-max(_MOST_REMEMBERED, len(busy)) :]
        self._lately = {family: seen for family, seen in latest if now - seen[1] < _REMEMBERED_S}
        self._queues = {
            family: queue for family, (queue, _) in self._lately.items() if family in busy or family not in full
        }

    def _servable(self) -> set[str]:
        return matching.servable(self._free, self._queues.values()) - self._barren.keys()


class Messages:
    """How many messages of each family were received whose claim has not begun. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: Counter[str] = Counter()

    def received(self, family: str) -> None:
        """A message came."""
        with self._lock:
            self._waiting[family] += 1

    def taken(self, family: str, most: int) -> int:
        """A claim begins, for up to *most* of the messages that wait. Returns for how many: 0 when another claim took
        them all."""
        with self._lock:
            count = min(self._waiting[family], most)
            self._waiting[family] -= count
            return count


class LabelQueues:
    """The label queues that a Celery consumer listens to; changed only in the consumer's own thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._consumer: Any = None
        self._open: set[str] = set()
        self._wanted: set[str] = set()

    def attach(self, consumer: Any) -> None:
        """The consumer (re)started; one that lost its broker still listens to the queues that it knew."""
        prefix = wakes.label_queue("")
        known = [name for name in consumer.app.amqp.queues.consume_from if name.startswith(prefix)]
        with self._lock:
            self._consumer, self._open = consumer, {name.removeprefix(prefix) for name in known}
        self.want(self._wanted)

    def detach(self) -> None:
        """The consumer stopped, or lost the broker."""
        with self._lock:
            self._consumer, self._open = None, set()

    def want(self, keys: set[str]) -> bool:
        """Listen to exactly these queues soon. True when a new one opens, so that the poll under way must be ended."""
        with self._lock:
            opens = bool(keys - self._open) and self._consumer is not None
            changes = keys != self._open
            self._wanted = set(keys)
            if changes and self._consumer is not None:
                self._consumer.hub.call_soon(self._apply)
            return opens

    def apply_now(self, keys: set[str]) -> None:
        """Like want, at once: for the consumer's own thread."""
        with self._lock:
            self._wanted = set(keys)
        self._apply()

    def _apply(self) -> None:
        with self._lock:
            consumer, wanted = self._consumer, set(self._wanted)
            if consumer is None or consumer.task_consumer is None:
                return
            for key in self._open - wanted:
                consumer.cancel_task_queue(wakes.label_queue(key))
            for key in wanted - self._open:
                name = wakes.label_queue(key)
                consumer.add_task_queue(name, exchange="", routing_key=name)
            self._open = wanted


class LabelQueueStep(bootsteps.StartStopStep):
    """Ties LabelQueues to the life of the Celery consumer."""

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def __init__(self, consumer: Any, **options: Any):
        super().__init__(consumer, **options)
        self._queues: LabelQueues = consumer.app.label_queues

    def start(self, consumer: Any) -> None:
        self._queues.attach(consumer)

    def stop(self, consumer: Any) -> None:
        self._queues.detach()
