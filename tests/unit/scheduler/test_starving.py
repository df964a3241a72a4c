"""Starvation: what was tried, what of it had no machine, and which label sets starve that did not before."""

from __future__ import annotations

import datetime
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autotest.models import database, tko
from autotest.models.afe import HostQueueEntry
from autotest.models.lab import Lab
from autotest.scheduler import entries, labels, starving
from autotest.scheduler.starving import Hungry, Tally
from autotest.scheduler.waiting import Waiting

NOW = datetime.datetime(2026, 3, 1, 12, 0, tzinfo=datetime.timezone.utc)
HOUR = datetime.timedelta(hours=1)
DAY = 24 * HOUR


def hungry(since_h, until_h=None, key="k", timeout_mins=1440, job_id=5):
    """An entry that had no machine from *since_h* hours ago until *until_h* hours ago, or until now."""
    until = None if until_h is None else NOW - until_h * HOUR
    return Hungry(key, job_id, "sleep", "ann", 40, NOW - since_h * HOUR, until, timeout_mins)


def judged(*waits):
    """(starves, is new, entries) of the one label set of these entries."""
    why = Waiting(("board:pi4",), "", (), {}, False, "")
    (one,) = starving.of({"k": Tally(1, 0, 1)}, waits, {"k": why}, NOW, DAY, HOUR)
    return bool(one.starved), one.is_new, len(one.starved)


@pytest.mark.parametrize(
    ("waits", "expected"),
    [
        ([], (False, False, 0)),
        ([hungry(0.5)], (False, False, 0)),
        ([hungry(2)], (True, True, 1)),
        ([hungry(2, 1.5)], (False, False, 0)),
        ([hungry(5, 1)], (True, True, 1)),
        ([hungry(0.5, 0.1, timeout_mins=20)], (True, True, 1)),
        ([hungry(24.5)], (True, True, 1)),
        ([hungry(26)], (True, False, 1)),
        ([hungry(40, 30)], (False, False, 0)),
        ([hungry(2), hungry(40, 30)], (True, False, 1)),
        ([hungry(2), hungry(60, 50)], (True, True, 1)),
        ([hungry(2), hungry(3), hungry(0.2)], (True, True, 2)),
    ],
    ids=[
        "nothing waits",
        "waits not long yet",
        "waits too long",
        "was aborted soon",
        "was aborted after a long wait",
        "was aborted at a short timeout",
        "waited a little in the day before",
        "waited too long in the day before",
        "starved the day before only",
        "starves again",
        "starved long ago",
        "several",
    ],
)
def test_what_starves_and_what_is_new(waits, expected):
    assert judged(*waits) == expected


