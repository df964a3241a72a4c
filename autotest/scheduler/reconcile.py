"""Reconcile: what is owed to the work that a dead worker, broker or lab left behind.

A step that nobody began is sent once more, then its lease is taken back. A lease that shows no sign of life for its
length, on the watcher's own monotonic clock (wall clocks step), is taken back by anybody. A new incarnation of a lab
takes back at once what its predecessor held: the fence on the DUT kills whatever still runs there.
"""

from __future__ import annotations

import datetime

from autotest.models import rows
from autotest.models.afe import SYSTEM_USER, Host, HostQueueEntry, SpecialTask
from autotest.models.database import held, retried, transaction
from autotest.models.lab import Lab, Lease
from autotest.scheduler import entries, groups, hosts, leases, retreat, steps
from autotest.scheduler.wakes import Wake
from autotest.settings import Settings
from autotest.states import EntryStatus, HostStatus, Step, TaskKind

#: A step that waited for its second message so often is not going to begin here.
_POKES = 2
#: From here on the entries of a group share one fate.
_TOGETHER = (EntryStatus.STARTING, EntryStatus.RUNNING, EntryStatus.GATHERING)


@retried
def take_back(
    token: int, reason: str, settings: Settings, now: datetime.datetime, seen: Lease | None = None
) -> list[Wake]:
    """Close a lease whose holder is gone; its entry goes back to the queue, or fails once that happened too often. The
    hosts of a group are taken back together.

    A step that had not begun does not count against the entry. With *seen*, nothing happens when the lease showed a
    sign of life since it was read.
    """
    with transaction():
        if seen is not None and not _still(seen):
            return []
        lease = held(Lease, Lease.id == token, Lease.released_at.is_null())
        if lease is None:
            return []
        entry = held(HostQueueEntry, HostQueueEntry.id == lease.entry_id)
        if entry is None or entry.token is None:
            return _take_back(lease, entry, lease, reason, settings, now)
        woken: list[Wake] = []
        together = groups.members(entry)
        leader = next((mate.lease for mate in together if mate.lease.id == entry.token), lease)
        for mate in together:
            # Before the test begins each host is on its own; from then on they fall together.
            if mate.entry.id == entry.id or EntryStatus(entry.status) in _TOGETHER:
                woken += _take_back(mate.lease, mate.entry, leader, reason, settings, now)
        return woken + retreat.part(entry, reason, now)


def _take_back(
    lease: Lease,
    entry: HostQueueEntry | None,
    leader: Lease,
    reason: str,
    settings: Settings,
    now: datetime.datetime,
) -> list[Wake]:
    """Take back one host; *leader* is the lease that ran the test, if one did."""
    leases.release(lease, reason, now)
    runs = entry is not None and entry.status == EntryStatus.RUNNING.value
    began = runs or leases.is_at_work(lease)
    retreat.end_task(lease, success=False, now=now, aborted=True)
    task = rows.get_or_none(SpecialTask, lease.task_id)
    host = Host.get_by_id(lease.host_id)
    Host.update(status=HostStatus.READY.value).where(Host.id == host.id).execute()
    woken: list[Wake] = []
    if entry is not None and entry.aborted:
        woken += retreat.abort(entry, leader, now)
    elif entry is not None and began:
        woken += retreat.requeue_or_fail(entry, leader, reason, settings.max_requeues, now)
    elif entry is not None:
        woken += entries.requeue(entry, reason, counted=False)
    _follow(host, task if entry is None else None, began, settings)
    return woken + hosts.freed([host.id])


def _still(seen: Lease) -> bool:
    """Whether the lease is as it was read; its row is locked from here on."""
    same = Lease.due_at.is_null() if seen.due_at is None else Lease.due_at == seen.due_at
    touched = (
        Lease.update(pokes=Lease.pokes + 1)
        .where(Lease.id == seen.id, Lease.released_at.is_null(), Lease.beat == seen.beat, Lease.step == seen.step, same)
        .execute()
    )
    return bool(touched)


def _follow(host: Host, task: SpecialTask | None, began: bool, settings: Settings) -> None:
    """What is done to the host before anybody else gets it: *task*, if it was the host's own, once more."""
    if task is not None and not began:
        hosts.queue_task(host.id, TaskKind(task.task), SYSTEM_USER)
    elif task is not None:
        if not hosts.queue_again(task, settings.max_requeues):
            reason = f"{task.task} never came to an end"
            Host.update(status=HostStatus.REPAIR_FAILED.value, status_reason=reason).where(Host.id == host.id).execute()
    elif began:
        hosts.queue_verify(host)


