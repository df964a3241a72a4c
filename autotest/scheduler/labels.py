"""Labels: which ones decide where an entry may run, and the queue that a label set names."""

from __future__ import annotations

import difflib
import functools
import hashlib
import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

from autotest.host_info import is_version
from autotest.models.afe import Host, HostLabel, HostQueueEntry, Label
from autotest.models.lab import LabelQueue
from autotest.models.prepared import Prepared
from autotest.states import EntryStatus

#: Labels that ask for an action and never restrict hosts (control-files-and-suites.md section 7.2).
ACTIONS = frozenset({"skip_provision", "cleanup-reboot", "rpm", "modem_repair"})


_CARRIED = (
    HostLabel.select(HostLabel.host, Label.name)
    .join(Label)
    .switch(HostLabel)
    .join(Host)
    .where(Host.invalid == False, Label.invalid == False)  # noqa: E712 - an SQL expression
)
_CARRIED_BY_ALL = Prepared(lambda: _CARRIED)
_CARRIED_BY = Prepared(lambda host_ids: _CARRIED.where(HostLabel.host.in_(host_ids)))
_QUEUES = LabelQueue.select(LabelQueue.key, LabelQueue.labels, LabelQueue.host, LabelQueue.host_count)
_BUSY = Prepared(lambda: _QUEUES.where(LabelQueue.busy == True))  # noqa: E712 - an SQL expression
_NAMED = Prepared(lambda keys: _QUEUES.where(LabelQueue.key.in_(keys)))
_WAITING_HOSTS = Prepared(
    lambda keys: HostQueueEntry.select(HostQueueEntry.queue_key, HostQueueEntry.host).where(
        HostQueueEntry.queue_key.in_(keys),
        HostQueueEntry.status == EntryStatus.QUEUED.value,
        HostQueueEntry.active == False,  # noqa: E712 - an SQL expression
    )
)


class Queue(NamedTuple):
    """A label queue: entries that need *labels*, or that name the host *host_id*; *size* of them run together.

    A group of named hosts waits for *hosts*, of which *host_id* is the first. Queues of one *family* ask for the same
    hosts: a suite whose number of machines is limited has a line of its own, ``<family>.<suite job>``.
    """

    key: str
    labels: frozenset[str]
    host_id: int | None
    size: int = 1
    hosts: frozenset[int] = frozenset()

    @property
    def family(self) -> str:
        return _parts(self.key)[0]

    @property
    def suite_id(self) -> int | None:
        """The suite job whose line this is, if it is one."""
        return _parts(self.key)[1]

    def accepts(self, host_id: int, host_labels: Collection[str]) -> bool:
        """Whether that host can serve this queue."""
        is_meant = host_id in self.hosts if self.hosts else self.host_id in (None, host_id)
        return is_meant and self.labels.issubset(host_labels)


@functools.lru_cache(maxsize=4096)
def _parts(key: str) -> tuple[str, int | None]:
    """The family of a key, and the suite whose line it names."""
    family, _, suite = key.partition(".")
    return family, int(suite) if suite else None


def deciding(labels: Iterable[str]) -> frozenset[str]:
    """Those of *labels* that a host must carry."""
    return frozenset(label for label in labels if not _is_action(label) and not is_version(label))


def versions(labels: Iterable[str]) -> frozenset[str]:
    """Those of *labels* that a provisioner can put onto a host."""
    return frozenset(filter(is_version, labels))


def _is_action(label: str) -> bool:
    return label.partition(":")[0] in ACTIONS


def queue_of(labels: Iterable[str], host_id: int | None = None, size: int = 1, suite_id: int | None = None) -> Queue:
    """The queue of entries that need *labels*, bound to *host_id* if given, *size* together; the key is a hash of all
    three. *suite_id* is the suite whose machines are limited."""
    needed = deciding(labels)
    return Queue(_key([sorted(needed), host_id, size], suite_id), needed, host_id, size)


def queue_of_group(labels: Iterable[str], host_ids: Collection[int], size: int) -> Queue:
    """The queue of entries that name these hosts, *size* of which run together."""
    needed, named = deciding(labels), sorted(host_ids)
    return Queue(_key([sorted(needed), named, size], None), needed, named[0], size, frozenset(named))


def _key(facts: list[Any], suite_id: int | None) -> str:
    text = json.dumps(facts, separators=(",", ":"))
    line = f".{suite_id}" if suite_id is not None else ""
    return hashlib.sha256(text.encode()).hexdigest()[:20] + line


def register(queue: Queue) -> None:
    """Note that *queue* has entries, so that workers look at it. Runs inside the caller's transaction."""
    if not reopen(queue.key):
        row = {"key": queue.key, "labels": json.dumps(sorted(queue.labels)), "host": queue.host_id, "busy": True}
        LabelQueue.insert({**row, "host_count": queue.size}).on_conflict_ignore().execute()


