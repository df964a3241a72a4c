"""Paper lab: a lab of rows: idle hosts, label sets, and jobs that wait for them, written in bulk."""

from __future__ import annotations

from collections.abc import Sequence

from peewee import chunked

from autotest.host_info import HostInfo
from autotest.models.afe import HostQueueEntry, Job, JobDependencyLabel
from autotest.models.database import db, is_sqlite, transaction, utc_now
from autotest.models.lab import Lab
from autotest.scheduler import hosts, labels, users
from autotest.states import ControlType

OWNER = "bench"
_BOARDS = 10
_ROWS = 500


def infos(count: int) -> list[HostInfo]:
    """So many hosts of ten boards; every other one of a board carries bluetooth."""
    return [
        HostInfo(
            f"dut{number}",
            frozenset({f"board:b{number % _BOARDS}", "pool:suites", *(["bluetooth"] if number // _BOARDS % 2 else [])}),
        )
        for number in range(count)
    ]


def label_sets() -> list[frozenset[str]]:
    """The twenty label sets that the hosts of :func:`infos` can serve: each board, with and without bluetooth."""
    plain = [frozenset({f"board:b{number}", "pool:suites"}) for number in range(_BOARDS)]
    return plain + [needs | {"bluetooth"} for needs in plain]


def register(host_count: int, name: str = "bench") -> Lab:
    """Bring a lab of so many hosts into the database."""
    return hosts.start_lab(name, "bench:0", infos(host_count), utc_now())


def queue_entries(count: int, run_verify: bool = True) -> list[str]:
    """Queue so many jobs, spread evenly over the label sets. Returns the keys of their queues."""
    wishes = [(needs, labels.queue_of(needs)) for needs in label_sets()]
    now = utc_now()
    with transaction():
        users.named(OWNER)
        ids = labels.rows_for(name for needs, _ in wishes for name in needs)
        for _, queue in wishes:
            labels.register(queue)
        for numbers in chunked(range(count), _ROWS):
            _queue(numbers, wishes, ids, now, run_verify)
    if is_sqlite():
        # Else the first claims would pay for bringing so many rows home from the log.
        db.execute_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    return [queue.key for _, queue in wishes]


def _queue(
    numbers: Sequence[int],
    wishes: Sequence[tuple[frozenset[str], labels.Queue]],
    ids: dict[str, int],
    now: object,
    run_verify: bool,
) -> None:
    first = (Job.select(Job.id).order_by(Job.id.desc()).limit(1).scalar() or 0) + 1
    rows = [
        {
            "id": first + place,
            "owner": OWNER,
            "name": f"build-1/bench/test{number}",
            "control_file": f"job.run_test('test{number}')\n" * 20,
            "control_type": int(ControlType.CLIENT),
            "created_on": now,
            "run_verify": run_verify,
        }
        for place, number in enumerate(numbers)
    ]
    Job.insert_many(rows).execute()
    chosen = [(row["id"], *wishes[number % len(wishes)]) for row, number in zip(rows, numbers, strict=True)]
    JobDependencyLabel.insert_many(
        [{"job": job_id, "label": ids[name]} for job_id, needs, _ in chosen for name in sorted(needs)]
    ).execute()
    HostQueueEntry.insert_many(
        [
            {"job": job_id, "meta_host": ids[min(needs)], "queue_key": queue.key, "priority": 50}
            for job_id, needs, queue in chosen
        ]
    ).execute()
