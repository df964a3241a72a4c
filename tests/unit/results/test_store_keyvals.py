"""Keyvals of a job from its creation to the TKO tables: what AFE has first, what the run adds, what is known in the end
(results-and-tko.md section 7)."""

from __future__ import annotations

import datetime
import hashlib

import pytest

from autotest import api
from autotest.client import keyval, perf_chart
from autotest.models import database, tko
from autotest.models.afe import HostQueueEntry, JobKeyval
from autotest.models.lab import Lease
from autotest.results import parser, store
from autotest.results.parsing import perf_measurements
from autotest.scheduler import steps
from autotest.states import Step
from autotest.tasks import run_folders

BEGAN = datetime.datetime(2026, 3, 1, 12, tzinfo=datetime.timezone.utc)
LOG = "GOOD\tnetperf\tnetperf\ttimestamp=1101\tfine\n"


@pytest.fixture
def job_id(installation):
    """A job with keyvals of its own that is about to run on h1."""
    installation.host("h1")
    created = api.create_job(
        "net/nightly", "job.run_test('netperf')", hosts=["h1"], keyvals={"suite": "net", "x": "a#b"}
    )
    with database.connection():
        yield created


def stored_keyvals(job_idx: int) -> dict[str, str]:
    return {row.key: row.value for row in tko.TkoJobKeyval.select().where(tko.TkoJobKeyval.job == job_idx)}


def test_the_keyvals_of_a_job_reach_its_folder_before_it_runs_and_its_rows_afterwards(installation, job_id):
    lease = installation.lease("h1", job_id)
    Lease.update(due_at=BEGAN).where(Lease.id == lease.id).execute()
    HostQueueEntry.update(status="Starting").where(HostQueueEntry.job == job_id).execute()
    work, _ = steps.begin(lease.lab, lease.id, Step.RUN_TEST, installation.settings, BEGAN)
    folder = run_folders.write(installation.settings.results_dir, work)
    assert keyval.read(str(folder))["suite"] == "net"

    (folder / "status.log").write_text(LOG)
    run_folders.close(installation.settings.results_dir, work, BEGAN + datetime.timedelta(hours=1))
    job_idx = store.save(parser.read(folder), f"{job_id}-ann/h1")

    initial = {row.key: row.value for row in JobKeyval.select().where(JobKeyval.job == job_id)}
    assert initial == {"suite": "net", "x": "a#b"}
    final = stored_keyvals(job_idx)
    began = int(BEGAN.timestamp())
    assert final.pop("job_queued") == str(int(installation.job(job_id).created_on.timestamp()))
    assert final == {
        "suite": "net",
        "x": "a b",
        "user": "ann",
        "label": "net/nightly",
        "hostname": "h1",
        "status_version": "1",
        "job_started": str(began),
        "job_finished": str(began + 3600),
    }
    job = tko.TkoJob.get_by_id(job_idx)
    assert (job.afe_job_id, job.username, job.label) == (job_id, "ann", "net/nightly")
    assert (job.started_time, job.finished_time) == (BEGAN, BEGAN + datetime.timedelta(hours=1))


@pytest.mark.usefixtures("db")
def test_a_suite_tells_where_its_tests_ran_and_a_retry_takes_the_place(folder):
    key = hashlib.md5(b"netperf", usedforsecurity=False).hexdigest()
    path = folder("GOOD|12-ann/h1/netperf|netperf|timestamp=1|fine")
    keyval.append(str(path), {"scheduled_test_names": repr(["netperf"] * 100), key: "12-ann"})
    job_idx = store.save(parser.read(path), "11-ann/hostless")
    before = stored_keyvals(job_idx)
    assert before[key] == "12-ann"
    assert before["scheduled_test_names"] == repr(["netperf"] * 100)[:300]

    keyval.append(str(path), {key: "13-ann"})
    store.save(parser.read(path), "11-ann/hostless")

    assert stored_keyvals(job_idx) == {**before, key: "13-ann"}


@pytest.mark.usefixtures("db")
def test_what_the_iterations_of_a_test_write_reaches_the_rows(folder):
    path = folder("GOOD|netperf|netperf|timestamp=1|fine")
    results = path / "netperf" / "results"
    results.mkdir(parents=True)
    keyval.append(str(path / "netperf"), {"version": 1, "param-time": 30})
    for number in (1, 2):
        keyval.write_iteration(
            str(results), {"mode": f"run {number}"}, {"mbps": 94.25 * number, "jitter": float("nan")}
        )

    store.save(parser.read(path), "12-ann/h1")

    (test,) = tko.TestResult.select().where(tko.TestResult.test == "netperf")
    tables = (tko.TestAttribute, tko.IterationAttribute, tko.IterationResult)
    attributes, texts, numbers = (list(table.select().where(table.test == test)) for table in tables)
    assert {row.attribute: row.value for row in attributes} == {"version": "1", "param-time": "30"}
    assert {(row.iteration, row.attribute): row.value for row in texts} == {(1, "mode"): "run 1", (2, "mode"): "run 2"}
    assert {(row.iteration, row.attribute): row.value for row in numbers} == {
        (1, "mbps"): 94.25,
        (1, "jitter"): None,
        (2, "mbps"): 188.5,
        (2, "jitter"): None,
    }


@pytest.mark.usefixtures("db")
def test_what_a_test_measured_reaches_the_rows_from_its_chart_and_its_perf_measurements(folder):
    path = folder("GOOD|netperf|netperf|timestamp=1|fine")
    results = path / "netperf" / "results"
    results.mkdir(parents=True)
    for value in (8, 10):
        perf_chart.add(str(results / "results-chart.json"), "boot \U0001f600", value, "s", higher_is_better=False)
    perf_chart.add(str(results / "results-chart.json"), "tcp", 94.5, "mbps", higher_is_better=True, graph="throughput")
    lines = (perf_measurements.render("tcp", value, "mbps", True, "throughput") for value in (90.0, [80.0, 84.0]))
    (results / "perf_measurements").write_text("".join(lines))

    store.save(parser.read(path), "12-ann/h1")

    row = tko.IterationPerfValue
    columns = (row.graph, row.description, row.iteration, row.value, row.stddev, row.units, row.higher_is_better)
    deviation = 2**0.5
    assert sorted(row.select(*columns).tuples(), key=str) == [
        ("throughput", "tcp", 1, 94.5, 0.0, "mbps", True),
        ("throughput", "tcp", 2, 90.0, 0.0, "mbps", True),
        ("throughput", "tcp", 3, 82.0, pytest.approx(2 * deviation), "mbps", True),
        (None, "boot__", 1, 9.0, pytest.approx(deviation), "s", False),
    ]
