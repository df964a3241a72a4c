"""Hosts: put into the inventory, locked, asked to be verified or repaired, and read as HostInfo."""

from __future__ import annotations

import datetime
import functools
import json
import re
from collections.abc import Collection, Iterable
from typing import Any

from peewee import Case, Value, fn

from autotest import errors
from autotest.host_info import HostInfo
from autotest.models.afe import (
    EVERYONE,
    SYSTEM_USER,
    AclGroup,
    AclGroupHost,
    Host,
    HostAttribute,
    HostLabel,
    Label,
    SpecialTask,
)
from autotest.models.database import held, is_sqlite, retried, transaction, utc_now
from autotest.models.lab import Lab, Lease
from autotest.models.prepared import Prepared
from autotest.scheduler import labels, lines, users, wakes
from autotest.scheduler.labels import Queue
from autotest.scheduler.matching import Candidate
from autotest.scheduler.wakes import Wake
from autotest.states import HostStatus, Protection, TaskKind

#: Hostnames name results folders.
_HOSTNAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,252}")


#: Stands before the name of a label that is only_if_needed.
_RARE = "1"


@retried
def start_lab(name: str, worker: str, infos: Iterable[HostInfo], now: datetime.datetime) -> Lab:
    """Begin a new incarnation of the lab and bring its hosts into the inventory. Returns the lab."""
    with transaction():
        lab, _ = Lab.get_or_create(name=name)
        Lab.update(incarnation=Lab.incarnation + 1, started_at=now, seen_at=now, worker=worker).where(
            Lab.id == lab.id
        ).execute()
        for info in infos:
            put(info, lab)
        return Lab.get_by_id(lab.id)


@retried
def keep_only(lab: Lab, hostnames: Collection[str]) -> list[str]:
    """Let every other host go from the lab: it stays in the inventory, and no worker reaches it until a lab names it
    again. Returns the names of those that went."""
    with transaction():
        others = Host.select(Host.hostname).where(
            Host.lab == lab,
            Host.hostname.not_in(list(hostnames)),
            Host.invalid == False,  # noqa: E712 - an SQL expression
        )
        gone = [name for (name,) in others.order_by(Host.hostname).tuples()]
        if gone:
            Host.update(lab=None).where(Host.lab == lab, Host.hostname.in_(gone)).execute()
        return gone


def put(info: HostInfo, lab: Lab | None) -> Host:
    """Add a host, or bring it to what *info* says; version labels that a provisioner put there stay.

    Without *lab* the host stays where it is. Raises ValidationError for a hostname that cannot name a folder, HostBusy
    when the host belongs to another lab. Runs inside the caller's transaction.
    """
    if not is_hostname(info.hostname):
        raise errors.ValidationError({"hostname": f"{info.hostname!r} is not a hostname"})
    # One at a time changes the inventory: two labs that bring the same host meet here.
    everyone = held(AclGroup, AclGroup.name == EVERYONE)
    host = Host.get_or_none(Host.hostname == info.hostname)
    if host is None:
        host = Host.create(hostname=info.hostname, protection=info.protection, lab=lab)
        AclGroupHost.create(aclgroup=everyone, host=host)
    elif host.lab_id is not None and lab is not None and host.lab_id != lab.id and not host.invalid:
        raise errors.HostBusy(
            f"{info.hostname} belongs to lab {host.lab.name}; remove it there before lab {lab.name} may register it"
        )
    else:
        Host.update(protection=info.protection, invalid=False, lab=lab or host.lab_id).where(
            Host.id == host.id
        ).execute()
    platforms = {info.platform} if info.platform else set()
    kept = labels.versions(labels.of_hosts([host.id]).get(host.id, ()))
    set_labels(host.id, info.labels | platforms | kept)
    for name in platforms:
        Label.update(platform=True).where(Label.name == name).execute()
    HostAttribute.delete().where(HostAttribute.host == host.id).execute()
    if info.attributes:
        HostAttribute.insert_many(
            [{"host": host.id, "attribute": key, "value": value} for key, value in sorted(info.attributes.items())]
        ).execute()
    return Host.get_by_id(host.id)


def is_hostname(text: str) -> bool:
    """Whether *text* may be the name of a host, and of its folders."""
    return _HOSTNAME.fullmatch(text) is not None


def set_labels(host_id: int, names: Collection[str]) -> None:
    """Make the host carry exactly *names*. Runs inside the caller's transaction."""
    wanted = set(labels.rows_for(names).values())
    has = {label for (label,) in HostLabel.select(HostLabel.label).where(HostLabel.host == host_id).tuples()}
    HostLabel.delete().where(HostLabel.host == host_id, HostLabel.label.in_(list(has - wanted))).execute()
    if wanted - has:
        HostLabel.insert_many([{"host": host_id, "label": label} for label in sorted(wanted - has)]).execute()


