"""Which host an entry gets: pure functions over label sets, without clock or database."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from autotest.host_info import natural_order
from autotest.scheduler.labels import Queue
from autotest.states import Protection


class Candidate(NamedTuple):
    """A free host that could take the entry."""

    host_id: int
    hostname: str
    labels: frozenset[str]
    #: Those of its labels that it serves only for entries that ask for them (only_if_needed).
    rare: frozenset[str] = frozenset()
    protection: int = Protection.NO_PROTECTION


def choose(
    candidates: Iterable[Candidate], wanted_versions: frozenset[str], queues: Sequence[Queue]
) -> Candidate | None:
    """The host to take: one that already carries most of the wanted versions, then the one that can serve the fewest
    of the waiting *queues*, so that scarce hosts stay free, then natural hostname order (section 3.2)."""
    fitting = list(candidates)
    if not fitting:
        return None
    for_any = {queue.labels for queue in queues if queue.host_id is None}
    for_one = {queue.family: queue for queue in queues if queue.host_id is not None}.values()
    # Labs have many hosts of few kinds: each kind is compared with the queues once.
    kinds = {
        kind: (-len(wanted_versions & kind), sum(labels <= kind for labels in for_any))
        for kind in {host.labels for host in fitting}
    }

    def rank(host: Candidate) -> tuple[int, int]:
        versions, uses = kinds[host.labels]
        return versions, uses + sum(queue.accepts(host.host_id, host.labels) for queue in for_one)

    ranks = [rank(host) for host in fitting] if for_one else [kinds[host.labels] for host in fitting]
    best = min(ranks)
    alike = [host for host, its in zip(fitting, ranks, strict=True) if its == best]
    return min(alike, key=lambda host: natural_order(host.hostname))


def servable(free: Sequence[Candidate], queues: Iterable[Queue]) -> set[str]:
    """Keys of the queues that the *free* hosts could serve: one that fits, or as many as the queue's group needs."""
    return {
        queue.key for queue in queues if len(list(itertools.islice(_fitting(free, queue), queue.size))) == queue.size
    }


def take(free: list[Candidate], queue: Queue, queues: Sequence[Queue]) -> list[Candidate]:
    """Remove from *free* the hosts that *queue* would be given, and return them; [] when too few fit."""
    if not servable(free, [queue]):
        return []
    taken = several(_fitting(free, queue), queue.size, frozenset(), queues)
    for host in taken:
        free.remove(host)
    return taken


def several(
    candidates: Iterable[Candidate], count: int, wanted_versions: frozenset[str], queues: Sequence[Queue]
) -> list[Candidate]:
    """Up to *count* of the candidates, those to take first."""
    left = list(candidates)
    taken: list[Candidate] = []
    while len(taken) < count and (host := choose(left, wanted_versions, queues)) is not None:
        left.remove(host)
        taken.append(host)
    return taken


def _fitting(free: Iterable[Candidate], queue: Queue) -> Iterator[Candidate]:
    return (host for host in free if queue.accepts(host.host_id, host.labels))
