"""Many results of one suite are parsed at once, each delivered twice: budget, retries and reports are counted once."""

from __future__ import annotations

import concurrent.futures
import types
from collections.abc import Callable

import pytest
from paper_suites import BUILD, PaperSuites, children, entry_of, keyvals

from autotest.models import database
from autotest.models.afe import Host, HostQueueEntry, Job
from autotest.models.lab import Lab
from autotest.models.suite import Bug, BugReport, SuiteRequest
from autotest.scheduler import hosts, suite_retries
from autotest.settings import Settings
from autotest.tasks import results

COUNT, BUDGET, THREADS = 24, 5, 12
CONTROL = """AUTHOR = 'a'
NAME = 'test{number}'
DOC = 'd'
TIME = 'FAST'
TEST_TYPE = 'client'
ATTRIBUTES = 'suite:smoke'
JOB_RETRIES = 1
"""


@pytest.fixture(params=["sqlite", "mysql"])
def suite(request: pytest.FixtureRequest, databases_of: Callable, tmp_path):
    """A suite of COUNT tests that all failed, and whose results are stored."""
    database.connect(databases_of(request.param).migrated())
    build = tmp_path / "builds" / BUILD
    (build / "test_suites").mkdir(parents=True)
    (build / "test_suites" / "control.smoke").write_text("NAME = 'smoke'\n")
    (build / "control").mkdir()
    for number in range(COUNT):
        (build / "control" / f"control.test{number}").write_text(CONTROL.format(number=number))
    with database.connection():
        hosts.set_labels(Host.create(hostname="h1", lab=Lab.create(name="desk")).id, ["board:pi4"])
        paper = PaperSuites(types.SimpleNamespace(settings=Settings(root=tmp_path), now=database.utc_now()))
        job = paper.running(job_retry=True, max_retries=BUDGET, file_bugs=True)
        for child in children(job):
            paper.stored(child, ("same", "FAIL"))
            paper.parsing(child)
        yield job


def _end(entry_id: int) -> list[str]:
    with database.connection():
        return [wake.task for wake in results._end(entry_id, database.utc_now())]


def test_a_budget_is_spent_once_and_every_result_that_stands_is_reported_once(suite: Job) -> None:
    ids = [entry_of(child).id for child in children(suite)]

    with concurrent.futures.ThreadPoolExecutor(THREADS) as pool:
        woken = [task for tasks in pool.map(_end, [*ids, *ids]) for task in tasks]

    again = [child for child in children(suite) if suite_retries.KEY in keyvals(child)]
    assert len(again) == BUDGET
    assert woken.count("autotest.claim") == BUDGET
    assert SuiteRequest.get_by_id(suite.id).retries_left == 0
    assert Bug.select().count() == 1
    assert BugReport.select().count() == COUNT - BUDGET
    ended = HostQueueEntry.select().where(HostQueueEntry.id.in_(ids), HostQueueEntry.status == "Failed").count()
    assert ended == COUNT
    assert "autotest.finish_suite" not in woken
