"""Settled: what must hold of the ledger when everything came to its end, whatever was killed on the way."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict

from autotest.models import database
from autotest.models.afe import Host, HostQueueEntry, SpecialTask
from autotest.models.lab import Lease
from autotest.models.tko import TkoJob
from autotest.sim import layout
from autotest.states import FINAL, MAY_FOLLOW, EntryStatus, HostStatus
from nodes.lab import PATIENCE_S, Lab
from nodes.waiting import until

#: Every change of an entry's status, written down by the database itself.
WITNESS = (
    "CREATE TABLE witness (entry INTEGER, old TEXT, new TEXT)",
    "CREATE TRIGGER witness_of_status AFTER UPDATE OF status ON afe_host_queue_entries WHEN OLD.status <> NEW.status "
    "BEGIN INSERT INTO witness VALUES (NEW.id, OLD.status, NEW.status); END",
)
_IDLE = (HostStatus.READY.value, HostStatus.REPAIR_FAILED.value)


def assert_settled(lab: Lab, seconds: float = PATIENCE_S) -> None:
    """Wait until all is done, then look at everything that was promised: final states, results, leases, hosts, DUTs."""
    until(lambda: not _open_ends(lab), seconds, lambda: f"everything is settled: {_open_ends(lab)}")
    with database.connection():
        _assert_each_entry_ended_once(lab)
        _assert_one_result_for_each_run()
        _assert_leases_never_met()
        _assert_hosts_are_idle()
    _assert_duts_are_quiet(lab)


def _open_ends(lab: Lab) -> list[str]:
    with database.connection():
        incomplete = HostQueueEntry.select().where(HostQueueEntry.complete == False)  # noqa: E712 - an SQL expression
        open_leases = Lease.select().where(Lease.released_at.is_null())
        tasks = (
            SpecialTask.select()
            .join(Host)
            .where(
                SpecialTask.is_complete == False,  # noqa: E712 - an SQL expression
                Host.locked == False,  # noqa: E712
            )
        )
        return [
            *(f"entry {entry.id} is {entry.status} ({entry.reason})" for entry in incomplete),
            *(f"lease {lease.id} is open at {lease.step}, due {lease.due_at}" for lease in open_leases),
            *(f"{task.task} {task.id} waits" for task in tasks),
        ]


def _assert_each_entry_ended_once(lab: Lab) -> None:
    rows = list(HostQueueEntry.select())
    lost = set(lab.job_ids) - {entry.job_id for entry in rows}
    assert not lost, f"jobs {lost} have no entry"
    for entry in rows:
        assert EntryStatus(entry.status) in FINAL, f"entry {entry.id} is {entry.status}"
        assert entry.complete, f"entry {entry.id} is final and not complete"
        assert not entry.active, f"entry {entry.id} is final and active"
    moves = database.db.execute_sql("SELECT entry, old, new FROM witness").fetchall()
    for entry_id, old, new in moves:
        allowed = MAY_FOLLOW.get(EntryStatus(old), frozenset())
        assert EntryStatus(new) in allowed, f"entry {entry_id} went from {old} to {new}"
    ends = Counter(entry_id for entry_id, _, new in moves if EntryStatus(new) in FINAL)
    assert ends == Counter({entry.id: 1 for entry in rows}), f"ends of each entry: {ends}"


def _assert_one_result_for_each_run() -> None:
    stored = Counter(row.tag for row in TkoJob.select())
    meant = set()
    for entry in HostQueueEntry.select():
        tag = f"{entry.job.tag}/{entry.execution_subdir}"
        meant.add(tag)
        ended = entry.status in (EntryStatus.COMPLETED.value, EntryStatus.FAILED.value)
        least = 1 if ended or entry.started_on is not None else 0
        assert least <= stored[tag] <= 1, f"{tag} ({entry.status}) has {stored[tag]} rows of results"
    # Each host of a group has results of its own besides.
    strays = [tag for tag in stored if tag not in meant and tag.rpartition("/")[0] not in meant]
    assert not strays, f"results that belong to no entry: {strays}"


def _assert_leases_never_met() -> None:
    by_host = defaultdict(list)
    for lease in Lease.select().order_by(Lease.id):
        by_host[lease.host_id].append(lease)
    for host_id, leases in by_host.items():
        for earlier, later in itertools.pairwise(leases):
            assert later.granted_at >= earlier.released_at, (
                f"host {host_id}: lease {later.id} was granted at {later.granted_at}, "
                f"lease {earlier.id} released at {earlier.released_at}"
            )
            assert later.id > earlier.id, f"host {host_id}: token {later.id} does not rise over {earlier.id}"


def _assert_hosts_are_idle() -> None:
    for host in Host.select():
        assert host.status in _IDLE, f"{host.hostname} is stuck in {host.status}"
        assert not host.leased, f"{host.hostname} says it is leased"


def _assert_duts_are_quiet(lab: Lab) -> None:
    newest: dict[str, int] = {}
    with database.connection():
        for lease in Lease.select(Lease, Host).join(Host, on=(Lease.host == Host.id)):
            newest[lease.host.hostname] = max(lease.id, newest.get(lease.host.hostname, 0))
    for info in lab.installation.fleet.hosts:
        dut = lab.dut(info.hostname)
        until(lambda dut=dut: not dut.processes, PATIENCE_S, lambda dut=dut: f"{dut.root} is quiet: {dut.processes}")
        assert dut.decoys == [], f"{info.hostname} was asked to run {dut.decoys}"
        held = layout.client_dir(dut.root) / "lease"
        if held.exists() and held.read_text().strip():
            assert int(held.read_text()) <= newest[info.hostname], f"{info.hostname} saw a token that was never given"