def named(hostname: str) -> Host:
    """The valid host of that name. Raises NotFound."""
    host = Host.get_or_none(Host.hostname == hostname, Host.invalid == False)  # noqa: E712 - an SQL expression
    if host is None:
        raise errors.NotFound(f"no host is called {hostname!r}; see: autotest host list")
    return host


def info(host: Host) -> HostInfo:
    """The host on paper, for the lab side."""
    found = _INFO.rows(host.id)
    return HostInfo(
        hostname=host.hostname,
        labels=frozenset(name for what, name, _ in found if what != _ATTRIBUTE),
        attributes={name: value for what, name, value in found if what == _ATTRIBUTE},
        platform=next((name for what, name, _ in found if what == _PLATFORM), None),
        protection=host.protection,
    )


_LABEL, _PLATFORM, _ATTRIBUTE = range(3)
_INFO = Prepared(
    lambda host: (
        Label.select(Case(None, [(Label.platform == True, _PLATFORM)], _LABEL), Label.name, Value(""))  # noqa: E712
        .join(HostLabel)
        .where(HostLabel.host == host, Label.invalid == False)  # noqa: E712 - an SQL expression
        .union_all(
            HostAttribute.select(Value(_ATTRIBUTE), HostAttribute.attribute, HostAttribute.value).where(
                HostAttribute.host == host
            )
        )
    )
)


@retried
def lock(hostname: str, by: str, reason: str, now: datetime.datetime) -> None:
    """Keep new work off the host; what runs there goes on.

    Raises NotFound, ValidationError without a reason, HostBusy when it is locked already.
    """
    if not reason.strip():
        raise errors.ValidationError({"reason": f"say why {hostname} is locked"})
    with transaction():
        host = held(Host, Host.id == named(hostname).id)
        if host.locked:
            holder = host.locked_by.login if host.locked_by else "somebody"
            raise errors.HostBusy(f"{hostname} is locked by {holder} ({host.lock_reason}); unlock it first")
        Host.update(
            locked=True, locked_by=users.named(by), lock_time=now, lock_reason=reason[: Host.lock_reason.max_length]
        ).where(Host.id == host.id).execute()


@retried
def unlock(hostname: str) -> list[Wake]:
    """Let the host take work again. Raises ValidationError when it is not locked."""
    with transaction():
        host = named(hostname)
        if not host.locked:
            raise errors.ValidationError({"locked": f"{hostname} is not locked"})
        Host.update(locked=False, locked_by=None, lock_time=None, lock_reason="").where(Host.id == host.id).execute()
        return freed([host.id])


@retried
def request_task(hostname: str, kind: TaskKind, by: str) -> int:
    """Ask for a Verify or a Repair of the host as soon as it is free. A task of that kind that already waits is
    returned instead of a second one (section 2.5). Returns the task's id."""
    with transaction():
        return queue_task(named(hostname).id, kind, by)


def queue_task(host_id: int, kind: TaskKind, by: str) -> int:
    """Like request_task, inside the caller's transaction."""
    held(Host, Host.id == host_id)
    waiting = SpecialTask.get_or_none(
        SpecialTask.host == host_id,
        SpecialTask.task == kind.value,
        SpecialTask.is_active == False,  # noqa: E712 - an SQL expression
        SpecialTask.is_complete == False,  # noqa: E712
        SpecialTask.queue_entry.is_null(),
    )
    if waiting is not None:
        return int(waiting.id)
    return int(SpecialTask.create(host=host_id, task=kind.value, requested_by=users.named(by)).id)


def queue_verify(host: Host) -> None:
    """Have the host verified before anybody gets it, unless it asks not to be. Runs inside a transaction."""
    if host.protection != Protection.DO_NOT_VERIFY:
        queue_task(host.id, TaskKind.VERIFY, SYSTEM_USER)


def queue_again(task: SpecialTask | None, limit: int) -> bool:
    """Queue once more a task of a host whose child or worker vanished. False once that happened more than *limit* times
    in a row. Runs inside a transaction."""
    if task is None:
        return False
    latest = (
        SpecialTask.select(SpecialTask.is_aborted)
        .where(SpecialTask.host == task.host_id, SpecialTask.task == task.task, SpecialTask.is_complete == True)  # noqa: E712
        .order_by(SpecialTask.id.desc())
        .limit(limit + 1)
        .tuples()
    )
    vanished = [aborted for (aborted,) in latest]
    if len(vanished) > limit and all(vanished):
        return False
    queue_task(task.host_id, TaskKind(task.task), SYSTEM_USER)
    return True


