"""Claims: a lab worker heard of a queue; the entries whose turn it is get leases of free hosts, in one transaction."""

from __future__ import annotations

import datetime
import enum
import itertools
from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple

import peewee
from peewee import Case, Value, fn

from autotest.models import rows
from autotest.models.afe import Host, HostAttribute, HostQueueEntry, IneligibleHostQueue, SpecialTask
from autotest.models.database import retried, transaction, utc_now
from autotest.models.lab import Lab, Lease
from autotest.models.prepared import Prepared
from autotest.scheduler import entries, groups, labels, leases, lines, quotas, turns, users
from autotest.scheduler.turns import Pair, Turn
from autotest.scheduler.wakes import Wake
from autotest.states import STEP_OF, EntryStatus, HostStatus, Protection, Step, TaskKind

#: One transaction serves so many turns at most: it holds the lab, and on SQLite everybody.
AT_ONCE = 16


class Found(enum.Enum):
    """What a claim found for the queues that it asked for."""

    GRANTED = "granted"
    NO_HOST = "no host"
    NO_ENTRY = "no entry"


class Claim(NamedTuple):
    """The result of a claim for one family of queues.

    *served*: how many turns the family had; *token* is the lease of the first one, of a group the one that leads.
    *host_ids* are all hosts that were leased, also to others who went before. *waiting* is the wake of the entry of
    the family that is next.
    """

    found: Found
    served: int = 0
    token: int | None = None
    host_ids: tuple[int, ...] = ()
    wakes: tuple[Wake, ...] = ()
    waiting: Wake | None = None

    @property
    def host_id(self) -> int | None:
        """The first of the hosts."""
        return self.host_ids[0] if self.host_ids else None


class _Clash(Exception):
    """What was planned does not hold: another claim has one of the hosts, or an entry was aborted meanwhile."""

    def __init__(self, granted: Sequence[Turn]):
        super().__init__()
        self.pairs = {(pair.entry.id, pair.host.host_id) for turn in granted for pair in turn.pairs}


@retried
def claim(lab: Lab, key: str, now: datetime.datetime, due_in: datetime.timedelta, most: int = 1) -> Claim:
    """Serve up to *most* entries of the label queue *key* and its family with free hosts of *lab*, in one transaction;
    entries that run together get all their hosts or none.

    Who competes for the same hosts and goes before them (turns.py) is served first, so that it does not matter whose
    message came first. An entry that no free host may serve (ACL, ineligible rows, only_if_needed) is passed over, and
    so is a suite that holds as many machines as it may.
    """
    unfit: set[tuple[int, int]] = set()
    at_once = AT_ONCE
    while True:
        try:
            with transaction():
                return _claim(lab, key, now, now + due_in, most, at_once, unfit)
        except _Clash as clash:
            # The schema keeps promise 2. One turn at a time shows whose host it is.
            if len(clash.pairs) == 1 or at_once == 1:
                unfit |= clash.pairs
            at_once = 1


def _claim(
    lab: Lab,
    key: str,
    now: datetime.datetime,
    due_at: datetime.datetime,
    most: int,
    at_once: int,
    unfit: Collection[tuple[int, int]],
) -> Claim:
    is_served = leases.serves(lab)
    busy = lines.busy()
    own = [line for line in busy if line.queue.family == key.partition(".")[0]]
    empty = [line.queue.key for line in own if line.first is None]
    if empty:
        labels.mark_idle(empty)
    if len(empty) == len(own):
        return Claim(Found.NO_ENTRY)
    contest = turns.contest(lab, key, busy)
    if not is_served:
        contest = contest._replace(free=[])
    plan = turns.plan(lab, contest, quotas.settled(contest.suites), now, most, at_once, unfit)
    granted = [turn for turn in plan.turns if turn.pairs]
    tokens, woken = _grant(lab, granted, due_at)
    served = [turn for turn in granted if turn.queue.family == contest.family]
    # A transaction that was full before the family's turn came has not shown that there is no host for it.
    is_open = bool(served) or len(plan.turns) == at_once
    own_hosts = [pair.host.host_id for turn in served for pair in turn.pairs]
    return Claim(
        found=Found.GRANTED if is_open else Found.NO_HOST,
        served=len(served),
        token=tokens[served[0].pairs[0].entry.id] if served else None,
        host_ids=tuple(dict.fromkeys(own_hosts + [pair.host.host_id for turn in granted for pair in turn.pairs])),
        wakes=tuple(woken),
        waiting=lines.wake(*plan.waiting) if plan.waiting is not None else None,
    )


