"""What the suites worker does for suites: creates their children, and closes them when the last one ended."""

from __future__ import annotations

from autotest import settings
from autotest.celery import app, publish
from autotest.models import database
from autotest.models.database import utc_now
from autotest.scheduler import suites


@app.task(name="autotest.run_suite")
def run_suite(job_id: int) -> None:
    """Create the children of a suite from the control files of its build."""
    with database.connection():
        woken = suites.fan_out(job_id, settings.load(), utc_now())
    publish(woken)


@app.task(name="autotest.finish_suite")
def finish_suite(job_id: int) -> None:
    """Write the suite's own results once its last child ended."""
    with database.connection():
        woken = suites.finish(job_id, settings.load(), utc_now())
    publish(woken)