def reopen(key: str) -> bool:
    """Note that the queue *key* has entries again. False: it was never registered. Runs inside a transaction."""
    return bool(LabelQueue.update(busy=True).where(LabelQueue.key == key).execute())


def mark_idle(keys: Collection[str]) -> None:
    """Note that nothing waits in these queues, except where something does: the second look comes after the rows were
    locked, so that an entry registered meanwhile is seen. Runs inside the caller's transaction."""
    LabelQueue.update(busy=False).where(LabelQueue.key.in_(list(keys))).execute()
    mark_busy(keys)


def mark_busy(keys: Collection[str] | None = None) -> None:
    """Put right queues (of *keys*, or all) that are marked idle although an entry waits there."""
    waiting = HostQueueEntry.select(HostQueueEntry.queue_key).where(
        HostQueueEntry.status == EntryStatus.QUEUED.value,
        HostQueueEntry.active == False,  # noqa: E712 - an SQL expression
    )
    wrong = LabelQueue.busy == False  # noqa: E712 - an SQL expression
    if keys is not None:
        wrong &= LabelQueue.key.in_(list(keys))
        waiting = waiting.where(HostQueueEntry.queue_key.in_(list(keys)))
    LabelQueue.update(busy=True).where(wrong, LabelQueue.key.in_(waiting)).execute()


def busy_queues() -> list[Queue]:
    """Every queue that had entries when it was last looked at."""
    return queues_of(_BUSY.rows())


def queues_of(rows: Iterable[Sequence[Any]]) -> list[Queue]:
    """The queue of each row of key, labels, host and host count."""
    return _with_hosts([_queue(*row) for row in rows])


def queue_named(key: str) -> Queue | None:
    """The queue called *key*, or None."""
    return queues_named([key]).get(key)


def queues_named(keys: Collection[str]) -> dict[str, Queue]:
    """Those of the queues called *keys* that were ever registered."""
    return {queue.key: queue for queue in queues_of(_NAMED.rows(list(keys)))}


def _with_hosts(queues: list[Queue]) -> list[Queue]:
    """*queues*; those of groups of named hosts with the hosts that they wait for."""
    keys = [queue.key for queue in queues if queue.size > 1 and queue.host_id is not None]
    if not keys:
        return queues
    named: dict[str, set[int]] = defaultdict(set)
    for key, host_id in _WAITING_HOSTS.rows(keys):
        named[key].add(host_id)
    return [queue._replace(hosts=frozenset(named.get(queue.key, ()))) for queue in queues]


@functools.lru_cache(maxsize=4096)
def _queue(key: str, names: str, host_id: int | None, count: int) -> Queue:
    return Queue(key, frozenset(json.loads(names)), host_id, count)


def of_hosts(host_ids: Collection[int] | None = None) -> dict[int, frozenset[str]]:
    """The labels of each host in *host_ids*, or of every valid host."""
    rows = _CARRIED_BY_ALL.rows() if host_ids is None else _CARRIED_BY.rows(list(host_ids))
    found: dict[int, set[str]] = defaultdict(set)
    for host_id, name in rows:
        found[host_id].add(name)
    return {host_id: frozenset(names) for host_id, names in found.items()}


def carriers(name: str) -> Any:
    """A query for the ids of the hosts that carry the label *name*."""
    return HostLabel.select(HostLabel.host).join(Label).where(Label.name == name, Label.invalid == False)  # noqa: E712


def rows_for(names: Iterable[str]) -> dict[str, int]:
    """Label ids by name; labels that do not exist yet are created, deleted ones revived.

    Runs inside the caller's transaction.
    """
    wanted = set(names)
    known = dict(Label.select(Label.name, Label.id).where(Label.name.in_(list(wanted))).tuples())
    Label.update(invalid=False).where(
        Label.id.in_(list(known.values())),
        Label.invalid == True,  # noqa: E712 - an SQL expression
    ).execute()
    fresh = sorted(wanted - set(known))
    if fresh:
        # Somebody else may make the same ones now: the unique index lets one of us go first.
        Label.insert_many([{"name": name} for name in fresh]).on_conflict_ignore().execute()
        known |= dict(Label.select(Label.name, Label.id).where(Label.name.in_(fresh)).tuples())
    return known


def nearest(name: str, count: int = 3) -> list[str]:
    """Existing labels whose spelling is close to *name*, closest first."""
    names = [row.name for row in Label.select(Label.name).where(Label.invalid == False)]  # noqa: E712
    close = difflib.get_close_matches(name, names, n=count, cutoff=0.5)
    if close:
        return close
    key = name.partition(":")[0] + ":"
    return sorted(each for each in names if each.startswith(key))[:count]
