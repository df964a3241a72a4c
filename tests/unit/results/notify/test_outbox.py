"""The outbox: a report is written down once, sent in order, kept while the tracker is down, and never sent by two."""

from __future__ import annotations

import dataclasses
import datetime

import pytest
from paper_faults import FAULT

from autotest import errors
from autotest.models import database
from autotest.models.afe import Job
from autotest.models.suite import Bug, BugReport
from autotest.results.notify import outbox
from autotest.settings import Settings

NOW = datetime.datetime(2026, 3, 1, 12, 0, tzinfo=datetime.timezone.utc)
SETTINGS = Settings()
CONTROL = """AUTHOR = 'a'
NAME = 'n'
DOC = 'd'
TIME = 'FAST'
TEST_TYPE = 'client'
BUG_TEMPLATE = {'owner': 'test@x.org', 'labels': ['net']}
"""


class Tracker:
    """Remembers what it was told; fails while *problem* is set."""

    def __init__(self):
        self.told = []
        self.problem: Exception | None = None
        self.names = iter(f"T-{number}" for number in range(1, 99))

    def file(self, report):
        return self._tell("", report) or next(self.names)

    def again(self, tracker_id, report):
        self._tell(tracker_id, report)

    def _tell(self, tracker_id, report):
        if self.problem is not None:
            raise self.problem
        self.told.append((tracker_id, report.fault.job_id, report.fault.test))


@pytest.fixture
def tracker(monkeypatch):
    made = Tracker()
    monkeypatch.setattr(outbox.plugins, "one_of", lambda *_: lambda _: made)
    return made


@pytest.fixture
def noted(db):
    """noted(**fields) makes a job and writes down a fault of it."""

    def note(now=NOW, **fields):
        job = Job.create(owner="ann", control_file=CONTROL)
        fault = dataclasses.replace(FAULT, **{"job_id": job.id, **fields})
        with database.transaction():
            assert outbox.note(job, [fault], {"cc": ["suite@x.org"]}, now)
        return job

    return note


def test_a_report_is_shaped_by_the_templates_of_test_and_suite(noted, tracker, monkeypatch):
    seen = []
    monkeypatch.setattr(tracker, "file", lambda report: seen.append(report) or "T-1")
    noted()

    outbox.send(SETTINGS, NOW)

    assert (seen[0].owner, seen[0].labels, seen[0].cc) == ("test@x.org", ("net",), ("suite@x.org",))


def test_a_fault_opens_one_bug_and_adds_to_it_afterwards(noted, tracker):
    first, second = noted(), noted(reason=FAULT.reason.replace("12.5", "99"), build="other")
    third = noted(test="other")

    assert outbox.send(SETTINGS, NOW) == [first.id, third.id]
    assert outbox.send(SETTINGS, NOW) == [second.id]
    assert outbox.send(SETTINGS, NOW) == []

    assert tracker.told == [
        ("", first.id, "wifi.connect"),
        ("", third.id, "other"),
        ("T-1", second.id, "wifi.connect"),
    ]
    assert [bug.tracker_id for bug in Bug.select().order_by(Bug.id)] == ["T-1", "T-2"]


def test_noted_twice_it_is_one_report(db, tracker):
    job = Job.create(owner="ann", control_file="not a control file (")
    for _ in range(2):
        outbox.note(job, [FAULT], {}, NOW)

    assert BugReport.select().count() == 1
    assert len(outbox.send(SETTINGS, NOW)) == 1


def test_no_fault_is_nothing_to_send(db):
    assert not outbox.note(Job.create(owner="ann"), [], {}, NOW)
    assert not outbox.is_waiting(NOW)


def test_what_the_tracker_does_not_take_is_kept_and_sent_later_and_later(noted, tracker):
    job = noted()
    tracker.problem = errors.BugTrackerFailed("503")
    now, pauses = NOW, []
    for _ in range(12):
        assert outbox.send(SETTINGS, now) == []
        row = BugReport.get()
        pauses.append((row.due_at - now).total_seconds())
        assert not outbox.is_waiting(now)
        now = row.due_at
    assert pauses[:4] == [10, 20, 40, 80]
    assert pauses[-1] == 3600
    assert (row.problem, row.attempts) == ("503", 12)

    tracker.problem = None
    assert outbox.send(SETTINGS, now) == [job.id]
    row = BugReport.get()
    assert (row.due_at, row.problem) == (None, "")


def test_a_tracker_that_is_down_is_asked_once_a_round(noted, tracker, monkeypatch):
    noted()
    noted(test="other")
    asked = []

    def down(report):
        asked.append(report)
        raise errors.BugTrackerFailed("503")

    monkeypatch.setattr(tracker, "file", down)
    outbox.send(SETTINGS, NOW)

    assert len(asked) == 1


def test_a_report_that_breaks_the_tracker_does_not_hold_up_the_others(noted, tracker, monkeypatch):
    noted()
    other = noted(test="other")
    file = tracker.file

    def picky(report):
        if report.fault.test != "other":
            raise KeyError("test")
        return file(report)

    monkeypatch.setattr(tracker, "file", picky)

    assert outbox.send(SETTINGS, NOW) == [other.id]
    assert BugReport.select().where(BugReport.due_at.is_null(False)).count() == 1


@pytest.mark.parametrize("name", ["", "x" * 256])
def test_a_bug_without_a_usable_name_is_not_taken_for_filed(noted, tracker, monkeypatch, name):
    noted()
    monkeypatch.setattr(tracker, "file", lambda _: name)

    assert outbox.send(SETTINGS, NOW) == []
    assert "1 to 255 are needed" in BugReport.get().problem


def test_while_one_sends_nobody_else_does(noted, tracker, monkeypatch):
    job = noted()
    file = tracker.file

    def meanwhile(report):
        assert outbox.send(SETTINGS, NOW) == []
        return file(report)

    monkeypatch.setattr(tracker, "file", meanwhile)

    assert outbox.send(SETTINGS, NOW) == [job.id]
    assert len(tracker.told) == 1


def test_a_sender_that_died_is_succeeded(noted, tracker, monkeypatch):
    job = noted()

    def killed(_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(tracker, "file", killed)
        with pytest.raises(KeyboardInterrupt):
            outbox.send(SETTINGS, NOW)

    assert outbox.send(SETTINGS, NOW + datetime.timedelta(seconds=30)) == []
    assert outbox.send(SETTINGS, NOW + datetime.timedelta(minutes=3)) == [job.id]


def test_an_unknown_tracker_is_a_problem_of_its_reports_until_it_is_put_right(noted):
    noted()
    assert outbox.send(Settings(bug_tracker="bugzila"), NOW) == []

    assert "no 'bugzila' in autotest.bugs; known: file, webhook" in BugReport.get().problem
