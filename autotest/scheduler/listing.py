"""Listing: jobs, suites, hosts and label queues as JSON-ready dicts; read-only, a fixed number of queries a list.

Times are UTC texts ``YYYY-MM-DD HH:MM:SS``, or None. Lists that can grow are paged: newest first, *before* an id.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import Any

import peewee

from autotest import errors
from autotest.host_info import natural_order
from autotest.models.afe import (
    Host,
    HostAttribute,
    HostQueueEntry,
    Job,
    JobKeyval,
    SpecialTask,
    User,
)
from autotest.models.lab import Lab, Lease
from autotest.scheduler import entries, hosts, inquiry, labels, labs, quotas, waiting
from autotest.scheduler.waiting import Holder, HostState
from autotest.states import EntryStatus

_QUEUED = EntryStatus.QUEUED.value
#: Attributes that may hold a password.
_SECRETS = frozenset({"power_command"})
_SUITE_KEYS = ("suite", "build", "board", "pool")
_TASKS_SHOWN = 10


def jobs(
    limit: int,
    before: int | None = None,
    owner: str | None = None,
    status: str | None = None,
    parent: int | None = None,
) -> list[dict[str, Any]]:
    """Jobs that are not suites, newest first: id, name, owner, priority, created_on, parent_job_id, and how many
    entries stand in each status."""
    found = Job.select().where(~_is_suite())
    if parent is not None:
        found = found.where(Job.parent_job == parent)
    rows = list(_page(found, limit, before, owner, status))
    counts = _entry_counts(HostQueueEntry.job, [job.id for job in rows])
    return [{**_job_row(job), "entries": counts[job.id]} for job in rows]


def suites(
    limit: int, before: int | None = None, owner: str | None = None, status: str | None = None
) -> list[dict[str, Any]]:
    """Suite jobs, newest first: what jobs() gives, the suite's own status, suite, build, board, pool, and how many
    entries of its children stand in each status."""
    rows = list(_page(Job.select().where(_is_suite()), limit, before, owner, status))
    ids = [job.id for job in rows]
    own = dict(
        HostQueueEntry.select(HostQueueEntry.job, HostQueueEntry.status)
        .where(HostQueueEntry.job.in_(list(ids)))
        .tuples()
    )
    keyvals: dict[int, dict[str, str]] = defaultdict(dict)
    known = JobKeyval.select(JobKeyval.job, JobKeyval.key, JobKeyval.value)
    for job_id, key, value in known.where(JobKeyval.job.in_(list(ids)), JobKeyval.key.in_(_SUITE_KEYS)).tuples():
        keyvals[job_id][key] = value
    counts = _entry_counts(Job.parent_job, ids)
    return [
        {
            **_job_row(job),
            "status": own.get(job.id, ""),
            **{key: keyvals[job.id].get(key, "") for key in _SUITE_KEYS},
            "entries": counts[job.id],
        }
        for job in rows
    ]


def job(job_id: int, now: datetime.datetime, dead_after_s: float, stopped: str | None = None) -> dict[str, Any]:
    """One job with its labels, keyvals and entries; each entry that waits says why. Raises NotFound.

    *stopped*: why no work starts anywhere (floor.reason)."""
    row = named_job(job_id)
    keyvals = JobKeyval.select(JobKeyval.key, JobKeyval.value).where(JobKeyval.job == job_id).order_by(JobKeyval.id)
    found = list(
        HostQueueEntry.select(HostQueueEntry, Host)
        .left_outer_join(Host)
        .where(HostQueueEntry.job == job_id)
        .order_by(HostQueueEntry.id)
    )
    leases = {
        lease.entry_id: lease
        for lease in Lease.select().where(Lease.entry.in_([entry.id for entry in found]), Lease.released_at.is_null())
    }
    snapshot = states(now) if any(_waits_for_host(entry) for entry in found) else []
    shown = []
    for entry in found:
        explained = inquiry.why_waiting(entry, row, snapshot, now, dead_after_s) if _waits_for_host(entry) else None
        if explained is not None and stopped:
            explained = dataclasses.replace(explained, summary=f"{stopped}; {explained.summary}")
        shown.append(_entry_row(entry, leases.get(entry.id), explained))
    return {
        **_job_row(row),
        "timeout_mins": row.timeout_mins,
        "max_runtime_mins": row.max_runtime_mins,
        "labels": sorted(entries.wanted(found[0])) if found else [],
        "keyvals": dict(keyvals.tuples()),
        "entries": shown,
    }


def host_list(
    now: datetime.datetime,
    dead_after_s: float,
    limit: int,
    after: str | None = None,
    needed: Collection[str] = (),
    status: str | None = None,
    lab: str | None = None,
    locked: bool | None = None,
) -> list[dict[str, Any]]:
    """Hosts in natural order of name that carry all *needed* labels: hostname, status, labels, lock, lab, lease, and
    why each takes no new work ('' when it does)."""
    chosen = [
        host
        for host in states(now)
        if set(needed) <= host.labels
        and status in (None, host.status)
        and lab in (None, host.lab)
        and locked in (None, host.locked)
        and (after is None or natural_order(host.hostname) > natural_order(after))
    ]
    chosen.sort(key=lambda host: natural_order(host.hostname))
    return [_host_row(host, dead_after_s) for host in chosen[:limit]]


def host(hostname: str, now: datetime.datetime, dead_after_s: float) -> dict[str, Any]:
    """One host: what host_list() gives, lock time, protection, attributes, when its lease was granted, and its latest
    tasks. Raises NotFound."""
    row = hosts.named(hostname)
    (state,) = states(now, row.id)
    attributes = HostAttribute.select(HostAttribute.attribute, HostAttribute.value).where(HostAttribute.host == row.id)
    lease = Lease.get_or_none(Lease.host == row.id, Lease.released_at.is_null())
    tasks = (
        SpecialTask.select(SpecialTask, User)
        .join(User)
        .where(SpecialTask.host == row.id)
        .order_by(SpecialTask.id.desc())
        .limit(_TASKS_SHOWN)
    )
    shown = _host_row(state, dead_after_s)
    if lease is not None and shown["lease"] is not None:
        shown["lease"] = {**shown["lease"], "since": _time(lease.granted_at), "running": lease.due_at is None}
    return {
        **shown,
        "lock_time": _time(row.lock_time),
        "protection": row.protection,
        "attributes": {
            key: "(set)" if key in _SECRETS else value
            for key, value in attributes.order_by(HostAttribute.attribute).tuples()
        },
        "tasks": [_task_row(task) for task in tasks],
    }


def queues(now: datetime.datetime, dead_after_s: float, stopped: str | None = None) -> list[dict[str, Any]]:
    """Label queues with waiting entries, most entries first: key, labels, host, how many run together, the suite whose
    line it is, how many wait, since when, the highest priority, and why; *stopped* as for :func:`job`."""
    waits = (
        HostQueueEntry.select(
            HostQueueEntry.queue_key,
            peewee.fn.COUNT(HostQueueEntry.id),
            peewee.fn.MAX(HostQueueEntry.priority),
            peewee.fn.MIN(HostQueueEntry.job),
        )
        .where(HostQueueEntry.status == _QUEUED, ~HostQueueEntry.active, HostQueueEntry.queue_key != "")
        .group_by(HostQueueEntry.queue_key)
        .tuples()
    )
    counted = {key: (count, priority, oldest) for key, count, priority, oldest in waits}
    known = labels.queues_named(counted)
    limits = quotas.of({queue.suite_id for queue in known.values() if queue.suite_id is not None})
    created = dict(Job.select(Job.id, Job.created_on).where(Job.id.in_([row[2] for row in counted.values()])).tuples())
    snapshot = states(now)
    shown = []
    for key, (count, priority, oldest) in sorted(counted.items(), key=lambda item: (-item[1][0], item[0])):
        queue = known[key]
        quota = limits.get(queue.suite_id) if queue.suite_id is not None else None
        why = waiting.explain(queue, snapshot, dead_after_s, quota=quota)
        shown.append(
            {
                "key": key,
                "labels": list(why.labels),
                "host": why.host or None,
                "together": queue.size,
                "suite_job_id": queue.suite_id,
                "entries": count,
                "priority": priority,
                "oldest_job": oldest,
                "waiting_since": _time(created[oldest]),
                "hosts": len(why.free) + len(why.blocked),
                "free": len(why.free),
                "served": why.served,
                "why": f"{stopped}; {why.summary}" if stopped else why.summary,
            }
        )
    return shown


def unfinished(job_ids: Sequence[int]) -> list[dict[str, Any]]:
    """What an abort of these jobs would end, children included: entry id, job_id, name, status, hostname."""
    seen, fresh = set(job_ids), set(job_ids)
    while fresh:
        children = {row for (row,) in Job.select(Job.id).where(Job.parent_job.in_(list(fresh))).tuples()}
        fresh = children - seen
        seen |= fresh
    rows = (
        HostQueueEntry.select(HostQueueEntry.id, Job.id, Job.name, HostQueueEntry.status, Host.hostname)
        .join(Job)
        .switch(HostQueueEntry)
        .left_outer_join(Host)
        .where(HostQueueEntry.job.in_(list(seen)), ~HostQueueEntry.complete, ~HostQueueEntry.aborted)
        .order_by(HostQueueEntry.id)
    )
    keys = ("id", "job_id", "name", "status", "hostname")
    return [dict(zip(keys, row, strict=True)) for row in rows.tuples()]


def named_job(job_id: int) -> Job:
    """The job of that id. Raises NotFound."""
    found = Job.get_or_none(Job.id == job_id)
    if found is None:
        raise errors.NotFound(f"there is no job {job_id}; see: autotest job list")
    return found


def entry_ids(job_ids: Collection[int]) -> list[int]:
    """The entries of these jobs. Raises NotFound, naming every job that does not exist."""
    rows = list(
        HostQueueEntry.select(HostQueueEntry.id, HostQueueEntry.job)
        .where(HostQueueEntry.job.in_(list(job_ids)))
        .tuples()
    )
    unknown = sorted(set(job_ids) - {job_id for _, job_id in rows})
    if unknown:
        none = "is no job" if len(unknown) == 1 else "are no jobs"
        raise errors.NotFound(f"there {none} {', '.join(map(str, unknown))}; see: autotest job list")
    return [entry_id for entry_id, _ in rows]


def states(now: datetime.datetime, host_id: int | None = None) -> list[HostState]:
    """Every valid host, or one, as a claim would see it."""
    query = Host.select(Host, User, Lab).left_outer_join(User).switch(Host).left_outer_join(Lab).where(~Host.invalid)
    ids = None
    if host_id is not None:
        query, ids = query.where(Host.id == host_id), [host_id]
    carried = labels.of_hosts(ids)
    leases = Lease.select(Lease.host, Lease.id, Lease.step, HostQueueEntry.job).left_outer_join(HostQueueEntry)
    holders = {held: Holder(*rest) for held, *rest in leases.where(Lease.released_at.is_null()).tuples()}
    waits = SpecialTask.select(SpecialTask.host, SpecialTask.task).where(~SpecialTask.is_complete)
    tasks = dict(waits.order_by(SpecialTask.id.desc()).tuples())
    return [
        HostState(
            host_id=row.id,
            hostname=row.hostname,
            labels=carried.get(row.id, frozenset()),
            status=row.status,
            status_reason=row.status_reason,
            locked=row.locked,
            locked_by=row.locked_by.login if row.locked_by else "",
            lock_reason=row.lock_reason,
            lab=row.lab.name if row.lab else "",
            drained=labs.drain_of(row.lab) if row.lab else "",
            silent_s=(now - row.lab.seen_at).total_seconds() if row.lab and row.lab.seen_at else None,
            holder=holders.get(row.id),
            task=tasks.get(row.id, ""),
        )
        for row in query
    ]


def _waits_for_host(entry: HostQueueEntry) -> bool:
    return entry.status == _QUEUED and not entry.active and entry.queue_key != ""


def _entry_row(entry: HostQueueEntry, lease: Lease | None, why: waiting.Waiting | None) -> dict[str, Any]:
    return {
        "id": entry.id,
        "status": entry.status,
        "host": entry.host.hostname if entry.host_id is not None else None,
        "aborted": entry.aborted,
        "requeues": entry.requeues,
        "started_on": _time(entry.started_on),
        "finished_on": _time(entry.finished_on),
        "results": f"{entry.job.tag}/{entry.execution_subdir}" if entry.execution_subdir else "",
        "reason": entry.reason,
        "lease": _lease_row(lease),
        "waits_for": _elsewhere(entry, why),
        "waiting": None
        if why is None
        else {
            "labels": list(why.labels),
            "hosts": len(why.free) + len(why.blocked),
            "free": list(why.free),
            "blocked": {name: found.text for name, found in why.blocked.items()},
            "served": why.served,
        },
    }


def _elsewhere(entry: HostQueueEntry, why: waiting.Waiting | None) -> str:
    if why is not None:
        return why.summary
    if entry.status == EntryStatus.PENDING.value:
        return "the other hosts that it runs with"
    if entry.status == EntryStatus.PARSING.value:
        return "the results worker of its lab" if entry.host_id is not None else "the suites worker, to be parsed"
    if entry.queue_key == "" and entry.status == _QUEUED:
        return "the suites worker, to create its jobs"
    if entry.queue_key == "" and entry.status == EntryStatus.RUNNING.value:
        return "its jobs"
    return ""


def _lease_row(lease: Lease | None) -> dict[str, Any] | None:
    if lease is None:
        return None
    return {"token": lease.id, "step": lease.step, "since": _time(lease.granted_at), "running": lease.due_at is None}


def _host_row(host: HostState, dead_after_s: float) -> dict[str, Any]:
    found = waiting.obstacle(host, dead_after_s)
    return {
        "hostname": host.hostname,
        "status": host.status,
        "status_reason": host.status_reason,
        "labels": sorted(host.labels),
        "lab": host.lab or None,
        "worker_silent_s": None if host.silent_s is None else round(host.silent_s, 1),
        "locked": host.locked,
        "locked_by": host.locked_by or None,
        "lock_reason": host.lock_reason,
        "lease": None if host.holder is None else host.holder._asdict(),
        "why_not_free": found.text if found is not None else "",
    }


def _task_row(task: SpecialTask) -> dict[str, Any]:
    if not task.is_complete:
        state = "running" if task.is_active else "waiting"
    elif task.is_aborted:
        state = "aborted"
    else:
        state = "passed" if task.success else "failed"
    return {
        "id": task.id,
        "task": task.task,
        "state": state,
        "requested_by": task.requested_by.login,
        "time_requested": _time(task.time_requested),
        "time_started": _time(task.time_started),
        "time_finished": _time(task.time_finished),
    }


def _job_row(job: Job) -> dict[str, Any]:
    return {
        "id": job.id,
        "name": job.name,
        "owner": job.owner,
        "priority": job.priority,
        "created_on": _time(job.created_on),
        "parent_job_id": job.parent_job_id,
    }


def _page(
    query: peewee.ModelSelect, limit: int, before: int | None, owner: str | None, status: str | None
) -> Iterable[Job]:
    if before is not None:
        query = query.where(Job.id < before)
    if owner is not None:
        query = query.where(Job.owner == owner)
    if status is not None:
        standing = HostQueueEntry.select(HostQueueEntry.job).where(HostQueueEntry.status == status)
        query = query.where(Job.id.in_(standing))
    return query.order_by(Job.id.desc()).limit(limit)


def _is_suite() -> peewee.Expression:
    """Whether a job is a suite: its one entry asks for no machine."""
    hostless = HostQueueEntry.select(HostQueueEntry.job).where(
        HostQueueEntry.host.is_null(), HostQueueEntry.meta_host.is_null(), HostQueueEntry.queue_key == ""
    )
    return Job.id.in_(hostless)


def _entry_counts(group: peewee.Field, ids: Sequence[int]) -> dict[int, dict[str, int]]:
    """How many entries stand in each status, for each value of *group* among *ids*."""
    counts: dict[int, dict[str, int]] = {each: {} for each in ids}
    query = (
        HostQueueEntry.select(group, HostQueueEntry.status, peewee.fn.COUNT(HostQueueEntry.id))
        .join(Job)
        .where(group.in_(list(ids)))
        .group_by(group, HostQueueEntry.status)
        .order_by(HostQueueEntry.status)
    )
    for each, status, count in query.tuples():
        counts[each][status] = count
    return counts


def _time(moment: datetime.datetime | None) -> str | None:
    return f"{moment:%Y-%m-%d %H:%M:%S}" if moment is not None else None