def free(lab_id: int, queue: Queue | None = None) -> list[Candidate]:
    """Hosts of the lab that may take new work: Ready, valid, unlocked, without open lease and without waiting task.

    With *queue* only those that it accepts. A drained lab has none.
    """
    if queue is None:
        rows = _FREE.rows(lab_id, [])
    elif queue.host_id is None or queue.size > 1:
        rows = _FREE.rows(lab_id, sorted(queue.labels))
    else:
        rows = _FREE_BY_NAME.rows(lab_id, sorted(queue.labels), queue.host_id)
    found = _candidates(rows)
    return found if queue is None else [host for host in found if queue.accepts(host.host_id, host.labels)]


def alive(lab_id: int) -> list[Candidate]:
    """Hosts of the lab that will come back to the queues: neither locked nor broken."""
    return _candidates(_ALIVE.rows(lab_id))


def _candidates(found: Iterable[tuple[int, str, int, str | None]]) -> list[Candidate]:
    """Candidates from rows of _candidate_columns."""
    return [
        Candidate(host_id, hostname, *_kind(listed or "[]"), protection)
        for host_id, hostname, protection, listed in found
    ]


@functools.lru_cache(maxsize=4096)
def _kind(listed: str) -> tuple[frozenset[str], frozenset[str]]:
    """Labels, and those of them that are only_if_needed, of the JSON list that the database puts together."""
    carried = [(label[1:], label[0] == _RARE) for label in json.loads(listed)]
    return frozenset(name for name, _ in carried), frozenset(name for name, is_rare in carried if is_rare)


def _candidate_columns() -> tuple[Any, ...]:
    """What a claim has to know of a host, in one row; its labels are a JSON list of names, each behind a digit that
    says whether it is only_if_needed."""
    marked = Case(None, [(Label.only_if_needed == True, _RARE)], "0")  # noqa: E712 - an SQL expression
    if is_sqlite():
        listed = fn.JSON_GROUP_ARRAY(marked.concat(Label.name))
    else:
        listed = fn.JSON_ARRAYAGG(fn.CONCAT(marked, Label.name))
    carried = (
        HostLabel.select(listed).join(Label).where(HostLabel.host == Host.id, Label.invalid == False)  # noqa: E712 - an SQL expression
    )
    return Host.id, Host.hostname, Host.protection, carried


def _free(lab_id: Any, names: Iterable[Any]) -> Any:
    """A query for the free hosts of the lab that carry all labels of *names*."""
    leased = Lease.select(Lease.host).where(Lease.released_at.is_null())
    # Both values of is_active are named so that the index on (is_active, is_complete) serves; tasks are kept for ever.
    tasks = SpecialTask.select(SpecialTask.host).where(
        SpecialTask.is_active.in_([True, False]),
        SpecialTask.is_complete == False,  # noqa: E712 - an SQL expression
    )
    query = (
        Host.select(*_candidate_columns())
        .join(Lab)
        .where(
            Host.lab == lab_id,
            Lab.drained == False,  # noqa: E712 - an SQL expression
            Host.status == HostStatus.READY.value,
            Host.locked == False,  # noqa: E712
            Host.invalid == False,  # noqa: E712
            Host.id.not_in(leased),
            Host.id.not_in(tasks),
        )
    )
    for name in names:
        query = query.where(Host.id.in_(labels.carriers(name)))
    return query


_FREE = Prepared(_free)
_ALIVE = Prepared(
    lambda lab: Host.select(*_candidate_columns()).where(
        Host.lab == lab,
        Host.locked == False,  # noqa: E712 - an SQL expression
        Host.invalid == False,  # noqa: E712
        Host.status != HostStatus.REPAIR_FAILED.value,
    )
)
_FREE_BY_NAME = Prepared(lambda lab_id, names, host_id: _free(lab_id, names).where(Host.id == host_id))


def freed(host_ids: Collection[int]) -> list[Wake]:
    """The wakes for hosts that became free: one for each queue that such a host could serve."""
    carried = labels.of_hosts(host_ids)
    servable = {
        queue.key: queue
        for queue in labels.busy_queues()
        if any(queue.accepts(host_id, carried.get(host_id, ())) for host_id in host_ids)
    }
    highest = lines.highest_priority(servable) if servable else {}
    return [
        wakes.queue_waits(key, priority, servable[key].host_id is not None, ", ".join(sorted(servable[key].labels)))
        for key, priority in highest.items()
    ]


def seen(lab_id: int) -> None:
    """Note that the lab's worker lives."""
    Lab.update(seen_at=utc_now()).where(Lab.id == lab_id).execute()
