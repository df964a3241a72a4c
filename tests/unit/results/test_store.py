"""The store: one folder, one set of rows, however often it is parsed and whatever people did to the rows meanwhile."""

from __future__ import annotations

import datetime
import signal
import subprocess
import sys
import threading

import pytest

from autotest.models import database, tko
from autotest.results import parser, store, store_rows
from autotest.states import Outcome

LOG = """START|t1|t1|timestamp=1100|
    >GOOD|t1|t1|timestamp=1110|fine
    END GOOD|t1|t1|timestamp=1111|
    START|t2|t2|timestamp=1120|
    >FAIL|t2|t2|timestamp=1121|broken
    END FAIL|t2|t2|timestamp=1122|"""
FILES = {
    "t1/keyval": "version=1\nratio=1.50\n",
    "t1/results/keyval": "mode{attr}=fast\nfps{perf}=60.5\n\nfps{perf}=nan\n",
    "t1/results/perf_measurements": '{"description": "boot", "value": [8, 10], "units": "s"}\n' * 2,
    "host_keyvals/h1": "platform=eve\nlabels=model%3Aeve,wifi\n",
}


def dump():
    """Every row of every TKO table, for comparison."""
    return {
        table.__name__: sorted(map(repr, table.select().tuples()))
        for table in tko.TABLES
        if table.table_exists() and table is not tko.TestLabel
    }


def results_of(job_idx):
    return list(tko.TestResult.select().where(tko.TestResult.job == job_idx).order_by(tko.TestResult.test_idx))


LONG = "\U0001f600" * 1000


def saved(folder, log=LOG, files=FILES, tag="7-ann/h1"):
    return store.save(parser.read(folder(log, files)), tag)


@pytest.mark.usefixtures("db")
def test_a_folder_becomes_rows(folder):
    keyval = "status_version=1\nuser=ann\nhostname=h1\njob_started=1000\nlabel=a/b/s/t\nparent_job_id=3\n"
    job_idx = saved(folder, files={**FILES, "keyval": keyval})

    job = tko.TkoJob.get_by_id(job_idx)
    assert (job.tag, job.username, job.afe_job_id, job.afe_parent_job_id) == ("7-ann/h1", "ann", 7, 3)
    assert (job.build, job.suite) == ("a/b", "s")
    assert job.started_time == datetime.datetime(1970, 1, 1, 0, 16, 40, tzinfo=datetime.timezone.utc)
    assert (job.machine.hostname, job.machine.machine_group) == ("h1", "eve")
    reference = tko.TaskReference.get()
    assert (reference.reference_type, reference.task_id, reference.parent_task_id) == ("afe", "7", "3")
    found = [(test.test, test.subdir, test.status.word, test.reason, test.kernel.base) for test in results_of(job_idx)]
    assert found == [
        ("SERVER_JOB", "----", "GOOD", "", "UNKNOWN"),
        ("t1", "t1", "GOOD", "fine", "UNKNOWN"),
        ("t2", "t2", "FAIL", "broken", "UNKNOWN"),
    ]
    t1 = results_of(job_idx)[1]
    attributes = {row.attribute: row.value for row in tko.TestAttribute.select().where(tko.TestAttribute.test == t1)}
    assert attributes == {"version": "1", "ratio": "1.5", "host-platform": "eve", "host-labels": "model%3Aeve,wifi"}
    numbers = tko.IterationResult.select(tko.IterationResult.iteration, tko.IterationResult.value)
    assert sorted(numbers.tuples()) == [(1, 60.5), (2, None)]
    assert tko.IterationAttribute.get().value == "fast"
    assert tko.TkoJobKeyval.get(tko.TkoJobKeyval.key == "user").value == "ann"


@pytest.mark.usefixtures("db")
def test_parsing_again_changes_nothing(folder):
    first = saved(folder)
    before = dump()

    assert saved(folder) == first

    assert dump() == before


@pytest.mark.usefixtures("db")
def test_what_people_did_to_a_result_survives_another_parse(folder):
    t1 = results_of(saved(folder))[1]
    tko.TestAttribute.create(test=t1, attribute="bug", value="12", user_created=True)
    label, _ = tko.TestLabel.get_or_create(name="flaky")
    tko.TestLabelTest.create(testlabel=label, test=t1)
    tko.TestResult.update(invalid=True).where(tko.TestResult.test_idx == t1.test_idx).execute()

    again = results_of(saved(folder, LOG.replace("fine", "fine indeed")))[1]

    assert (again.test_idx, again.invalid, again.reason) == (t1.test_idx, True, "fine indeed")
    assert tko.TestLabelTest.select().where(tko.TestLabelTest.test == again).count() == 1
    assert tko.TestAttribute.get(tko.TestAttribute.user_created).value == "12"