def _grant(lab: Lab, granted: Sequence[Turn], due_at: datetime.datetime) -> tuple[dict[int, int], list[Wake]]:
    """Lease the hosts. Returns the token of each entry, and the wakes of what is due. Raises _Clash."""
    singles = [turn.pairs[0] for turn in granted if turn.queue.size == 1]
    together: dict[TaskKind, list[Pair]] = defaultdict(list)
    alone: list[Pair] = []
    for pair in singles:
        kind = _first_task(pair)
        (alone if kind is None else together[kind]).append(pair)
    tokens: dict[int, int] = {}
    woken: list[Wake] = []
    try:
        for kind, pairs in together.items():
            _take(pairs)
            tokens |= _prepare(lab, kind, pairs, due_at)
            woken += [_wake(lab, pair, tokens[pair.entry.id], STEP_OF[kind]) for pair in pairs]
        for pair in alone:
            _take([pair])
            _advance(pair, EntryStatus.PENDING, EntryStatus.STARTING)
            lease = leases.grant(lab, pair.host.host_id, pair.entry.id, None, Step.RUN_TEST, due_at)
            tokens[pair.entry.id] = lease.id
            woken.append(_wake(lab, pair, lease.id, Step.RUN_TEST))
        for turn in granted:
            if turn.queue.size > 1:
                its_tokens, its_wakes = _grant_group(lab, turn.pairs, due_at)
                tokens |= its_tokens
                woken += its_wakes
    except (peewee.IntegrityError, _Gone) as problem:
        raise _Clash(granted) from problem
    return tokens, woken


def _grant_group(lab: Lab, pairs: Sequence[Pair], due_at: datetime.datetime) -> tuple[dict[int, int], list[Wake]]:
    """Lease the hosts of one group; the first lease leads, and those whose host needs nothing are held."""
    _take(pairs)
    tokens: dict[int, int] = {}
    woken: list[Wake] = []
    for pair in pairs:
        kind = _first_task(pair)
        if kind is not None:
            tokens |= _prepare(lab, kind, [pair], due_at)
            woken.append(_wake(lab, pair, tokens[pair.entry.id], STEP_OF[kind]))
        else:
            _advance(pair, EntryStatus.PENDING)
            tokens[pair.entry.id] = leases.grant(lab, pair.host.host_id, pair.entry.id, None, Step.HOLD, None).id
    first = pairs[0].entry.id
    groups.form(list(tokens), tokens[first])
    return tokens, groups.start(rows.get(HostQueueEntry, first), due_at, utc_now()) + woken


class _Gone(Exception):
    """An entry was aborted while its host was chosen."""


def _take(pairs: Sequence[Pair]) -> None:
    """Give each entry its host, which its job does not get again. Raises _Gone."""
    hosts = [pair.host.host_id for pair in pairs]
    if _TAKE.changed([pair.entry.id for pair in pairs], hosts) != len(pairs):
        raise _Gone
    _REFUSE.changed([pair.entry.job_id for pair in pairs], hosts)


def _prepare(lab: Lab, kind: TaskKind, pairs: Sequence[Pair], due_at: datetime.datetime) -> dict[int, int]:
    """Lease each host for a task of that kind, in the name of its job's owner. Returns the token of each entry."""
    now = utc_now()
    of_owner: dict[int, list[int]] = defaultdict(list)
    for entry, asked, _ in pairs:
        owner = asked.owner_id if asked.owner_id is not None else users.named(entry.owner).id
        of_owner[owner].append(entry.id)
    for owner, entry_ids in of_owner.items():
        _ORDER.changed(entry_ids, kind.value, owner, now)
    ids = [pair.entry.id for pair in pairs]
    token = _OPEN.inserted(ids, lab.id, lab.incarnation, STEP_OF[kind].value, due_at, now)
    _SHOW_LEASED.changed([pair.host.host_id for pair in pairs])
    return {ids[0]: token} if len(ids) == 1 else dict(_TOKENS.rows(ids))