def test_new_starvation_comes_first_then_the_most_and_the_longest_wait_leads():
    whys = {name: Waiting((name,), "", (), {}, False, "") for name in ("busy", "old", "new", "quiet")}
    tallies = {"busy": Tally(9, 9, 0), "quiet": Tally(1, 1, 0)}
    waits = [hungry(30, key="old"), hungry(40, key="old"), hungry(2, key="new", job_id=7)]
    found = starving.of(tallies, waits, whys, NOW, DAY, HOUR)
    assert [one.why.labels[0] for one in found] == ["new", "old", "busy", "quiet"]
    assert [(NOW - entry.since) // HOUR for entry in found[1].starved] == [40, 30]


@given(st.floats(0, 100), st.none() | st.floats(0, 100), st.integers(1, 5000))
def test_who_starves_in_a_day_starves_in_every_longer_period(since_h, shorter, timeout_mins):
    until_h = None if shorter is None else min(since_h, shorter)
    entry = hungry(since_h, until_h, timeout_mins=timeout_mins)
    if starving.starves(entry, NOW - DAY, NOW, HOUR):
        assert starving.starves(entry, NOW - 2 * DAY, NOW, HOUR)
        assert starving.starves(entry, NOW - DAY, NOW, HOUR / 2)


@pytest.fixture
def report(lab):
    """report() is what the last day looks like now."""
    Lab.update(seen_at=lab.now).execute()
    return lambda: starving.report(lab.now, DAY, HOUR, 30.0)


def sets(found):
    """Label sets by their labels."""
    return {" ".join(row["labels"]): row for row in found["label_sets"]}


def test_what_was_tried_is_counted_by_label_set(lab, report):
    lab.host("h1", ["board:pi4"])
    done = lab.entry(needs=["board:pi4"])
    HostQueueEntry.update(started_on=lab.now, status="Completed", complete=True).where(
        HostQueueEntry.id == done.id
    ).execute()
    lab.entry(needs=["board:pi4"])
    row = sets(report())["board:pi4"]
    assert (row["tried"], row["ran"], row["waiting"], row["starving"]) == (2, 1, 1, False)
    assert row["hosts"] == [{"hostname": "h1", "status": "Ready", "why_not_free": ""}]


def test_an_entry_that_waits_too_long_starves_and_its_hosts_say_why(lab, report):
    lab.host("h1", ["board:pi4", "wifi"], status="Repair Failed", status_reason="no ping")
    lab.host("h2", ["board:pi4"])
    entry = lab.entry(needs=["board:pi4", "wifi"], owner="bob")
    lab.later(hours=3)
    found = report()
    row = sets(found)["board:pi4 wifi"]
    assert (row["starving"], row["new"], row["starved"], row["longest_wait_s"]) == (True, True, 1, 3 * 3600)
    assert row["hosts"] == [{"hostname": "h1", "status": "Repair Failed", "why_not_free": "Repair Failed (no ping)"}]
    assert row["jobs"] == [
        {
            "id": entry.job_id,
            "name": "sleeptest",
            "owner": "bob",
            "priority": 40,
            "created_on": "2026-03-01 12:00:00",
            "aborted_on": None,
            "waited_s": 3 * 3600,
        }
    ]
    json.dumps(found)


def test_an_entry_aborted_by_its_timeout_without_a_machine_starved(lab, report):
    lab.host("h1", ["board:pi4"])
    entry = lab.entry(needs=["board:pi4"], timeout_mins=120)
    lab.later(hours=2)
    entries.abort([entry.id], "ann", "too late", lab.now)
    lab.later(hours=1)
    row = sets(report())["board:pi4"]
    assert (row["starving"], row["waiting"], row["jobs"][0]["waited_s"]) == (True, 0, 2 * 3600)
    lab.later(hours=24)
    assert sets(report()) == {}


def test_an_entry_that_ran_before_it_was_aborted_did_not_starve(lab, report):
    lab.host("h1", ["board:pi4"])
    entry = lab.entry(needs=["board:pi4"])
    lab.later(hours=5)
    HostQueueEntry.update(
        status="Aborted", complete=True, aborted=True, started_on=lab.now, finished_on=lab.now, execution_subdir="h1"
    ).where(HostQueueEntry.id == entry.id).execute()
    assert not sets(report())["board:pi4"]["starving"]


def test_an_old_backlog_is_tried_and_not_new(lab, report):
    lab.host("h1", ["board:pi4"])
    lab.entry(needs=["board:pi4"])
    lab.later(days=3)
    row = sets(report())["board:pi4"]
    assert (row["tried"], row["waiting"], row["starving"], row["new"]) == (1, 1, True, False)


def test_an_entry_that_names_its_host_is_listed_under_the_host(lab, report):
    host = lab.host("h1", ["board:pi4"], locked=True, lock_reason="cable")
    lab.entry(host=host)
    lab.later(hours=2)
    (row,) = report()["label_sets"]
    assert (row["host"], row["starving"], len(row["hosts"])) == ("h1", True, 1)


def test_lines_of_one_family_are_one_label_set(lab, report):
    lab.host("h1", ["board:pi4"], locked=True)
    lab.entry(needs=["board:pi4"])
    lab.entry(needs=["board:pi4"])
    own = labels.queue_of(["board:pi4"], suite_id=7)
    labels.register(own)
    HostQueueEntry.update(queue_key=own.key).where(HostQueueEntry.id == 2).execute()
    lab.later(hours=2)
    (row,) = report()["label_sets"]
    assert (row["tried"], row["waiting"], row["starved"]) == (2, 2, 2)


def test_reasons_of_test_na_are_counted(lab, report):
    status, _ = tko.Status.get_or_create(word="TEST_NA")
    kernel = tko.Kernel.create(kernel_hash="UNKNOWN", base="UNKNOWN", printable="UNKNOWN")
    job = tko.TkoJob.create(tag="9-ann/hostless", machine=tko.Machine.create(hostname="hostless"))
    for name, subdir in (("wifi", None), ("bt", None), ("inner", "inner")):
        tko.TestResult.create(
            job=job,
            test=name,
            subdir=subdir,
            status=status,
            reason="no host carries wifi",
            kernel=kernel,
            machine=job.machine,
            finished_time=lab.now,
        )
    assert report()["not_applicable"] == [{"reason": "no host carries wifi", "tests": 2}]


def test_more_label_sets_cost_no_more_queries(lab, report, monkeypatch):
    def queries():
        asked = []
        execute = database.db.obj.execute_sql
        with monkeypatch.context() as patch:
            patch.setattr(
                database.db.obj, "execute_sql", lambda *args, **named: asked.append(1) or execute(*args, **named)
            )
            report()
        return len(asked)

    lab.host("h1", ["board:pi4"])
    lab.entry(needs=["board:pi4"])
    lab.later(hours=2)
    few = queries()
    for number in range(5):
        lab.entry(needs=["board:pi4", f"extra{number}"])
    assert queries() == few
    assert few <= 15
