"""Waiting: why a queued entry has no host yet, decided from what is known of each host."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from autotest.host_info import natural_order
from autotest.scheduler.labels import Queue
from autotest.states import HostStatus

#: Hosts that a summary names; the others are counted.
_NAMED = 3


class Holder(NamedTuple):
    """Who has a host: the open lease, its step, and the job it serves (None: a task of the host's own)."""

    token: int
    step: str
    job_id: int | None


@dataclasses.dataclass(frozen=True)
class HostState:
    """One host as a claim would see it. *silent_s*: seconds since the worker of its lab was seen, None for never."""

    host_id: int
    hostname: str
    labels: frozenset[str]
    status: str
    status_reason: str = ""
    locked: bool = False
    locked_by: str = ""
    lock_reason: str = ""
    lab: str = ""
    silent_s: float | None = None
    holder: Holder | None = None
    task: str = ""


@dataclasses.dataclass(frozen=True)
class Waiting:
    """Why entries of one queue wait. *blocked* holds (hostname, why) of every carrier that is not free; *summary* is
    one line for people. *served*: a carrier is free or only busy, so that the entry gets its turn."""

    labels: tuple[str, ...]
    host: str
    carriers: int
    free: tuple[str, ...]
    blocked: tuple[tuple[str, str], ...]
    served: bool
    summary: str


def why_not_free(host: HostState, dead_after_s: float) -> str:
    """Why *host* takes no new work now; '' when it does. A worker unseen for *dead_after_s* seconds counts as gone."""
    if host.holder is not None:
        whose = f"job {host.holder.job_id}" if host.holder.job_id is not None else "itself"
        return f"leased to {whose} ({host.holder.step})"
    if host.locked:
        return f"locked by {host.locked_by or 'somebody'} ({host.lock_reason or 'no reason given'})"
    if host.status != HostStatus.READY.value:
        return f"{host.status} ({host.status_reason})" if host.status_reason else host.status
    if not host.lab:
        return "in no lab, so no worker reaches it"
    if host.silent_s is None:
        return f"lab {host.lab}: no worker was ever seen"
    if host.silent_s >= dead_after_s:
        return f"lab {host.lab}: no worker seen for {host.silent_s:.0f} s"
    return f"waits for its own {host.task}" if host.task else ""


def explain(
    queue: Queue,
    hosts: Iterable[HostState],
    dead_after_s: float,
    excluded: dict[int, str] | None = None,
    nearest: Sequence[str] = (),
) -> Waiting:
    """Say why entries of *queue* wait. *excluded*: hosts that one entry may not take, by id, and why; *nearest*:
    existing labels close to those that no host carries."""
    known = list(hosts)
    carriers = sorted(
        (host for host in known if queue.accepts(host.host_id, host.labels)),
        key=lambda host: natural_order(host.hostname),
    )
    reasons = {host.hostname: (excluded or {}).get(host.host_id) or why_not_free(host, dead_after_s) for host in carriers}
    free = tuple(name for name, reason in reasons.items() if not reason)
    blocked = tuple((name, reason) for name, reason in reasons.items() if reason)
    bound = next((host.hostname for host in known if host.host_id == queue.host_id), "")
    wanted = f"host {bound}" if bound else ", ".join(sorted(queue.labels)) or "any host"
    served = bool(free) or any(
        host.holder is not None and host.host_id not in (excluded or {}) and not _lab_is_gone(host, dead_after_s)
        for host in carriers
    )
    return Waiting(
        labels=tuple(sorted(queue.labels)),
        host=bound,
        carriers=len(carriers),
        free=free,
        blocked=blocked,
        served=served,
        summary=_summary(queue, known, wanted, free, blocked, nearest),
    )


def lacking(queue: Queue, hosts: Iterable[HostState]) -> list[str]:
    """Labels of *queue* that no host at all carries."""
    carried = {label for host in hosts for label in host.labels}
    return sorted(queue.labels - carried)


def _lab_is_gone(host: HostState, dead_after_s: float) -> bool:
    return host.silent_s is None or host.silent_s >= dead_after_s


def _summary(
    queue: Queue,
    known: list[HostState],
    wanted: str,
    free: tuple[str, ...],
    blocked: tuple[tuple[str, str], ...],
    nearest: Sequence[str],
) -> str:
    if not free and not blocked:
        missing = lacking(queue, known)
        if not missing:
            return f"no host carries {wanted} together"
        hint = f"; nearest: {', '.join(nearest)}" if nearest else ""
        return f"no host carries {', '.join(missing)}{hint}"
    count = len(free) + len(blocked)
    subject = wanted if queue.host_id is not None else f"{count} host{'s carry' if count > 1 else ' carries'} {wanted}"
    if free:
        return f"{subject}: {_names(free)} free, so the next claim takes {'it' if len(free) == 1 else 'one'}"
    kinds = Counter(reason.partition(" (")[0] for _, reason in blocked)
    if len(blocked) <= _NAMED:
        return f"{subject}: " + ", ".join(f"{name} is {reason}" for name, reason in blocked)
    return f"{subject}, none is free: " + ", ".join(f"{number} {kind}" for kind, number in kinds.most_common())


def _names(names: Sequence[str]) -> str:
    rest = f" and {len(names) - _NAMED} more are" if len(names) > _NAMED else " are" if len(names) > 1 else " is"
    return ", ".join(names[:_NAMED]) + rest