def _advance(pair: Pair, *statuses: EntryStatus) -> None:
    """The host needs no preparation: move its entry on."""
    for old, new in itertools.pairwise((EntryStatus.QUEUED, *statuses)):
        entries.advance(pair.entry.id, old, new)
    rows.change(Host, {"status": HostStatus.PENDING.value}, id=pair.host.host_id)


def _first_task(pair: Pair) -> TaskKind | None:
    """What is done to the host before the entry may run on it (section 2.5, without the tasks of the lab issue)."""
    missing = labels.versions(pair.asked.wanted) - pair.host.labels
    if missing and "skip_provision" not in pair.asked.wanted and _provisioner(pair.host.host_id):
        return TaskKind.PROVISION
    if not pair.entry.run_verify:
        return None
    return None if pair.host.protection == Protection.DO_NOT_VERIFY else TaskKind.VERIFY


def _provisioner(host_id: int) -> str:
    row = HostAttribute.get_or_none(HostAttribute.host == host_id, HostAttribute.attribute == "provisioner")
    return row.value if row else ""


def _wake(lab: Lab, pair: Pair, token: int, step: Step) -> Wake:
    return leases.entry_wake(lab.name, token, step, pair.entry.job_id, pair.entry.job_name, pair.host.hostname)


def _is(field: Any, value: Any) -> Any:
    """A condition that no index serves: or SQLite walks through all that is queued instead of looking up the ids."""
    return fn.COALESCE(field, field) == value


_TAKE = Prepared(
    lambda entry_ids, hosts: HostQueueEntry.update(
        host=Case(HostQueueEntry.id, list(zip(entry_ids, hosts, strict=True))), active=True, reason=""
    ).where(
        HostQueueEntry.id.in_(entry_ids),
        _is(HostQueueEntry.status, EntryStatus.QUEUED.value),
        _is(HostQueueEntry.active, False),
        _is(HostQueueEntry.aborted, False),
    )
)
_REFUSE = Prepared(
    lambda jobs, hosts: IneligibleHostQueue.insert_many(
        [{"job": job, "host": host} for job, host in zip(jobs, hosts, strict=True)]
    ).on_conflict_ignore()
)
#: Not active, complete, aborted or successful.
_NOT_YET = [Value(False)] * 4
#: No pokes and beats yet, and no reason to end.
_BEGUN = [Value(0), Value(0), Value("")]
#: A task for the host of each entry.
_ORDER = Prepared(
    lambda entry_ids, kind, requested_by, now: SpecialTask.insert_from(
        HostQueueEntry.select(HostQueueEntry.host, kind, HostQueueEntry.id, requested_by, now, *_NOT_YET).where(
            HostQueueEntry.id.in_(entry_ids)
        ),
        [
            SpecialTask.host,
            SpecialTask.task,
            SpecialTask.queue_entry,
            SpecialTask.requested_by,
            SpecialTask.time_requested,
            SpecialTask.is_active,
            SpecialTask.is_complete,
            SpecialTask.is_aborted,
            SpecialTask.success,
        ],
    )
)
#: A lease for the task of each entry.
_OPEN = Prepared(
    lambda entry_ids, lab, incarnation, step, due_at, now: Lease.insert_from(
        SpecialTask.select(
            SpecialTask.host, SpecialTask.queue_entry, SpecialTask.id, lab, incarnation, step, due_at, now, *_BEGUN
        ).where(SpecialTask.queue_entry.in_(entry_ids), SpecialTask.time_requested == now),
        [
            Lease.host,
            Lease.entry,
            Lease.task,
            Lease.lab,
            Lease.incarnation,
            Lease.step,
            Lease.due_at,
            Lease.granted_at,
            Lease.pokes,
            Lease.beat,
            Lease.release_reason,
        ],
    )
)
_TOKENS = Prepared(
    lambda entry_ids: Lease.select(Lease.entry, Lease.id).where(Lease.entry.in_(entry_ids), Lease.released_at.is_null())
)
_SHOW_LEASED = Prepared(lambda host_ids: Host.update(leased=True).where(Host.id.in_(host_ids)))
