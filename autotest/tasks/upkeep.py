"""The sweep: sends what no message points to, and takes back what nobody holds. Beat asks for it every two seconds."""

from __future__ import annotations

import logging
import time

from autotest import celery, settings
from autotest.celery import app, publish
from autotest.models import database
from autotest.models.database import utc_now
from autotest.models.lab import Lease
from autotest.results.notify import outbox
from autotest.scheduler import reconcile, upkeep
from autotest.tasks import results

logger = logging.getLogger(__name__)

#: Missing from a broker that came back empty.
_EPOCH = "autotest.epoch"
_watch: list[reconcile.Watch] = []


@app.task(name="autotest.sweep", send_events=False)
def sweep() -> None:
    """One look at everything that is not final."""
    config = settings.load()
    if not _watch:
        _watch.append(reconcile.Watch(config.lease_length))
    with database.connection():
        now = utc_now()
        woken = upkeep.timed_out(now)
        leases = {lease.id: lease for lease in Lease.select().where(Lease.released_at.is_null())}
        for token in _watch[0].dead(list(leases.values()), time.monotonic()):
            woken += reconcile.take_back(token, "its lab gave no sign of life", config, now, seen=leases[token])
        if _came_back_empty():
            logger.warning("the broker holds no epoch: waking everything that is not final")
            woken += upkeep.everything()
        else:
            woken += upkeep.forgotten(config, now) + upkeep.servable()
            woken += [results.bugs_due()] if outbox.is_waiting(now) else []
    publish(celery.needed(woken))


def _came_back_empty() -> bool:
    client = celery.broker_client()
    try:
        return bool(client.set(_EPOCH, utc_now().isoformat(), nx=True))
    finally:
        client.close()
