"""Lab rows: what the tab reads of the ledger, in the same number of queries however large the lab is."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from autotest import api, errors
from autotest.flower import lab_rows
from autotest.models import database
from autotest.models.lab import Lease
from autotest.results import parser, store
from autotest.scheduler import hosts, steps
from autotest.states import Step

DEAD_AFTER_S = 30.0


@pytest.fixture
def count_queries(caplog):
    """How many SQL statements a call sends."""

    def count(call):
        caplog.clear()
        with caplog.at_level(logging.DEBUG, logger="peewee"):
            call()
        return len([record for record in caplog.records if record.name == "peewee"])

    return count


def look():
    return lab_rows.look(database.utc_now(), DEAD_AFTER_S)


def populate(installation, number, board):
    for each in range(number):
        name = f"{board}-{each}"
        installation.host(name, [f"board:{board}"])
        job_id = api.create_job("sleeptest", "pass", dependencies=[f"board:{board}"])
        installation.lease(name, job_id)
        api.create_job("sleeptest", "pass", dependencies=[f"board:{board}"])


def test_a_larger_lab_costs_no_more_queries(installation, count_queries):
    populate(installation, 1, "pi4")
    few = count_queries(look), count_queries(lambda: lab_rows.details([1]))
    for board in ("pi5", "x86", "phone"):
        populate(installation, 5, board)
    assert few == (count_queries(look), count_queries(lambda: lab_rows.details(range(100))))
    assert sum(few) <= 16


def test_a_test_that_runs_names_its_lease_and_its_folder(installation):
    host = installation.host("pi4-1")
    job_id = api.create_job("build/suite/sleeptest", "pass", dependencies=["board:pi4"], owner="ann")
    lease = installation.lease("pi4-1", job_id)
    doing = lab_rows.details([host.id]).doing[host.id]
    assert (doing.token, doing.step, doing.test, doing.job_id, doing.begun) == (
        *(lease.id, "run_test", "sleeptest", job_id, True),
    )
    assert doing.folder == f"{job_id}-ann/.runs/{lease.id}"


def test_a_task_of_the_hosts_own_names_the_folder_that_its_step_writes(installation):
    host = installation.host("pi4-1")
    task = installation.task("pi4-1", "Repair")
    lease = installation.lease("pi4-1", step="repair")
    now = database.utc_now()
    with database.connection():
        Lease.update(task=task, due_at=now).where(Lease.id == lease.id).execute()
    doing = lab_rows.details([host.id]).doing[host.id]
    assert (doing.step, doing.test, doing.job_id, doing.begun) == ("repair", "", None, False)
    with database.connection():
        work, _ = steps.begin(lease.lab, lease.id, Step.REPAIR, installation.settings, now)
    assert work is not None
    assert Path(doing.folder) == work.folder


def test_a_released_lease_is_not_shown(installation):
    host = installation.host("pi4-1")
    lease = installation.lease("pi4-1")
    with database.connection():
        Lease.update(released_at=database.utc_now()).where(Lease.id == lease.id).execute()
    assert lab_rows.details([host.id]).doing == {}


def test_the_last_result_is_the_newest_entry_that_ended(installation):
    host = installation.host("pi4-1")
    for status in ("Completed", "Failed"):
        job_id = api.create_job("sleeptest", "pass", hosts=["pi4-1"])
        installation.ended(job_id, status)
    api.create_job("sleeptest", "pass", hosts=["pi4-1"])
    last = lab_rows.details([host.id]).last[host.id]
    assert (last.job_id, last.test, last.status) == (job_id, "sleeptest", "Failed")


def test_a_job_that_ended_with_failed_tests_says_how_many(installation, tmp_path):
    host = installation.host("pi4-1")
    job_id = api.create_job("sleeptest", "pass", hosts=["pi4-1"])
    installation.ended(job_id)
    (tmp_path / "keyval").write_text("status_version=1\nhostname=pi4-1\n")
    (tmp_path / ".autoserv_execute").write_text("1\n0\n1\n")
    (tmp_path / "status.log").write_text("GOOD\tt1\tt1\ttimestamp=1100\t\nFAIL\tt2\tt2\ttimestamp=1101\tbroken\n")
    with database.connection():
        store.save(parser.read(tmp_path), f"{job_id}-ann/pi4-1")
    assert lab_rows.details([host.id]).last[host.id].failed == 1


def test_queues_say_why_nobody_serves_them(installation):
    installation.host("pi4-1", ["board:pi4"])
    api.create_job("sleeptest", "pass", dependencies=["board:pi4"])
    with database.connection():
        hosts.set_labels(hosts.named("pi4-1").id, {"board:pi5"})
    (queue,) = look().queues
    assert (queue["served"], queue["why"]) == (False, "no host carries board:pi4")


def test_a_database_without_tables_names_the_remedy(tmp_path, installation):
    database.connect(f"sqlite:///{tmp_path / 'empty.db'}")
    with pytest.raises(errors.ConfigError, match="autotest db migrate"):
        look()


def test_a_database_that_is_no_database_is_named(tmp_path, installation):
    (tmp_path / "broken.db").write_bytes(b"not a database, but long enough to look like one" * 100)
    database.connect(f"sqlite:///{tmp_path / 'broken.db'}")
    with pytest.raises(errors.DatabaseUnreachable, match=r"broken\.db"):
        look()
    with pytest.raises(errors.DatabaseUnreachable, match=r"broken\.db"):
        lab_rows.details([1])
