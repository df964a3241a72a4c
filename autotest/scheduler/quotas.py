"""Quotas: how many machines a suite may hold at a time (num), and how many it is to get first (suite_min_duts)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import NamedTuple

from peewee import fn

from autotest.models.afe import HostQueueEntry, Job, JobKeyval
from autotest.models.database import holding
from autotest.models.lab import Lease
from autotest.models.prepared import Prepared
from autotest.scheduler.labels import Queue

_CAP, _MINIMUM = "num", "suite_min_duts"


class Quota(NamedTuple):
    """Machines of one suite: at most *cap* at a time (None: no limit), the first *minimum* before others get any; its
    jobs hold *held* of them now."""

    cap: int | None
    minimum: int
    held: int

    def allows(self, count: int) -> bool:
        """Whether the suite may take *count* machines more."""
        return self.cap is None or self.held + count <= self.cap

    @property
    def owed(self) -> int:
        """How many machines the suite is to get before others."""
        return max(0, self.minimum - self.held)


def line_of(suite_id: int | None) -> int | None:
    """*suite_id* if the number of the suite's machines is limited, so that its jobs wait in lines of their own."""
    if suite_id is None:
        return None
    limits = _limits([suite_id])[suite_id]
    return suite_id if _CAP in limits or limits.get(_MINIMUM, 0) > 0 else None


def of(suite_ids: Collection[int]) -> dict[int, Quota]:
    """The quota of each of these suites."""
    if not suite_ids:
        return {}
    limits, held = _limits(suite_ids), dict(_HELD.rows(list(suite_ids)))
    return {
        suite: Quota(limits[suite].get(_CAP), limits[suite].get(_MINIMUM, 0), held.get(suite, 0)) for suite in suite_ids
    }


def settled(suite_ids: Iterable[int]) -> dict[int, Quota]:
    """Like of, as the quotas are now: no other claim takes a machine for these suites until the caller's transaction
    ends, in this lab or another one."""
    wanted = sorted(suite_ids)
    for suite in wanted:
        _LOCKED.row(suite)
    return of(wanted)


def full(queues: Iterable[Queue]) -> set[str]:
    """Keys of those of the *queues* whose suite holds as many machines as it may."""
    lines = [queue for queue in queues if queue.suite_id is not None]
    quotas = of({queue.suite_id for queue in lines if queue.suite_id is not None})
    return {queue.key for queue in lines if not quotas[queue.suite_id or 0].allows(queue.size)}


def _limits(suite_ids: Collection[int]) -> dict[int, dict[str, int]]:
    """The limits that these suites have; a value that is no number is none."""
    found: dict[int, dict[str, int]] = defaultdict(dict)
    for suite, key, value in _KEYVALS.rows(list(suite_ids)):
        if value.strip().isdecimal():
            found[suite][key] = int(value)
    return found


_KEYVALS = Prepared(
    lambda suites: JobKeyval.select(JobKeyval.job, JobKeyval.key, JobKeyval.value).where(
        JobKeyval.job.in_(suites), JobKeyval.key.in_([_CAP, _MINIMUM])
    )
)
_HELD = Prepared(
    lambda suites: (
        Lease.select(Job.parent_job, fn.COUNT(Lease.id))
        .join(HostQueueEntry, on=(Lease.entry == HostQueueEntry.id))
        .join(Job, on=(HostQueueEntry.job == Job.id))
        .where(Lease.released_at.is_null(), Job.parent_job.in_(suites))
        .group_by(Job.parent_job)
    )
)
_LOCKED = Prepared(lambda suite: holding(Job.select(Job.id).where(Job.id == suite)))
