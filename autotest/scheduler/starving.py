"""Starving: what was tried, by label set, and what of it had no machine; which label sets starve anew."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from peewee import fn

from autotest.models.afe import HostQueueEntry, Job
from autotest.models.tko import Status, TestResult, TkoJob
from autotest.scheduler import labels, listing, waiting
from autotest.scheduler.waiting import HostState, Waiting
from autotest.states import EntryStatus, Outcome

#: Starved jobs that are named for each label set, and reasons of TEST_NA.
_NAMED = 20
_NA_SHOWN = 20
#: Entries that are looked at: the oldest of those that wait, the latest of those that are gone.
_SEEN = 50_000


class Hungry(NamedTuple):
    """An entry that had no machine: since its job was created, until it was aborted (None: it waits now)."""

    key: str
    job_id: int
    name: str
    owner: str
    priority: int
    since: datetime.datetime
    until: datetime.datetime | None
    timeout_mins: int


class Tally(NamedTuple):
    """Entries of one label set: *tried* in the window or still waiting, those that *ran*, and those that wait now."""

    tried: int
    ran: int
    waiting: int


@dataclasses.dataclass(frozen=True)
class LabelSet:
    """What was tried with one label set. *starved*: entries that starve now or did in the window, the longest wait
    first; *is_new*: none of it did in the window before. *why*: the hosts that would fit, and what keeps each."""

    tally: Tally
    starved: Sequence[Hungry]
    is_new: bool
    why: Waiting


def of(
    tallies: Mapping[str, Tally],
    hungry: Iterable[Hungry],
    whys: Mapping[str, Waiting],
    now: datetime.datetime,
    window: datetime.timedelta,
    patience: datetime.timedelta,
) -> list[LabelSet]:
    """Every label set that was tried: newly starving ones first, then starving ones, then by how much was tried.

    An entry starves when it waits, or waited, for *patience* or all of its job's timeout without having run.
    """
    by_key: dict[str, list[Hungry]] = {}
    for entry in hungry:
        by_key.setdefault(entry.key, []).append(entry)
    found = []
    for key, why in whys.items():
        entries = by_key.get(key, [])
        starved = [entry for entry in entries if starves(entry, now - window, now, patience)]
        before = any(starves(entry, now - 2 * window, now - window, patience) for entry in entries)
        starved.sort(key=lambda entry: (entry.since - (entry.until or now), entry.job_id))
        found.append(LabelSet(tallies.get(key, Tally(0, 0, 0)), starved, bool(starved) and not before, why))
    return sorted(found, key=lambda one: (not one.is_new, -len(one.starved), -one.tally.tried, one.why.labels))


def starves(entry: Hungry, begin: datetime.datetime, end: datetime.datetime, patience: datetime.timedelta) -> bool:
    """Whether *entry* had starved, or went on starving, between *begin* and *end*."""
    enough = entry.since + min(patience, datetime.timedelta(minutes=entry.timeout_mins))
    if entry.until is None:
        return enough <= end
    return enough <= min(entry.until, end) and entry.until > begin


def report(
    now: datetime.datetime, window: datetime.timedelta, patience: datetime.timedelta, dead_after_s: float
) -> dict[str, Any]:
    """What was tried in the last *window*, JSON-ready, in a dozen queries: *label_sets* as in :func:`of`, and
    *not_applicable*, the reasons of TEST_NA with their number. The caller has a connection open."""
    tallies = _tallies(now - window)
    hungry = [*_waiting(now - patience), *_gone(now - 2 * window)]
    snapshot = listing.states(now)
    queues = labels.queues_named({*tallies, *(entry.key for entry in hungry)})
    # A suite whose machines are limited waits in a line of its own for what all others of its family wait for.
    family = {key: queue.family for key, queue in queues.items()}
    whys = {queue.family: waiting.explain(queue, snapshot, dead_after_s) for queue in queues.values()}
    hungry = [entry._replace(key=family[entry.key]) for entry in hungry if entry.key in family]
    found = of(_summed(tallies, family), hungry, whys, now, window, patience)
    states = {host.hostname: host for host in snapshot}
    return {
        "now": _time(now),
        "since": _time(now - window),
        "patience_mins": int(patience.total_seconds() // 60),
        "label_sets": [_row(one, states, now) for one in found if one.tally.tried or one.starved],
        "not_applicable": _not_applicable(now - window),
    }


def _waiting(since: datetime.datetime) -> list[Hungry]:
    """Entries that wait, of jobs that were there at *since*."""
    entry = HostQueueEntry
    query = _entries().where(entry.status == EntryStatus.QUEUED.value, ~entry.active, Job.created_on <= since)
    return [Hungry(*row) for row in query.order_by(entry.id).limit(_SEEN).tuples()]


def _gone(since: datetime.datetime) -> list[Hungry]:
    """Entries that were aborted after *since* and never ran."""
    entry = HostQueueEntry
    query = _entries().where(
        entry.aborted,
        entry.complete,
        entry.started_on.is_null(),
        entry.execution_subdir == "",
        entry.finished_on >= since,
    )
    return [Hungry(*row) for row in query.order_by(entry.id.desc()).limit(_SEEN).tuples()]


def _entries() -> Any:
    entry = HostQueueEntry
    columns = (entry.queue_key, Job.id, Job.name, Job.owner, entry.priority, Job.created_on, entry.finished_on)
    return entry.select(*columns, Job.timeout_mins).join(Job).where(entry.queue_key != "")


def _tallies(since: datetime.datetime) -> dict[str, Tally]:
    """Entries of jobs made after *since*, and all that wait; by queue key."""
    entry = HostQueueEntry
    grouped = entry.select(entry.queue_key, fn.COUNT(entry.id), fn.COUNT(entry.started_on)).where(entry.queue_key != "")
    made = grouped.join(Job).where(Job.created_on >= since).group_by(entry.queue_key).tuples()
    queued = (entry.status == EntryStatus.QUEUED.value) & ~entry.active & (entry.queue_key != "")
    waits = dict(entry.select(entry.queue_key, fn.COUNT(entry.id)).where(queued).group_by(entry.queue_key).tuples())
    older = dict(
        entry.select(entry.queue_key, fn.COUNT(entry.id))
        .join(Job)
        .where(queued, Job.created_on < since)
        .group_by(entry.queue_key)
        .tuples()
    )
    found = {key: (tried, ran) for key, tried, ran in made}
    return {
        key: Tally(found.get(key, (0, 0))[0] + older.get(key, 0), found.get(key, (0, 0))[1], waits.get(key, 0))
        for key in {*found, *waits}
    }


def _summed(tallies: Mapping[str, Tally], family: Mapping[str, str]) -> dict[str, Tally]:
    found: dict[str, Tally] = {}
    for key, tally in tallies.items():
        name = family.get(key, key)
        found[name] = Tally(*map(sum, zip(found.get(name, Tally(0, 0, 0)), tally, strict=True)))
    return found


def _not_applicable(since: datetime.datetime) -> list[dict[str, Any]]:
    """Reasons of TEST_NA, most frequent first; those of suites, which no host could serve."""
    count = fn.COUNT(TestResult.test_idx)
    query = (
        TestResult.select(TestResult.reason, count)
        .join(TkoJob)
        .switch(TestResult)
        .join(Status)
        .where(
            Status.word == Outcome.TEST_NA.value,
            TestResult.subdir.is_null(),
            ~TestResult.invalid,
            TestResult.finished_time >= since,
        )
        .group_by(TestResult.reason)
        .order_by(count.desc())
        .limit(_NA_SHOWN)
    )
    return [{"reason": reason or "", "tests": number} for reason, number in query.tuples()]


def _row(found: LabelSet, states: Mapping[str, HostState], now: datetime.datetime) -> dict[str, Any]:
    why = found.why
    fitting = [(name, "") for name in why.free] + [(name, obstacle.text) for name, obstacle in why.blocked.items()]
    return {
        "labels": list(why.labels),
        "host": why.host or None,
        "starving": bool(found.starved),
        "new": found.is_new,
        **found.tally._asdict(),
        "starved": len(found.starved),
        "longest_wait_s": int(max(((one.until or now) - one.since).total_seconds() for one in found.starved))
        if found.starved
        else None,
        "served": why.served,
        "why": why.summary,
        "hosts": [{"hostname": name, "status": states[name].status, "why_not_free": text} for name, text in fitting],
        "jobs": [_job(one, now) for one in found.starved[:_NAMED]],
    }


def _job(entry: Hungry, now: datetime.datetime) -> dict[str, Any]:
    return {
        "id": entry.job_id,
        "name": entry.name,
        "owner": entry.owner,
        "priority": entry.priority,
        "created_on": _time(entry.since),
        "aborted_on": entry.until and _time(entry.until),
        "waited_s": int(((entry.until or now) - entry.since).total_seconds()),
    }


def _time(moment: datetime.datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}"
