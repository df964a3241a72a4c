"""Claim: assignments a second in one process, with 500 idle hosts of 20 label sets and a long queue."""

from __future__ import annotations

import datetime
import functools
import itertools

from autotest.bench import installation, measure, paper_lab
from autotest.bench.installation import Plan
from autotest.bench.measure import Figure, Target
from autotest.models import database
from autotest.models.afe import Host, HostQueueEntry
from autotest.models.database import db, transaction, utc_now
from autotest.models.lab import Lab, Lease
from autotest.scheduler import claims
from autotest.states import Step

_DUE_IN = datetime.timedelta(seconds=10)
_LEAST = 500
_BASELINE = "one write transaction with the three bare statements of a lease: entry, lease and host"


def run(plan: Plan) -> list[Figure]:
    """Assignments a second with 5,000 and with 100,000 entries queued, for as many messages at once as a worker takes
    together; and for one message at a time."""
    hosts, queues = (500, (5_000, 100_000)) if plan.full else (40, (200, 1_000))
    figures = []
    for queued, at_once in ((queues[0], claims.AT_ONCE), (queues[1], claims.AT_ONCE), (queues[0], 1)):
        ours = functools.partial(_assignments, plan, hosts, queued, at_once)
        rates, bare = measure.interleaved(plan.runs, ours, functools.partial(_bare, plan, hosts))
        target = Target("at least", _LEAST) if plan.full and at_once > 1 else None
        name = f"assignments, {queued:,} queued" + ("" if at_once > 1 else ", one message at a time")
        figures.append(Figure(name, "1/s", rates, bare, _BASELINE, target))
    few, many, _ = figures
    share = [100 * slow / fast for fast, slow in zip(few.values, many.values, strict=True)]
    target = Target("at least", 80) if plan.full else None
    name = f"assignments with {queues[1]:,} queued, of those with {queues[0]:,}"
    return [*figures, Figure(name, "%", share, target=target)]


def _assignments(plan: Plan, hosts: int, queued: int, at_once: int) -> float:
    """Assignments a second while every idle host gets one entry."""
    with installation.fresh(plan, with_broker=False), database.connection():
        lab = paper_lab.register(hosts)
        keys = paper_lab.queue_entries(queued)
        granted = 0
        with measure.stopwatch() as watch:
            for key in itertools.cycle(keys):
                granted += len(claims.claim(lab, key, utc_now(), _DUE_IN, at_once).host_ids)
                if granted == hosts:
                    break
        return granted / watch.seconds


def _bare(plan: Plan, hosts: int) -> float:
    """Leases a second when nobody has to choose: entry and host are known."""
    with installation.fresh(plan, with_broker=False), database.connection():
        lab = paper_lab.register(hosts)
        paper_lab.queue_entries(hosts)
        pairs = list(zip(_ids(HostQueueEntry), _ids(Host), strict=True))
        with measure.stopwatch() as watch:
            for entry, host in pairs:
                _lease(lab, entry, host)
        return len(pairs) / watch.seconds


def _lease(lab: Lab, entry: int, host: int) -> None:
    mark = "?" if database.is_sqlite() else "%s"
    with transaction():
        now = Lease.granted_at.db_value(utc_now())
        db.execute_sql(
            f"UPDATE afe_host_queue_entries SET host_id = {mark}, active = 1 WHERE id = {mark}", (host, entry)
        )
        db.execute_sql(
            "INSERT INTO leases (host_id, lab_id, incarnation, entry_id, step, pokes, beat, granted_at, release_reason)"
            f" VALUES ({', '.join([mark] * 5)}, 0, 0, {mark}, '')",
            (host, lab.id, lab.incarnation, entry, Step.VERIFY.value, now),
        )
        db.execute_sql(f"UPDATE afe_hosts SET leased = 1 WHERE id = {mark}", (host,))


def _ids(model: type[Host] | type[HostQueueEntry]) -> list[int]:
    return [row_id for (row_id,) in model.select(model.id).order_by(model.id).tuples()]