def predecessors(lab: Lab, settings: Settings, now: datetime.datetime) -> list[Wake]:
    """Take back what earlier incarnations of this lab held, and repair states that no lease explains."""
    woken: list[Wake] = []
    for lease in leases.open_leases(lab.id):
        if lease.incarnation < lab.incarnation:
            woken += take_back(lease.id, f"the worker of lab {lab.name} was restarted", settings, now)
    _put_right(lab, now)
    return woken


@retried
def _put_right(lab: Lab, now: datetime.datetime) -> None:
    """Hosts and tasks of the lab that say something goes on, where no lease is open."""
    with transaction():
        held = Lease.select(Lease.host).where(Lease.released_at.is_null())
        idle = (HostStatus.READY.value, HostStatus.REPAIR_FAILED.value)
        Host.update(status=HostStatus.READY.value, leased=False).where(
            Host.lab == lab.id, Host.id.not_in(held), Host.status.not_in(idle)
        ).execute()
        orphaned = (
            SpecialTask.is_active.in_([True, False])
            & (SpecialTask.is_complete == False)  # noqa: E712 - an SQL expression
            & SpecialTask.host.in_(Host.select(Host.id).where(Host.lab == lab.id, Host.id.not_in(held)))
        )
        SpecialTask.update(is_active=False).where(orphaned, SpecialTask.queue_entry.is_null()).execute()
        # Nobody leases the host to a task of an entry that has left it: such a task would block the host for ever.
        SpecialTask.update(is_active=False, is_complete=True, is_aborted=True, time_finished=now).where(
            orphaned, SpecialTask.queue_entry.is_null(False)
        ).execute()


def overdue(lab: Lab, settings: Settings, now: datetime.datetime) -> list[Wake]:
    """Send again each step of this lab that is past its due time; take its lease back when that did not help."""
    woken: list[Wake] = []
    late = Lease.select().where(Lease.lab == lab.id, Lease.released_at.is_null(), Lease.due_at < now)
    # Read to its end first: SQLite refuses to write while an older view of the database is being read.
    for lease in list(late):
        if lease.pokes >= _POKES:
            woken += take_back(lease.id, f"nobody began {lease.step}", settings, now, seen=lease)
            continue
        _poke(lease, now + due_in(settings))
        woken.append(leases.step_wake(lease, lab.name))
    return woken


@retried
def _poke(lease: Lease, due_at: datetime.datetime) -> None:
    with transaction():
        Lease.update(pokes=lease.pokes + 1, due_at=due_at).where(
            Lease.id == lease.id, Lease.due_at == lease.due_at, Lease.released_at.is_null()
        ).execute()


def aborted(lab: Lab, now: datetime.datetime) -> tuple[list[int], list[Wake]]:
    """Aborts that reached work of this lab (section 2.6). A step that only waits is given up here and its host is free.

    Returns the tokens of the steps that run, whose child the worker must kill, and the wakes of the freed hosts.
    """
    running: list[int] = []
    woken: list[Wake] = []
    hit = (
        Lease.select(Lease, HostQueueEntry)
        .join(HostQueueEntry)
        .where(Lease.lab == lab.id, Lease.released_at.is_null(), HostQueueEntry.aborted == True)  # noqa: E712
    )
    for lease in list(hit):
        if lease.step == Step.HOLD.value and lease.entry.status == EntryStatus.RUNNING.value:
            running.append(lease.entry.token)
        elif leases.is_at_work(lease):
            running.append(lease.id)
        else:
            woken += steps.give_up(lease.id, Step(lease.step), now)
    return list(dict.fromkeys(running)), woken


def due_in(settings: Settings) -> datetime.timedelta:
    """How long a step may wait for its message before it is sent again."""
    return datetime.timedelta(seconds=settings.step_due)


class Watch:
    """Beat counters as one watcher sees them: a lease whose counter stood still for the lease length is dead.

    A watcher that could not look for a while (a database that was away, a process that was stopped) knows nothing of
    that while, in which nobody could beat either: it begins anew.
    """

    def __init__(self, length: float):
        self._length = length
        self._looked = 0.0
        self._seen: dict[int, tuple[tuple[int, int, str], float]] = {}

    def dead(self, open_leases: list[Lease], monotonic: float) -> list[int]:
        """Tokens of the leases that showed no sign of life; *monotonic* in seconds. A host that is held for its group
        is as alive as the others of the group."""
        if monotonic - self._looked > self._length / 3:
            self._seen.clear()
        self._looked = monotonic
        waiting = Step.HOLD.value
        signs = {lease.id: (lease.beat, lease.pokes, lease.step) for lease in open_leases if lease.step != waiting}
        self._seen = {
            token: self._seen[token] if token in self._seen and self._seen[token][0] == sign else (sign, monotonic)
            for token, sign in signs.items()
        }
        return [token for token, (_, since) in self._seen.items() if monotonic - since >= self._length]