@pytest.mark.usefixtures("db")
def test_results_that_vanished_from_the_folder_go_and_new_ones_come(folder):
    job_idx = saved(folder)
    kept = {test.test: test.test_idx for test in results_of(job_idx)}

    saved(folder, LOG.replace("t2", "t3"))

    found = {test.test: test.test_idx for test in results_of(job_idx)}
    assert set(found) == {"SERVER_JOB", "t1", "t3"}
    assert found["t1"] == kept["t1"]


@pytest.mark.usefixtures("db")
def test_two_results_of_one_name_keep_their_rows_in_order(folder):  # Q4
    log = "FAIL|t|t|timestamp=1|first\nFAIL|t|t|timestamp=2|second"
    before = [(test.test_idx, test.reason) for test in results_of(saved(folder, log))]

    after = [(test.test_idx, test.reason) for test in results_of(saved(folder, log))]

    assert after == before
    assert [reason for _, reason in after] == ["", "first", "second"]


@pytest.mark.usefixtures("db")
def test_texts_that_no_column_holds_are_cut_and_cleaned(folder):  # Q7: no NUL is stored
    reason = b"\xff" + b"\xe2\x98\x83" * 5000 + b"\0\n"
    log = b"GOOD\t" + b"s" * 400 + b"\t" + b"n" * 400 + b"\ttimestamp=1\t" + reason
    keyval = "status_version=1\nhostname=" + "h" * 900 + "\n" + "k" * 200 + "=" + "v" * 5000 + "\nuser=\udcff\n"

    job_idx = saved(folder, log, {"keyval": keyval, ("s" * 200 + "/keyval"): "a=1\n"}, tag="9-ann/" + "h" * 400)

    test = results_of(job_idx)[1]
    assert (len(test.test), len(test.subdir), len(test.reason)) == (300, 300, 4096)
    assert test.reason.startswith("\ufffd\u2603")
    assert "\0" not in test.reason
    assert tko.TkoJob.get_by_id(job_idx).username == "\ufffd"
    assert tko.TkoJobKeyval.get(tko.TkoJobKeyval.key == "k" * 90).value == "v" * 300


@pytest.mark.usefixtures("db")
def test_kernels_are_shared_and_printable(folder):
    log = "INFO|----|----|kernel=5.4.0-autotest|patch0=fix http://k/fix.gz aa11|timestamp=1|\nGOOD|t|t|timestamp=2|"
    first, second = saved(folder, log), saved(folder, log, tag="8-ann/h1")

    kernel = results_of(first)[1].kernel
    assert results_of(second)[1].kernel_idx == kernel.kernel_idx
    assert (kernel.base, kernel.printable) == ("5.4.0", f"5.4.0 p{kernel.kernel_idx}")
    patch = tko.Patch.select(tko.Patch.name, tko.Patch.url, tko.Patch.hash).tuples()
    assert list(patch) == [("fix.gz", "http://k/fix.gz", "aa11")]


@pytest.mark.usefixtures("db")
def test_job_keyvals_are_updated_and_never_taken_away(folder):
    saved(folder, files={"keyval": "status_version=1\nsuite=bvt\nbuild=a/1\n"})
    job_idx = saved(folder, files={"keyval": "status_version=1\nbuild=a/2\n"})
    rows = tko.TkoJobKeyval.select().where(tko.TkoJobKeyval.job == job_idx)
    assert {row.key: row.value for row in rows} == {"status_version": "1", "suite": "bvt", "build": "a/2"}


def retry_of(original):
    return {"keyval": f"status_version=1\nhostname=h1\nretry_original_job_id={original}\n"}


@pytest.mark.usefixtures("db")
@pytest.mark.parametrize("original_first", [True, False])
def test_a_retry_takes_the_place_of_its_original_whichever_is_parsed_first(folder, original_first):
    tags = {"7-ann/h1": {}, "8-ann/h1": retry_of(7)}
    for tag in tags if original_first else reversed(tags):
        saved(folder, LOG, {"keyval": "status_version=1\nhostname=h1\n", **tags[tag]}, tag)

    old = results_of(tko.TkoJob.get(tko.TkoJob.tag == "7-ann/h1").job_idx)
    new = results_of(tko.TkoJob.get(tko.TkoJob.tag == "8-ann/h1").job_idx)
    assert [test.invalid for test in old] == [True, True, True]
    assert [test.invalid for test in new] == [False, False, False]
    assert [test.invalidates_test_idx for test in new] == [test.test_idx for test in old]


