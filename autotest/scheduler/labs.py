"""Labs: who serves each, and the drain that lets a lab run empty for its people to work on it."""

from __future__ import annotations

import datetime
from typing import Any

from peewee import fn

from autotest import errors
from autotest.models.afe import Host, HostQueueEntry, Job
from autotest.models.database import held, retried, transaction
from autotest.models.lab import Lab, Lease
from autotest.scheduler import hosts
from autotest.scheduler.wakes import Wake


def named(name: str) -> Lab:
    """The lab of that name. Raises NotFound, naming those there are."""
    lab = Lab.get_or_none(Lab.name == name)
    if lab is None:
        known = ", ".join(known for (known,) in Lab.select(Lab.name).order_by(Lab.name).tuples())
        raise errors.NotFound(f"no lab is called {name!r}; labs: {known or 'none, since no lab worker ever ran'}")
    return lab


@retried
def drain(name: str, by: str, reason: str) -> None:
    """Let the lab take no new entry and no new task; what runs there goes on. Whoever drained it may do so again, with
    another reason.

    Raises NotFound, LabBusy when somebody else drained it.
    """
    with transaction():
        lab = held(Lab, Lab.id == named(name).id)
        if lab.drained and lab.drained_by != by:
            raise errors.LabBusy(f"lab {name} is drained by {drain_of(lab)}; undrain it first")
        Lab.update(
            drained=True,
            drained_by=by[: Lab.drained_by.max_length],
            drain_reason=reason.strip()[: Lab.drain_reason.max_length],
        ).where(Lab.id == lab.id).execute()


@retried
def undrain(name: str) -> list[Wake]:
    """Let the lab take work again. Raises NotFound, ValidationError when it is not drained."""
    with transaction():
        lab = named(name)
        if not lab.drained:
            raise errors.ValidationError({"drained": f"lab {name} is not drained"})
        Lab.update(drained=False, drained_by="", drain_reason="").where(Lab.id == lab.id).execute()
        return hosts.freed([host.host_id for host in hosts.free(lab.id)])


def drain_of(lab: Lab) -> str:
    """``ann: new switch``; empty while the lab is not drained."""
    return f"{lab.drained_by}: {lab.drain_reason or 'no reason given'}" if lab.drained else ""


def rows(now: datetime.datetime, dead_after_s: float) -> list[dict[str, Any]]:
    """Every lab in order of name, JSON-ready: name, incarnation, worker, started_on, seen_s (seconds since its worker
    was seen), alive, hosts, running (steps), waiting (steps that are due), drained, drained_by, drain_reason."""
    counts = dict(Host.select(Host.lab, fn.COUNT(Host.id)).where(~Host.invalid).group_by(Host.lab).tuples())
    open_leases = Lease.select(Lease.lab, fn.COUNT(Lease.id)).where(Lease.released_at.is_null()).group_by(Lease.lab)
    running = dict(open_leases.where(Lease.due_at.is_null()).tuples())
    waiting = dict(open_leases.where(Lease.due_at.is_null(False)).tuples())
    return [
        {
            "name": lab.name,
            "incarnation": lab.incarnation,
            "worker": lab.worker,
            "started_on": f"{lab.started_at:%Y-%m-%d %H:%M:%S}" if lab.started_at else None,
            "seen_s": seen_s(lab, now),
            "alive": lab.worker != "" and (seen_s(lab, now) or 0.0) < dead_after_s,
            "hosts": counts.get(lab.id, 0),
            "running": running.get(lab.id, 0),
            "waiting": waiting.get(lab.id, 0),
            "drained": lab.drained,
            "drained_by": lab.drained_by,
            "drain_reason": lab.drain_reason,
        }
        for lab in Lab.select().order_by(Lab.name)
    ]


def work(name: str) -> list[dict[str, Any]]:
    """What the lab has open, by host: hostname, step, job_id and job (None for a task of the host's own). Raises
    NotFound."""
    found = (
        Lease.select(Host.hostname, Lease.step, Job.id, Job.name)
        .join(Host, on=(Lease.host == Host.id))
        .switch(Lease)
        .left_outer_join(HostQueueEntry)
        .left_outer_join(Job)
        .where(Lease.lab == named(name).id, Lease.released_at.is_null())
        .order_by(Host.hostname)
    )
    return [dict(zip(("hostname", "step", "job_id", "job"), row, strict=True)) for row in found.tuples()]


@retried
def gone(lab: Lab) -> None:
    """Note that the worker of this incarnation ended as it should, so that the next one need not wait."""
    with transaction():
        Lab.update(worker="").where(Lab.id == lab.id, Lab.incarnation == lab.incarnation).execute()


def seen_s(lab: Lab, now: datetime.datetime) -> float | None:
    """Seconds since the worker of the lab was seen, by the clocks of two machines; None when none ever was."""
    return round((now - lab.seen_at).total_seconds(), 1) if lab.seen_at else None
