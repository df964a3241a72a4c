"""Waiting: why a queued entry has no host yet, decided from what is known of each host."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from autotest import plurals
from autotest.host_info import natural_order
from autotest.scheduler.labels import Queue
from autotest.scheduler.quotas import Quota
from autotest.states import HostStatus

#: Hosts that a summary names; of more it gives the numbers.
_NAMED = 3


class Holder(NamedTuple):
    """Who has a host: the open lease, its step, and the job it serves (None: a task of the host's own)."""

    token: int
    step: str
    job_id: int | None


class Obstacle(NamedTuple):
    """Why one host takes no new work: *kind* to count by, *text* for people."""

    kind: str
    text: str


@dataclasses.dataclass(frozen=True)
class HostState:
    """One host as a claim would see it. *silent_s*: seconds since the worker of its lab was seen, None for never."""

    host_id: int
    hostname: str
    labels: frozenset[str] = frozenset()
    status: str = HostStatus.READY.value
    status_reason: str = ""
    locked: bool = False
    locked_by: str = ""
    lock_reason: str = ""
    lab: str = ""
    #: Why its lab is drained and by whom; empty while it is not.
    drained: str = ""
    silent_s: float | None = None
    holder: Holder | None = None
    task: str = ""


@dataclasses.dataclass(frozen=True)
class Waiting:
    """Why entries of one queue wait. *free* and *blocked* are the hosts that carry the labels, by name; *summary* is
    one line for people. *served*: a carrier is free, or busy under a worker that lives, so that the turn will come."""

    labels: tuple[str, ...]
    #: The hosts that are named, if any: ``h1`` or ``h1, h2``.
    host: str
    free: tuple[str, ...]
    blocked: Mapping[str, Obstacle]
    served: bool
    summary: str


def obstacle(host: HostState, dead_after_s: float) -> Obstacle | None:
    """Why *host* takes no new work; None when it does. A worker unseen for *dead_after_s* seconds counts as gone."""
    if host.holder is not None:
        whose = f"job {host.holder.job_id}" if host.holder.job_id is not None else "a task of its own"
        return Obstacle("leased", f"leased to {whose} ({host.holder.step})")
    if host.locked:
        return Obstacle("locked", f"locked by {host.locked_by or 'somebody'} ({host.lock_reason or 'no reason given'})")
    if host.drained:
        return Obstacle("drained", f"lab {host.lab} is drained by {host.drained}")
    if host.status != HostStatus.READY.value:
        return Obstacle(host.status, f"{host.status} ({host.status_reason})" if host.status_reason else host.status)
    if not host.lab:
        return Obstacle("in no lab", "in no lab, so that no worker reaches it")
    if host.silent_s is None:
        return Obstacle("without a worker", f"of lab {host.lab}, no worker seen yet")
    if host.silent_s >= dead_after_s:
        return Obstacle("without a worker", f"of lab {host.lab}, no worker seen for {host.silent_s:.0f} s")
    return Obstacle("in care", f"waits for its own {host.task}") if host.task else None


def explain(
    queue: Queue,
    hosts: Iterable[HostState],
    dead_after_s: float,
    excluded: Mapping[int, str] | None = None,
    nearest: Sequence[str] = (),
    quota: Quota | None = None,
) -> Waiting:
    """Say why entries of *queue* wait. *excluded*: hosts that one entry may not take, by id, and why; *nearest*:
    existing labels close to those that no host carries; *quota*: of the suite whose line it is."""
    known, barred = list(hosts), excluded or {}
    carriers = [host for host in known if queue.accepts(host.host_id, host.labels)]
    carriers.sort(key=lambda host: natural_order(host.hostname))
    free: dict[str, str] = {}
    blocked: dict[str, Obstacle] = {}
    coming: Counter[str] = Counter()
    for host in carriers:
        found = obstacle(host, dead_after_s)
        if host.host_id in barred:
            found = Obstacle("barred", barred[host.host_id])
        elif found is None or (found.kind == "leased" and _comes_back(host, dead_after_s)):
            coming[host.lab] += 1
        if found is None:
            free[host.hostname] = host.lab
        else:
            blocked[host.hostname] = found
    meant = queue.hosts or {queue.host_id}
    bound = ", ".join(sorted((host.hostname for host in known if host.host_id in meant), key=natural_order))
    wanted = f"host {bound}" if bound else ", ".join(sorted(queue.labels)) or "any label"
    if quota is not None and not quota.allows(queue.size):
        summary = _at_its_limit(queue, quota)
    elif not carriers:
        summary = _nobody(queue, known, wanted, nearest)
    else:
        summary = _summary(queue.size, wanted, bool(bound), free, blocked)
    served = max(coming.values(), default=0) >= queue.size
    return Waiting(tuple(sorted(queue.labels)), bound, tuple(free), blocked, served, summary)


def _at_its_limit(queue: Queue, quota: Quota) -> str:
    needs = f", and {queue.size} are needed at once" if queue.size > 1 else ""
    never = "; it can never run" if quota.cap is not None and queue.size > quota.cap else ""
    share = f"{quota.held} of the {plurals.counted(quota.cap or 0, 'machine')} that it may (num)"
    return f"suite job {queue.suite_id} holds {share}{needs}{never}"


def _comes_back(host: HostState, dead_after_s: float) -> bool:
    """Whether a host that is busy takes new work afterwards."""
    return not host.drained and host.silent_s is not None and host.silent_s < dead_after_s


def lacking(queue: Queue, hosts: Iterable[HostState]) -> list[str]:
    """Labels of *queue* that no host at all carries."""
    carried = {label for host in hosts for label in host.labels}
    return sorted(queue.labels - carried)


def _nobody(queue: Queue, known: list[HostState], wanted: str, nearest: Sequence[str]) -> str:
    missing = lacking(queue, known)
    if queue.host_id is not None:
        return f"{wanted} is not in the inventory or lost the labels {', '.join(sorted(queue.labels))}"
    if not missing:
        return f"no host carries {wanted} together"
    hint = f"; nearest: {', '.join(nearest)}" if nearest else ""
    return f"no host carries {', '.join(missing)}{hint}"


def _summary(size: int, wanted: str, is_bound: bool, free: Mapping[str, str], blocked: Mapping[str, Obstacle]) -> str:
    """*free* are hosts with the lab of each."""
    count = len(free) + len(blocked)
    subject = wanted if is_bound else f"{plurals.counted(count, 'host carries', 'hosts carry')} {wanted}"
    if size > 1:
        subject += f", {size} of one lab are needed at once"
    if free:
        named = ", ".join(list(free)[:_NAMED]) + (" ..." if len(free) > _NAMED else "")
        if max(Counter(free.values()).values()) < size:
            return f"{subject}; free so far: {named}"
        return f"{subject}; free and about to be claimed: {named}"
    if count <= _NAMED:
        return f"{subject}; none is free: " + "; ".join(_sentence(name, found) for name, found in blocked.items())
    kinds = Counter(found.kind for found in blocked.values())
    return f"{subject}; none is free: " + ", ".join(f"{number} {kind}" for kind, number in kinds.most_common())


def _sentence(hostname: str, found: Obstacle) -> str:
    return f"{hostname} ({found.text})" if found.kind == "drained" else f"{hostname} {found.text}"
