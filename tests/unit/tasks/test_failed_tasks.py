"""A special task that failed an entry for good leaves its results to the job; nothing else takes their place."""

from __future__ import annotations

import datetime

import pytest

from autotest import api
from autotest.client import keyval, status_log
from autotest.client.exit_file import ExitFile
from autotest.client.status_log import StatusEntry
from autotest.models import database, tko
from autotest.models.afe import Host, HostQueueEntry, Job
from autotest.results import facts, suite_rows, verdict
from autotest.tasks import results

FAILED_AT = datetime.datetime(2026, 3, 1, 12, tzinfo=datetime.timezone.utc)
REASON = "Provision of h1 failed: h1 has no\tbootloader #2"


@pytest.fixture
def entry(installation):
    """An entry in Parsing, that failed before it ran on h1."""
    installation.host("h1")
    job_id = api.create_job("b/v1/net/nightly", "job.run_test('netperf')", hosts=["h1"], keyvals={"build": "b/v1"})
    with database.connection():
        HostQueueEntry.update(
            status="Parsing",
            active=False,
            host=Host.get(Host.hostname == "h1"),
            execution_subdir="h1",
            finished_on=FAILED_AT,
            reason=REASON,
        ).where(HostQueueEntry.job == job_id).execute()
        yield HostQueueEntry.get(HostQueueEntry.job == job_id)


def failed(installation, entry, kind="Provision", minutes=0.0, log=True, **columns):
    """A complete task for the entry with the folder that autoserv leaves."""
    when = FAILED_AT - datetime.timedelta(minutes=minutes)
    ended = {"is_complete": True, "success": False, "time_finished": when, **columns}
    task = installation.task("h1", kind, queue_entry=entry, **ended)
    folder = installation.settings.results_dir / "hosts" / "h1" / f"{task.id}-{kind.lower()}"
    folder.mkdir(parents=True)
    keyval.append(str(folder), {"hostname": "h1", "label": f"{kind} h1", "user": "system", "status_version": 1})
    (folder / ".autoserv_execute").write_text(ExitFile(1, 256, 0).render())
    if log:
        logger = status_log.StatusLogger(str(folder), "status.log", clock=lambda: when.timestamp())
        logger.record(StatusEntry("START", operation=kind.lower()))
        logger.record(StatusEntry("END FAIL", operation=kind.lower()))
    return folder


def stored(job_id):
    rows = tko.TestResult.select(tko.TestResult.test, tko.Status.word, tko.TestResult.reason).join(tko.Status)
    return sorted(rows.switch(tko.TestResult).join(tko.TkoJob).where(tko.TkoJob.afe_job_id == job_id).tuples())


def test_a_provision_that_failed_for_good_is_a_result_of_the_job(installation, entry):
    left = failed(installation, entry)

    results.parse(entry.id)

    told = keyval.writable(REASON)
    assert stored(entry.job_id) == [("SERVER_JOB", "FAIL", told), ("provision", "FAIL", told)]
    (job,) = tko.TkoJob.select().where(tko.TkoJob.afe_job_id == entry.job_id)
    assert (job.tag, job.username, job.label) == (f"{entry.job.tag}/h1", entry.job.owner, "b/v1/net/nightly")
    assert (job.build, job.finished_time) == ("b/v1", FAILED_AT)
    assert HostQueueEntry.get_by_id(entry.id).status == "Failed"
    assert REASON not in (left / "status.log").read_text()
    (child,) = facts.jobs(Job.id == entry.job_id)
    (row,) = suite_rows.rows_of_job(child)
    assert (row.name, row.status, row.reason) == ("provision", "FAIL", told)
    assert verdict.of([row.view]) == verdict.PROVISION_FAILED


@pytest.mark.parametrize(
    "what",
    [{"success": True}, {"is_aborted": True}, {"minutes": -1}, {"is_complete": False}],
    ids=["it went well", "it was aborted", "it ended after the entry", "it has not ended"],
)
def test_a_task_that_did_not_fail_the_entry_leaves_it_nothing(installation, entry, what):
    failed(installation, entry, **what)

    results.parse(entry.id)

    assert [row[:2] for row in stored(entry.job_id)] == [("SERVER_JOB", "FAIL")]


def test_the_last_task_counts(installation, entry):
    failed(installation, entry, "Verify", minutes=5)
    failed(installation, entry, "Repair")

    results.parse(entry.id)

    assert [row[:2] for row in stored(entry.job_id)] == [("SERVER_JOB", "FAIL"), ("repair", "FAIL")]


def test_a_task_that_never_began_its_log_still_tells_why(installation, entry):
    failed(installation, entry, log=False)

    results.parse(entry.id)

    assert stored(entry.job_id) == [("SERVER_JOB", "FAIL", keyval.writable(REASON))]


def test_half_a_copy_of_a_parser_that_died_is_made_anew(installation, entry):
    left = failed(installation, entry)
    half = installation.settings.results_dir / entry.job.tag / ".runs" / f"task{left.name.split('-')[0]}"
    half.mkdir(parents=True)
    (half / "status.log").write_text("half\n")

    results.parse(entry.id)

    assert [row[0] for row in stored(entry.job_id)] == ["SERVER_JOB", "provision"]