@pytest.mark.usefixtures("db")
@pytest.mark.parametrize("original", [99, 8, "x", -1, 10**30])
def test_a_retry_of_nothing_is_stored_all_the_same(folder, original):
    job_idx = saved(folder, LOG, retry_of(original), "8-ann/h1")
    assert [test.invalidates_test_idx for test in results_of(job_idx)] == [None, None, None]


@pytest.mark.usefixtures("db")
def test_an_original_may_lose_a_result_without_taking_the_retrys_with_it(folder):
    original = saved(folder, LOG, {}, "7-ann/h1")
    retry = saved(folder, LOG, retry_of(7), "8-ann/h1")

    saved(folder, LOG.replace("t2", "t3"), {"keyval": "status_version=1\nhostname=h1\n"}, "7-ann/h1")

    assert [test.test for test in results_of(retry)] == ["SERVER_JOB", "t1", "t2"]
    assert all(test.invalid for test in results_of(original))


@pytest.mark.usefixtures("db")
def test_a_failing_write_leaves_no_trace(folder, monkeypatch):
    monkeypatch.setattr(store.retries, "invalidate", lambda job: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        saved(folder)
    assert not tko.TkoJob.select().exists()
    assert not tko.Machine.select().exists()


def test_two_workers_may_parse_at_the_same_time(folder, db):
    result = parser.read(folder(LOG, FILES))
    database.db.close()
    failures = []

    def work(number):
        try:
            with database.connection():
                store.save(result, f"{number % 2 + 1}-ann/h1")
        except Exception as problem:
            failures.append(problem)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    with database.connection():
        assert tko.TkoJob.select().count() == 2
        assert tko.TestResult.select().count() == 6
        assert tko.Machine.select().count() == 1


@pytest.mark.usefixtures("db")
def test_every_outcome_has_a_row_of_its_own():
    assert {outcome.value for outcome in Outcome} <= {row.word for row in tko.Status.select()}


@pytest.mark.usefixtures("db")
def test_long_texts_go_to_the_server_in_several_statements(folder, monkeypatch):  # Q9
    statements = []
    run = database.db.obj.execute_sql
    with monkeypatch.context() as patch:
        patch.setattr(store_rows, "_CHARACTERS", 50_000)
        patch.setattr(
            database.db.obj,
            "execute_sql",
            lambda sql, *rest, **named: statements.append(sql) or run(sql, *rest, **named),
        )
        keyval = "".join(f"text{number}={LONG}\n" for number in range(12))
        saved(folder, files={**FILES, "t1/keyval": keyval})

    row = tko.TestAttribute
    assert row.select().where(row.value == LONG).count() == 12
    assert sum("INSERT INTO" in sql and "tko_test_attributes" in sql for sql in statements) >= 3


@pytest.mark.usefixtures("db")
def test_the_whole_of_a_reason_stays_in_the_folder(folder):
    reason = "a" + "\U0001f600" * 5000
    path = folder(f"FAIL|t|t|timestamp=1|{reason}")

    job_idx = store.save(parser.read(path), "7-ann/h1")

    assert results_of(job_idx)[1].reason == reason[:4096]
    assert reason in (path / "status.log").read_text(encoding="utf-8")


#: Parses a folder again and dies when all but the end of the transaction is done.
KILLED = """
import os, signal, sys
from pathlib import Path
from autotest.models import database
from autotest.results import parser, store
url, folder = sys.argv[1:]
store.retries.invalidate = lambda job: os.kill(os.getpid(), signal.SIGKILL)
database.connect(url)
with database.connection():
    store.save(parser.read(Path(folder)), "7-ann/h1")
"""


def test_a_parser_that_is_killed_in_the_middle_leaves_the_old_rows(folder, db):
    saved(folder)
    before = dump()
    changed = folder(LOG.replace("t2", "t3").replace("fine", "fine indeed"), {**FILES, "t1/keyval": "version=2\n"})

    killed = subprocess.run([sys.executable, "-c", KILLED, db, str(changed)], check=False)

    assert killed.returncode == -signal.SIGKILL
    assert dump() == before
    job_idx = store.save(parser.read(changed), "7-ann/h1")
    assert [test.test for test in results_of(job_idx)] == ["SERVER_JOB", "t1", "t3"]
