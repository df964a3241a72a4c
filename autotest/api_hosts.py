"""API calls about hosts and labs: what there is, what it does, what keeps it; locks, repairs, additions."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from autotest import api_arguments, errors
from autotest.api_session import login, publish, session
from autotest.host_info import HostInfo
from autotest.models import database
from autotest.scheduler import hosts, labels, labs, listing, starving
from autotest.states import TaskKind


def list_hosts(
    limit: int = 10_000,
    after: str | None = None,
    labels: Collection[str] = (),
    status: str | None = None,
    lab: str | None = None,
    locked: bool | None = None,
) -> list[dict[str, Any]]:
    """Hosts that carry all *labels*, in order of name, behind the name *after*; see scheduler.listing.host_list."""
    with session() as here:
        return listing.host_list(database.utc_now(), here.dead_after, limit, after, labels, status, lab, locked)


def show_host(hostname: str) -> dict[str, Any]:
    """One host with its lock, lease and tasks; see scheduler.listing.host. Raises NotFound."""
    with session() as here:
        return listing.host(hostname, database.utc_now(), here.dead_after)


def machines(needed: Collection[str]) -> list[dict[str, Any]]:
    """The hosts that could serve jobs which need these labels, as list_hosts shows them; labels that ask for an action
    or a version restrict nothing."""
    return list_hosts(labels=labels.deciding(needed))


def lock_host(hostname: str, reason: str, by: str | None = None) -> None:
    """Keep new work off a host; what runs there goes on. Raises NotFound, HostBusy if it is locked, ValidationError
    without a reason."""
    with session():
        hosts.lock(hostname, by or login(), reason, database.utc_now())


def unlock_host(hostname: str) -> None:
    """Let a host take work again. Raises NotFound, ValidationError when it is not locked."""
    with session():
        woken = hosts.unlock(hostname)
    publish(woken)


def verify_host(hostname: str, by: str | None = None) -> int:
    """Ask for a Verify of a host as soon as it is free. Returns the task's id. Raises NotFound."""
    with session():
        return hosts.request_task(hostname, TaskKind.VERIFY, by or login())


def repair_host(hostname: str, by: str | None = None) -> int:
    """Ask for a Repair of a host as soon as it is free. Returns the task's id. Raises NotFound."""
    with session():
        return hosts.request_task(hostname, TaskKind.REPAIR, by or login())


def add_host(
    hostname: str,
    labels: Iterable[str] = (),
    attributes: Mapping[str, str] | None = None,
    platform: str | None = None,
    protection: int = 0,
    lab: str | None = None,
) -> None:
    """Put a host into the inventory; *lab* is the one whose worker reaches it, *attributes* say how (host_info.py).

    Raises ValidationError when the arguments do not fit or the host is there, NotFound for an unknown lab.
    """
    info = api_arguments.host_info(hostname, labels, attributes or {}, platform, protection)
    with session(), database.transaction():
        row = labs.named(lab) if lab is not None else None
        if _is_there(info):
            raise errors.ValidationError(
                {"hostname": f"{hostname} is there already; see: autotest host show {hostname}"}
            )
        woken = hosts.freed([hosts.put(info, row).id])
    publish(woken)


def list_labs() -> list[dict[str, Any]]:
    """Every lab, who serves it, and whether it is drained; see scheduler.labs.rows."""
    with session() as here:
        return labs.rows(database.utc_now(), here.dead_after)


def lab_work(name: str) -> list[dict[str, Any]]:
    """The hosts of a lab that are at work, and for which job; see scheduler.labs.work. Raises NotFound."""
    with session():
        return labs.work(name)


def drain_lab(name: str, reason: str = "", by: str | None = None) -> None:
    """Keep new work off a whole lab; what runs there goes on. Raises NotFound, LabBusy if somebody else drained it."""
    with session():
        labs.drain(name, by or login(), reason)


def undrain_lab(name: str) -> None:
    """Let a lab take work again. Raises NotFound, ValidationError when it is not drained."""
    with session():
        woken = labs.undrain(name)
    publish(woken)


def starvation(
    since: datetime.timedelta = datetime.timedelta(hours=24), patience: datetime.timedelta = datetime.timedelta(hours=1)
) -> dict[str, Any]:
    """What was tried in the last *since*, by label set, and what of it had no machine for *patience*; see
    scheduler.starving."""
    with session() as here:
        return starving.report(database.utc_now(), since, patience, here.dead_after)


def _is_there(info: HostInfo) -> bool:
    try:
        hosts.named(info.hostname)
    except errors.NotFound:
        return False
    return True
