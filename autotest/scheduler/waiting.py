"""Waiting: why a queued entry has no host yet, decided from what is known of each host."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from autotest.host_info import natural_order
from autotest.scheduler.labels import Queue
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
) -> Waiting:
    """Say why entries of *queue* wait. *excluded*: hosts that one entry may not take, by id, and why; *nearest*:
    existing labels close to those that no host carries."""
    known, barred = list(hosts), excluded or {}
    carriers = [host for host in known if queue.accepts(host.host_id, host.labels)]
    carriers.sort(key=lambda host: natural_order(host.hostname))
    free: list[str] = []
    blocked: dict[str, Obstacle] = {}
    served = False
    for host in carriers:
        found = obstacle(host, dead_after_s)
        if host.host_id in barred:
            found = Obstacle("barred", barred[host.host_id])
        elif found is None or (found.kind == "leased" and _comes_back(host, dead_after_s)):
            served = True
        if found is None:
            free.append(host.hostname)
        else:
            blocked[host.hostname] = found
    bound = next((host.hostname for host in known if host.host_id == queue.host_id), "")
    wanted = f"host {bound}" if bound else ", ".join(sorted(queue.labels)) or "any label"
    summary = _summary(wanted, bool(bound), free, blocked) if carriers else _nobody(queue, known, wanted, nearest)
    return Waiting(tuple(sorted(queue.labels)), bound, tuple(free), blocked, served, summary)


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


def _summary(wanted: str, is_bound: bool, free: Sequence[str], blocked: Mapping[str, Obstacle]) -> str:
    count = len(free) + len(blocked)
    subject = wanted if is_bound else f"{count} {'host carries' if count == 1 else 'hosts carry'} {wanted}"
    if free:
        named = ", ".join(free[:_NAMED]) + (" ..." if len(free) > _NAMED else "")
        return f"{subject}; free and about to be claimed: {named}"
    if count <= _NAMED:
        return f"{subject}; none is free: " + "; ".join(_sentence(name, found) for name, found in blocked.items())
    kinds = Counter(found.kind for found in blocked.values())
    return f"{subject}; none is free: " + ", ".join(f"{number} {kind}" for kind, number in kinds.most_common())


def _sentence(hostname: str, found: Obstacle) -> str:
    return f"{hostname} ({found.text})" if found.kind == "drained" else f"{hostname} {found.text}"
