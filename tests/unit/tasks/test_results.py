"""The end of a parse: the entry, the retry and the bug report in one transaction; what the tracker said, afterwards."""

from __future__ import annotations

import json
import types

import pytest
from paper_suites import BUILD, PaperSuites, children, entry_of, keyvals

from autotest import settings
from autotest.client import keyval
from autotest.models import database, tko
from autotest.models.afe import Host, HostQueueEntry, Job
from autotest.models.lab import Lab
from autotest.models.suite import BugReport
from autotest.results import parser, store
from autotest.scheduler import entries, hosts, suite_retries
from autotest.settings import Settings
from autotest.tasks import results

CONTROL = """AUTHOR = 'a'
NAME = 'flaky'
DOC = 'd'
TIME = 'FAST'
TEST_TYPE = 'client'
ATTRIBUTES = 'suite:smoke'
JOB_RETRIES = 1
BUG_TEMPLATE = {'labels': ['net']}
"""


@pytest.fixture
def suite(migrated_database, tmp_path):
    """Suite smoke with one flaky test."""
    database.connect(migrated_database)
    build = tmp_path / "builds" / BUILD
    for name, text in {"test_suites/control.smoke": "NAME = 'smoke'\n", "control/flaky/control": CONTROL}.items():
        (build / name).parent.mkdir(parents=True)
        (build / name).write_text(text)
    with database.connection():
        host = Host.create(hostname="h1", lab=Lab.create(name="desk"))
        hosts.set_labels(host.id, ["board:pi4"])
        yield PaperSuites(types.SimpleNamespace(settings=Settings(root=tmp_path), now=database.utc_now()))


def end(suite, child, *tests, **stored):
    suite.stored(child, *tests, **stored)
    return results._end(suite.parsing(child).id, suite.lab.now)


def reports():
    return [json.loads(row.report) for row in BugReport.select().order_by(BugReport.id)]


def test_what_is_sent_to_run_again_is_not_reported_and_what_stands_is(suite):
    job = suite.running(job_retry=True, file_bugs=True)
    (first,) = children(job)

    assert [wake.task for wake in end(suite, first, ("flaky", "FAIL"))] == ["autotest.claim"]
    assert reports() == []
    retry = children(job)[-1]
    assert suite_retries.KEY in keyvals(retry)
    woken = end(suite, retry, ("flaky", "FAIL"))

    assert [wake.task for wake in woken] == ["autotest.report_bugs", "autotest.finish_suite"]
    (told,) = reports()
    assert told["fault"].items() >= {"test": "flaky", "status": "FAIL", "suite": "smoke", "board": "pi4"}.items()
    assert told["fault"].items() >= {"job_id": retry.id, "suite_job_id": job.id, "hostname": "h1"}.items()
    assert told["labels"] == ["net"]


@pytest.mark.parametrize(
    ("status", "began", "reported"),
    [("FAIL", True, 1), ("WARN", True, 1), ("GOOD", True, 0), ("TEST_NA", True, 0), ("ABORT", False, 0)],
)
def test_what_was_tried_and_is_worse_than_good_is_reported(suite, status, began, reported):
    """Vectors 9.3 no. 13 and 14."""
    job = suite.running(file_bugs=True)

    end(suite, children(job)[0], ("flaky", status), began=began)

    assert len(reports()) == reported


def test_without_file_bugs_nothing_is_reported(suite):
    job = suite.running(job_retry=False)

    woken = end(suite, children(job)[0], ("flaky", "FAIL"))

    assert [wake.task for wake in woken] == ["autotest.finish_suite"]
    assert reports() == []


def test_delivered_twice_the_second_does_nothing(suite):
    job = suite.running(file_bugs=True)
    (child,) = children(job)
    end(suite, child, ("flaky", "FAIL"))

    assert results._end(entry_of(child).id, suite.lab.now) == []
    assert len(reports()) == 1


def test_killed_in_between_neither_end_nor_report_is_there(suite, monkeypatch):
    job = suite.running(file_bugs=True)
    (child,) = children(job)

    def killed(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(entries, "finish", killed)
    with pytest.raises(KeyboardInterrupt):
        end(suite, child, ("flaky", "FAIL"))

    assert (entry_of(child).status, reports()) == ("Parsing", [])


def test_the_entry_of_a_plain_job_just_ends(suite):
    entry = HostQueueEntry.create(job=Job.create(owner="ann"), status="Parsing", succeeded=True)

    assert results._end(entry.id, suite.lab.now) == []
    assert HostQueueEntry.get_by_id(entry.id).status == "Completed"


def test_an_entry_whose_run_left_no_log_ends_at_once(suite, tmp_path, monkeypatch):
    monkeypatch.setattr(settings, "load", lambda: Settings(root=tmp_path))
    job = Job.create(owner="ann")
    entry = HostQueueEntry.create(job=job, status="Parsing", execution_subdir="h1", reason="the runner was killed")
    (tmp_path / "results" / job.tag / "h1").mkdir(parents=True)

    results.parse(entry.id)

    ended = HostQueueEntry.get_by_id(entry.id)
    assert (ended.status, ended.reason, ended.parse_attempts) == ("Failed", "the runner was killed", 0)
    assert not tko.TkoJob.select().exists()


def test_a_suite_that_is_over_learns_what_the_tracker_calls_its_bugs(suite, tmp_path, monkeypatch):
    config = Settings(root=tmp_path)
    monkeypatch.setattr(settings, "load", lambda: config)
    job = suite.running(file_bugs=True)
    (child,) = children(job)
    end(suite, child, ("flaky", "FAIL"))
    suite.finish(job)
    folder = suite.folder(job)
    tag = folder.relative_to(config.results_dir).as_posix()
    store.save(parser.read(folder), tag)
    entries.finish(entry_of(job).id)

    results.report_bugs.run()

    key = f"{child.id}_flaky-Bug"
    pairs = keyval.read(str(folder))
    (line,) = (config.results_dir / "bugs.jsonl").read_text().splitlines()
    assert (pairs[f"{key}_Id"], pairs[f"{key}_Count"]) == (json.loads(line)["bug"], 1)
    known = dict(
        tko.TkoJobKeyval.select(tko.TkoJobKeyval.key, tko.TkoJobKeyval.value)
        .join(tko.TkoJob)
        .where(tko.TkoJob.tag == tag)
        .tuples()
    )
    assert known[f"{key}_Id"] == str(pairs[f"{key}_Id"])
    assert BugReport.get().due_at is None


def test_a_suite_that_runs_looks_itself_when_it_ends(suite, tmp_path, monkeypatch):
    monkeypatch.setattr(settings, "load", lambda: Settings(root=tmp_path))
    job = suite.running(file_bugs=True)
    (child,) = children(job)
    end(suite, child, ("flaky", "FAIL"))

    results.report_bugs.run()
    before = keyval.read(str(suite.folder(job)))
    suite.finish(job)

    key = f"{child.id}_flaky-Bug_Id"
    assert key not in before
    assert key in keyval.read(str(suite.folder(job)))
