"""`autotest results import`: old trees become rows, once, whatever some of the folders hold."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import shutil
import signal

import pytest
from click.testing import CliRunner

from autotest import errors
from autotest.models import database, tko
from autotest.models.afe import Job
from autotest.results import command
from autotest.results.importing import folder_import, run
from autotest.results.importing.folder_import import Fate, Outcome, Task
from autotest.results.importing.journal import Journal

KEYVAL = "user=ann\nhostname=h1\njob_started=1000\njob_finished=2000\nparent_job_id=3\n"
LOG = "GOOD\tt1\tt1\ttimestamp=1100\tfine\n"


@pytest.fixture
def installed(migrated_database, tmp_path, monkeypatch):
    """An installation with an empty database; the root is tmp_path / "root"."""
    monkeypatch.setenv("AUTOTEST_ROOT", str(tmp_path / "root"))
    monkeypatch.setenv("AUTOTEST_DATABASE", migrated_database)
    database.connect(migrated_database)
    return migrated_database


@pytest.fixture
def tree(files):
    """Two jobs, one of each version."""
    return files(
        {
            "7-ann/h1/keyval": KEYVAL + "status_version=1\n",
            "7-ann/h1/status.log": LOG,
            "7-ann/h1/.autoserv_execute": "1\n0\n0\n",
            "8-ann/h1/keyval": KEYVAL,
            "8-ann/h1/status.log": LOG + "half a line",
        }
    )


def imported(*arguments):
    """Run the command in one process and return its JSON object."""
    done = CliRunner().invoke(command.results, ["import", "--processes", "1", "--json", *map(str, arguments)])
    assert done.exit_code in (0, 1), done.output
    return {"exit_code": done.exit_code, **json.loads(done.stdout)}


def stored():
    """Tag, test and status of every stored test."""
    with database.connection():
        rows = (
            tko.TestResult.select(tko.TkoJob.tag, tko.TestResult.test, tko.Status.word)
            .join(tko.TkoJob)
            .switch(tko.TestResult)
            .join(tko.Status)
        )
        return sorted(rows.tuples())


ROWS = [("7-ann/h1", "SERVER_JOB", "GOOD"), ("7-ann/h1", "t1", "GOOD"), ("8-ann/h1", "t1", "GOOD")]


@pytest.mark.usefixtures("installed")
def test_folders_of_both_versions_become_rows(tree):
    report = imported(tree)

    assert (report["exit_code"], report["imported"], report["tests"]) == (0, 2, 3)
    assert stored() == ROWS
    (odd,) = report["odd"]
    assert odd["tag"] == "8-ann/h1"
    assert odd["oddities"] == ["status log: the log ends in the middle of a line"]
    assert "ends in the middle of a line" in (tree / "8-ann/h1/parse.log").read_text()


@pytest.mark.usefixtures("installed")
def test_a_second_run_skips_what_is_unchanged_and_reads_the_rest(tree):
    imported(tree)
    (tree / "7-ann/h1/status.log").write_text(LOG.replace("GOOD", "FAIL"))

    report = imported(tree)

    assert (report["imported"], report["unchanged"]) == (1, 1)
    assert stored()[1] == ("7-ann/h1", "t1", "FAIL")
    assert imported(tree, "--again")["imported"] == 2


@pytest.mark.usefixtures("installed")
def test_what_left_the_database_is_imported_anew(tree):
    imported(tree)
    with database.connection():
        for table in reversed(tko.TABLES):
            if table not in (tko.Status, tko.TestLabel):
                table.delete().execute()
    assert imported(tree)["imported"] == 2
    assert stored() == ROWS


@pytest.mark.usefixtures("installed")
def test_a_dry_run_writes_nothing(tree, tmp_path):
    report = imported(tree, "--dry-run")

    assert (report["would_import"], report["tests"]) == (2, 3)
    assert stored() == []
    assert not (tmp_path / "root" / "import.journal").exists()
    assert not (tree / "8-ann/h1/parse.log").exists()


@pytest.mark.usefixtures("installed")
def test_a_folder_that_cannot_be_read_is_named_and_the_others_are_imported(tree):  # Q14
    (tree / "8-ann/h1/keyval").write_text("status_version=9\n")
    (tree / "9-ann/h1").mkdir(parents=True)
    (tree / "9-ann/h1/.autoserv_execute").write_text("1\n")

    report = imported(tree)

    assert (report["exit_code"], report["imported"], report["failed"], report["empty"]) == (1, 1, 1, 1)
    facts = {problem["tag"]: problem["fact"] for problem in report["problems"]}
    assert "status_version 9" in facts["8-ann/h1"]
    assert "nothing to store" in facts["9-ann/h1"]


@pytest.mark.usefixtures("installed")
def test_a_job_of_this_installation_keeps_its_results(tree):
    with database.connection():
        Job.create(id=7, owner="eve", name="mine")

    report = imported(tree)

    assert (report["refused"], report["imported"]) == (1, 1)
    assert "--prefix" in report["problems"][0]["fact"]
    assert {tag for tag, *_ in stored()} == {"8-ann/h1"}


@pytest.mark.usefixtures("installed")
def test_under_a_prefix_no_number_means_a_job_of_this_installation(tree):
    with database.connection():
        Job.create(id=7, owner="eve", name="mine")

    assert imported(tree, "--prefix", "lab2010")["imported"] == 2

    with database.connection():
        job = tko.TkoJob.get(tko.TkoJob.tag == "lab2010/7-ann/h1")
        keyvals = {row.key for row in tko.TkoJobKeyval.select().where(tko.TkoJobKeyval.job == job.job_idx)}
    assert (job.afe_job_id, job.afe_parent_job_id) == (None, None)
    assert "lab2010.parent_job_id" in keyvals


@pytest.mark.usefixtures("installed")
def test_two_folders_of_one_tag_are_not_mixed(tree, tmp_path):
    copy = tmp_path / "copy" / "7-ann" / "h1"
    copy.mkdir(parents=True)
    for name in ("keyval", "status.log"):
        (copy / name).write_bytes((tree / "7-ann/h1" / name).read_bytes())

    report = imported(tree, copy.parent)
    assert (report["imported"], report["refused"]) == (2, 1)
    assert imported(copy.parent)["refused"] == 1


@pytest.mark.usefixtures("installed")
def test_names_that_no_column_holds_are_imported_once_and_never_take_each_others_place(tree):
    for name in (
        "7-\udcff",
        "7-\udcfe",
        f"7-{'x' * 200}/{'h' * 100}1",
        f"7-{'x' * 200}/{'h' * 100}2",
        "7-a'n\n\U0001f600",
    ):
        shutil.copytree(tree / "8-ann/h1", tree / "odd" / name / "h1")
    odd = tree / "odd"

    first = imported(odd)

    assert (first["imported"], first["refused"], first["failed"]) == (3, 2, 0)
    again = imported(odd)
    assert (again["imported"], again["unchanged"], again["refused"]) == (0, 3, 2)


@pytest.mark.usefixtures("installed")
def test_a_folder_named_twice_is_imported_once(tree):
    assert imported(tree, tree / "7-ann")["imported"] == 2


@pytest.mark.usefixtures("installed")
def test_a_tree_that_nobody_may_write_is_imported_all_the_same(tree, monkeypatch):
    monkeypatch.setattr(folder_import.parse_log, "write", lambda *_: False)
    task = Task(tree / "8-ann/h1", "8-ann/h1")
    assert folder_import.carry_out(task).oddities[-1] == "parse.log cannot be written into the folder"


@pytest.mark.usefixtures("installed")
def test_our_own_mistake_costs_one_folder(tree, monkeypatch):
    monkeypatch.setattr(folder_import.store, "save", lambda *_: 1 / 0)
    outcome = folder_import.carry_out(Task(tree / "8-ann/h1", "8-ann/h1"))
    assert (outcome.fate, outcome.fact) == (Fate.FAILED, "ZeroDivisionError: division by zero")


def test_people_get_a_line_for_each_thing_that_is_odd(installed, tree):
    done = CliRunner().invoke(command.results, ["import", "--processes", "1", str(tree)])
    assert done.stdout.splitlines() == [
        f"{tree}/8-ann/h1: status log: the log ends in the middle of a line",
        "2 imported; 3 tests, 1 folder with something odd",
    ]


def test_a_database_without_its_tables_is_refused_at_once(tree, tmp_path, monkeypatch):
    monkeypatch.setenv("AUTOTEST_ROOT", str(tmp_path / "empty"))
    done = CliRunner().invoke(command.results, ["import", str(tree)])
    assert isinstance(done.exception, errors.ConfigError)


@pytest.mark.parametrize("prefix", ["7-ann", "a/b", "..", "x" * 50])
def test_a_prefix_is_a_name(tree, prefix):
    done = CliRunner().invoke(command.results, ["import", "--prefix", prefix, str(tree)])
    assert done.exit_code == 2


def serve(line, _):
    """Stands for a process that dies at one folder, such as one that the kernel ends for want of memory."""
    with contextlib.suppress(EOFError):
        while True:
            task = line.recv()
            if task.tag == "8-ann/h1":
                os.kill(os.getpid(), signal.SIGKILL)
            line.send(Outcome(task.path, task.tag, Fate.IMPORTED, fingerprint="x"))


def test_a_folder_that_kills_its_process_costs_no_other(tree, tmp_path, monkeypatch):
    for number in range(10, 30):
        folder = tree / f"{number}-ann" / "h1"
        folder.mkdir(parents=True)
        (folder / "status.log").write_text(LOG)
    monkeypatch.setattr(run, "_serve", serve)
    order = run.Order([tree], f"sqlite:///{tmp_path / 'unused.db'}", 2)

    found = {outcome.tag: outcome for outcome in run.outcomes(order, Journal(tmp_path / "journal", "d"))}

    assert "died (exit code -9)" in found.pop("8-ann/h1").fact
    assert {outcome.fate for outcome in found.values()} == {Fate.IMPORTED}
    assert len(found) == 21


def test_a_database_that_is_gone_ends_the_run(tree, tmp_path):
    order = run.Order([tree], f"sqlite:///{tmp_path / 'empty.db'}", 1)
    with pytest.raises(errors.DatabaseUnreachable, match="no such table"):
        list(run.outcomes(order, Journal(tmp_path / "journal", "d")))
    assert multiprocessing.active_children() == []


def test_whoever_stops_listening_leaves_no_process(installed, tree, tmp_path):
    order = run.Order([tree], installed, 2)
    outcomes = run.outcomes(order, Journal(tmp_path / "journal", "d"))
    assert next(outcomes).fate is Fate.IMPORTED
    outcomes.close()
    assert multiprocessing.active_children() == []
