"""Messages are only wake-ups: delivered twice they do nothing twice, and a lost one is sent again."""

from __future__ import annotations

import datetime

import pytest
from nodes.proxy import Disturbance
from nodes.settled import assert_settled

from autotest import celery
from autotest.models import database
from autotest.models.afe import HostQueueEntry
from autotest.states import EntryStatus

LONG_AGO = datetime.datetime(2001, 1, 1, tzinfo=datetime.timezone.utc)


def run_jobs_and_a_suite(lab) -> None:
    """Let eight jobs and a suite come to their ends, and see that each test ran once."""
    gates = [lab.gate() for _ in range(9)]
    for gate in gates:
        gate.open()
    lab.installation.add_test("gated", gates[8].control)
    for number, gate in enumerate(gates[:8]):
        lab.job(gate.control, verify=number % 4 == 0)
    lab.suite()
    assert_settled(lab, 60)
    assert {lab.status(job) for job in lab.job_ids} == {EntryStatus.COMPLETED}
    assert [len(gate.runs) for gate in gates] == [1] * 9


@pytest.mark.slow
@pytest.mark.lab(duts=3, disturbance=Disturbance(copies=2))
def test_every_message_delivered_twice_runs_every_test_once(lab, proxy):
    run_jobs_and_a_suite(lab)
    assert proxy.met["copied"] == proxy.met["messages"] > 20


@pytest.mark.slow
@pytest.mark.lab(duts=3, disturbance=Disturbance(loss=0.3))
def test_wake_ups_lost_at_random_are_sent_again(lab, proxy):
    run_jobs_and_a_suite(lab)
    assert proxy.met["swallowed"] > 5


def test_a_results_worker_that_was_away_finds_no_heap_of_messages(lab):
    lab.worker("results").kill()
    job = lab.job()
    lab.wait_for(job, EntryStatus.PARSING)
    entry = lab.entry(job)
    for _ in range(5):
        with database.connection():
            HostQueueEntry.update(due_at=LONG_AGO).where(HostQueueEntry.id == entry.id).execute()
        lab.wait_until(lambda: lab.entry(job).due_at > LONG_AGO, "the sweep finds it forgotten")
    assert celery.depths(["results.desk"]) == {"results.desk": 1}
    lab.worker("results").restart()
    lab.wait_for(job, EntryStatus.COMPLETED)
    assert_settled(lab)
