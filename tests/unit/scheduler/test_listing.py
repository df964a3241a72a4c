"""Listing: what a claim would refuse is said by name, and a longer list costs no more queries."""

from __future__ import annotations

import datetime
import logging

import pytest

from autotest import api
from autotest.models import database
from autotest.models.afe import AclGroup, AclGroupHost, IneligibleHostQueue, Label
from autotest.scheduler import listing

NOW = datetime.datetime(2026, 3, 1, tzinfo=datetime.timezone.utc)


@pytest.fixture
def blocked(installation):
    """Creates a job on board:pi4 and says why each host with that label does not take it."""
    installation.host("h1")

    def why(**arguments):
        job_id = api.create_job("nap", "pass", **{"dependencies": ["board:pi4"], **arguments})
        return lambda: api.show_job(job_id)["entries"][0]["waiting"]["blocked"]

    return why


@pytest.fixture
def count_queries(caplog):
    """How many SQL statements a call sends."""

    def count(call):
        caplog.clear()
        with caplog.at_level(logging.DEBUG, logger="peewee"), database.connection():
            call()
        return len([record for record in caplog.records if record.name == "peewee"])

    return count


def test_a_host_of_a_group_that_the_owner_is_not_in_is_not_open_to_him(blocked):
    with database.connection():
        AclGroupHost.update(aclgroup=AclGroup.create(name="lab people")).execute()
    assert blocked(owner="bob")() == {"h1": "not open to bob"}


def test_a_superuser_may_use_every_host(installation, blocked):
    with database.connection():
        AclGroupHost.update(aclgroup=AclGroup.create(name="lab people")).execute()
    installation.superuser("root")
    assert blocked(owner="root")() == {}


def test_a_host_with_a_rare_label_is_kept_for_those_who_ask(installation):
    installation.host("h1", ["board:pi4", "modem"])
    with database.connection():
        Label.update(only_if_needed=True).where(Label.name == "modem").execute()
    waits = api.create_job("nap", "pass", dependencies=["board:pi4"])
    asks = api.create_job("nap", "pass", dependencies=["board:pi4", "modem"])
    assert api.show_job(waits)["entries"][0]["waiting"]["blocked"] == {"h1": "kept for entries that ask for modem"}
    assert api.show_job(asks)["entries"][0]["waiting"]["free"] == ["h1"]


def test_a_host_that_the_job_had_before_is_not_for_it_again(installation, blocked):
    why = blocked()
    with database.connection():
        IneligibleHostQueue.create(job=1, host=1)
    assert why() == {"h1": "not again for this job"}


def test_a_host_that_another_job_names_is_kept_for_it(blocked):
    why = blocked()
    named = api.create_job("nap", "pass", hosts=["h1"])
    assert why() == {"h1": f"kept for job {named}, which names it"}
    assert api.show_job(named)["entries"][0]["waiting"]["free"] == ["h1"]


def test_an_entry_at_the_parser_waits_for_the_results_worker(installation, blocked):
    blocked()
    installation.lease("h1", 1)
    with database.connection():
        listing.HostQueueEntry.update(status="Parsing", active=False).execute()
    (entry,) = api.show_job(1)["entries"]
    assert (entry["waits_for"], entry["waiting"]) == ("the results worker of its lab", None)


@pytest.mark.parametrize(
    "call",
    [
        lambda: listing.jobs(100),
        lambda: listing.suites(100),
        lambda: listing.host_list(NOW, 30, 100),
        lambda: listing.queues(NOW, 30),
    ],
    ids=["jobs", "suites", "hosts", "queues"],
)
def test_a_longer_list_costs_no_more_queries(installation, count_queries, call):
    build = installation.build()

    def more(number):
        installation.host(f"h{number}", ["board:pi4", f"label{number}"])
        api.create_job("nap", "pass", dependencies=[f"label{number}"])
        api.create_suite_job("smoke", "pi4", build)

    more(1)
    few = count_queries(call)
    for number in range(2, 8):
        more(number)
    assert 0 < count_queries(call) == few <= 7


def test_why_no_work_starts_at_all_stands_before_every_other_reason(lab):
    lab.host("h1", ["board:pi4"])
    entry = lab.entry(["board:pi4"])

    (queue,) = listing.queues(lab.now, 30, "the disk is full")
    (shown,) = listing.job(entry.job_id, lab.now, 30, "the disk is full")["entries"]

    assert queue["why"].startswith("the disk is full; ")
    assert shown["waits_for"].startswith("the disk is full; ")
