"""Groups: entries of one job whose hosts run one test together (SYNC_COUNT; afe-scheduler-and-rpc.md section 3.2).

The entries of a group are claimed together, and the lease of the first host leads: its token stands on every entry of
the group until the group ends or parts. Each host is prepared under its own lease, then held (Step.HOLD); when the last
one is ready, the leading lease runs the test on all of them.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from typing import NamedTuple

from autotest.host_info import natural_order
from autotest.models import rows
from autotest.models.afe import Host, HostQueueEntry, Job
from autotest.models.database import held
from autotest.models.lab import Lab, Lease
from autotest.models.prepared import Prepared
from autotest.scheduler import entries, wakes
from autotest.scheduler.wakes import Wake
from autotest.states import EntryStatus, Step

_PREFIX = "group"


class Member(NamedTuple):
    """One host of a group, with its entry and lease."""

    entry: HostQueueEntry
    lease: Lease
    host: Host


def members(entry: HostQueueEntry) -> list[Member]:
    """The group of *entry*, which holds hosts, leader first. Their rows stay as they are until the caller's transaction
    ends."""
    found = []
    for (token,) in _LEASES.rows(entry.job_id, entry.token):
        lease = rows.get(Lease, token)
        mate = rows.held(HostQueueEntry, lease.entry_id)
        if mate is not None and mate.token == entry.token:
            found.append(Member(mate, lease, rows.get(Host, lease.host_id)))
    return found


def is_grouped(entry: HostQueueEntry | None) -> bool:
    """Whether *entry*, which holds a host, runs together with others."""
    return entry is not None and entry.token is not None


def form(entry_ids: list[int], token: int) -> None:
    """Make these entries a group that the lease *token* leads. Runs inside the caller's transaction."""
    HostQueueEntry.update(token=token).where(HostQueueEntry.id.in_(entry_ids)).execute()


def start(entry: HostQueueEntry, due_at: datetime.datetime, now: datetime.datetime) -> list[Wake]:
    """Let the group of *entry* begin its test at once if every host of it is ready; else nothing happens."""
    # Of two hosts that are ready at the same moment, the second one sees that the first is.
    leader = rows.held(Lease, entry.token)
    group = members(entry)
    job = rows.get(Job, entry.job_id)
    ready = [mate for mate in group if mate.entry.status == EntryStatus.PENDING.value and not mate.entry.aborted]
    if leader is None or len(ready) < job.synch_count:
        return []
    folder = _next_folder(job)
    for mate in ready:
        entries.advance(mate.entry.id, EntryStatus.PENDING, EntryStatus.STARTING, execution_subdir=folder)
    changes = {"step": Step.RUN_TEST.value, "due_at": due_at, "pokes": 0, "task": None}
    rows.change(Lease, changes, id=leader.id, released_at=None)
    lab = rows.get(Lab, leader.lab_id)
    where = names(mate.host.hostname for mate in ready)
    shown = f"{entries.short_name(job.name)} on {where}, job {job.id}"
    return [wakes.step_due(lab.name, leader.id, Step.RUN_TEST, shown), *entries.stop_short(job, now)]


def names(hostnames: Iterable[str]) -> str:
    """``h1, h2``: the hosts of a group in natural order, for people."""
    return ", ".join(sorted(hostnames, key=natural_order))


def _next_folder(job: Job) -> str:
    """``group<N>``, with the next number that is free among the job's entries."""
    held(Job, Job.id == job.id)
    folders = HostQueueEntry.select(HostQueueEntry.execution_subdir).where(HostQueueEntry.job == job.id)
    numbers = [folder.removeprefix(_PREFIX) for (folder,) in folders.tuples() if folder.startswith(_PREFIX)]
    return f"{_PREFIX}{1 + max((int(number) for number in numbers if number.isdecimal()), default=-1)}"


_LEASES = Prepared(
    lambda job, token: (
        Lease.select(Lease.id)
        .join(HostQueueEntry, on=(Lease.entry == HostQueueEntry.id))
        .where(HostQueueEntry.job == job, HostQueueEntry.token == token, Lease.released_at.is_null())
        .order_by(Lease.id)
    )
)
