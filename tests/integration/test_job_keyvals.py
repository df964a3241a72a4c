"""Keyvals of real jobs: what AFE has first, what runs and suite add, is what TKO knows in the end (section 7)."""

from __future__ import annotations

import hashlib

from nodes.installation import BUILD

from autotest.models import database, tko
from autotest.models.afe import Job, JobKeyval
from autotest.states import EntryStatus


def stored(job_id: int) -> dict[str, str]:
    """The keyvals of a job as TKO has them."""
    row = tko.TkoJobKeyval
    with database.connection():
        query = row.select(row.key, row.value).join(tko.TkoJob).where(tko.TkoJob.afe_job_id == job_id)
        return dict(query.tuples())


def test_the_keyvals_of_a_suite_and_of_its_test_reach_the_results(lab):
    lab.installation.add_test("passes", "job.run_test('quick')")
    suite = lab.suite()
    lab.wait_for(suite, EntryStatus.COMPLETED)
    with database.connection():
        child = Job.get(Job.parent_job == suite)
        initial = {row.key: row.value for row in JobKeyval.select().where(JobKeyval.job == child)}

    of_child, of_suite = stored(child.id), stored(suite)

    assert initial.items() <= of_child.items()
    assert (of_child["build"], of_child["suite"], of_child["parent_job_id"]) == (BUILD, "smoke", str(suite))
    assert (of_child["user"], of_child["label"], of_child["hostname"]) == (child.owner, child.name, "dut1")
    assert of_child["status_version"] == "1"
    for found in (of_child, of_suite):
        moments = [int(found[key]) for key in ("job_queued", "job_started", "job_finished")]
        assert moments == sorted(moments)
    assert "job_started" not in initial
    hashed = hashlib.md5(b"passes", usedforsecurity=False).hexdigest()
    assert of_suite[hashed] == f"{child.id}-{child.owner}"
    assert (of_suite["scheduled_test_count"], of_suite["scheduled_test_names"]) == ("1", "['passes']")
