"""Summaries: which rows a suite shows, live and at its end, and what its verdict is."""

from __future__ import annotations

import datetime
import json

import pytest
from click.testing import CliRunner

from autotest import errors
from autotest.models import afe, database, tko
from autotest.models.suite import SuiteRequest
from autotest.results import command, parser, store, summary
from autotest.states import EntryStatus

BUILD = "pi4-release/R1-2.0"
pytestmark = pytest.mark.usefixtures("db")


class Lab:
    """Inserts the rows a summary reads."""

    def __init__(self, folder):
        self._folder = folder
        self.suite = self._job(f"{BUILD}-test_suites/control.smoke")
        self.entry(self.suite, EntryStatus.COMPLETED, subdir="hostless", key="")

    def _job(self, name, parent=None, **columns):
        return afe.Job.create(name=name, owner="ann", parent_job=parent, max_runtime_mins=20, **columns)

    def child(self, test, **keyvals):
        job = self._job(f"{BUILD}/smoke/{test}", self.suite)
        for key, value in keyvals.items():
            afe.JobKeyval.create(job=job, key=key, value=str(value))
        return job

    def entry(self, job, status, host=None, subdir="", key="k", **columns):
        row = host and afe.Host.get_or_none(afe.Host.hostname == host)
        if host and row is None:
            row = afe.Host.create(hostname=host)
        label, _ = afe.Label.get_or_create(name="board:pi4")
        return afe.HostQueueEntry.create(
            job=job,
            host=row,
            status=status.value,
            active=status is EntryStatus.RUNNING,
            complete=status in (EntryStatus.COMPLETED, EntryStatus.FAILED, EntryStatus.ABORTED),
            meta_host=label if key else None,
            execution_subdir=subdir,
            queue_key=key,
            **columns,
        )

    def parsed(self, job, log, where="h1", **pairs):
        """Store a folder of *job*; ``exit`` is line 2 of its pid file, the other pairs are job keyvals."""
        exit_status = pairs.pop("exit", 0)
        keyvals = {"status_version": 1, "hostname": where if where != "hostless" else "", "job_started": 1000, **pairs}
        text = "".join(f"{key}={value}\n" for key, value in keyvals.items())
        path = self._folder(log, {"keyval": text, ".autoserv_execute": f"1\n{exit_status}\n0\n"})
        store.save(parser.read(path), f"{job.id}-ann/{where}")

    def done(self, test, log, status=EntryStatus.COMPLETED, host="h1", keyvals=None, **pairs):
        job = self.child(test, **(keyvals or {}))
        self.entry(job, status, host, subdir=host)
        self.parsed(job, log, host, **pairs)
        return job

    def summary(self):
        return summary.of_suite(self.suite.id)

    def rows(self):
        return [(row.name, row.status, row.reason, row.job_id) for row in self.summary().rows]


@pytest.fixture
def lab(folder):
    return Lab(folder)


def test_a_suite_shows_itself_and_its_childrens_tests(lab):
    lab.parsed(lab.suite, "", "hostless")
    good = lab.done("login", "GOOD|login_Ok|login_Ok|timestamp=1100|fine")
    bad = lab.done("ping", "FAIL|net_Ping|net_Ping|timestamp=1200|no reply", EntryStatus.FAILED, "h2")

    found = lab.summary()

    assert lab.rows() == [
        ("Suite job", "GOOD", "", lab.suite.id),
        ("login_Ok", "GOOD", "fine", good.id),
        ("net_Ping", "FAIL", "no reply", bad.id),
    ]
    row = found.rows[2]
    assert (row.hostname, row.entry_status, row.log_folder) == ("h2", "Failed", f"{bad.id}-ann/h2/net_Ping")
    assert (found.suite, found.build, found.owner, found.status) == ("smoke", BUILD, "ann", "Completed")
    assert found.counts == {"GOOD": 1, "FAIL": 1}
    assert found.entries == {"Completed": 1, "Failed": 1}
    assert (found.finished, found.verdict.code, found.verdict.message) == (True, 1, "Tests failed.")


def test_a_skipped_test_is_known_to_the_suite_alone(lab):
    lab.parsed(
        lab.suite,
        """START|----|camera|timestamp=1|
        >TEST_NA|----|camera|timestamp=1|Skipping:  test not supported on this board/pool.
        END TEST_NA|----|camera|timestamp=1|
        START|9-ann/h1/login_Ok|login_Ok|timestamp=2|
        END GOOD|9-ann/h1/login_Ok|login_Ok|timestamp=2|""",
        "hostless",
    )
    lab.done("login", "GOOD|login_Ok|login_Ok|timestamp=1100|")

    assert [row[:2] for row in lab.rows()] == [("Suite job", "GOOD"), ("camera", "TEST_NA"), ("login_Ok", "GOOD")]
    assert lab.summary().verdict.code == 0


def test_a_child_that_never_ran_is_an_abort_with_the_entrys_reason(lab):
    lab.parsed(lab.suite, "", "hostless")
    late = lab.child("late")
    lab.entry(late, EntryStatus.ABORTED, reason="no free machine until the timeout", aborted=True)
    silent = lab.child("silent")
    lab.entry(silent, EntryStatus.ABORTED, aborted=True)

    assert lab.rows()[1:] == [
        ("late", "ABORT", "no free machine until the timeout", late.id),
        ("silent", "ABORT", "Timed out, did not run.", silent.id),
    ]
    assert lab.summary().verdict.name == "test_aborted_prestart"


def test_an_abort_that_the_suite_wrote_for_a_child_is_shown_once(lab):
    late = lab.child("late")
    lab.entry(late, EntryStatus.ABORTED, aborted=True)
    name = late.name
    lab.parsed(
        lab.suite,
        f"START|----|{name}|timestamp=1|\n>ABORT|----|{name}|timestamp=1|\nEND ABORT|----|{name}|timestamp=1|",
        "hostless",
    )

    assert lab.rows() == [
        ("Suite job", "GOOD", "", lab.suite.id),
        ("late", "ABORT", "Timed out, did not run.", late.id),
    ]


def test_a_child_that_left_no_results_counts_as_aborted(lab):
    lab.entry(lab.child("lost"), EntryStatus.FAILED, "h1", subdir="h1", reason="the folder cannot be parsed")
    assert lab.rows()[1][:3] == ("lost", "ABORT", "the folder cannot be parsed")


def test_a_failed_server_job_shows_only_when_no_test_failed(lab):
    lab.done("quiet", "GOOD|t|t|timestamp=1|", EntryStatus.FAILED, exit=256)
    lab.done("loud", "FAIL|u|u|timestamp=1|x", EntryStatus.FAILED, exit=256)
    assert [row[:2] for row in lab.rows()[1:]] == [("quiet_SERVER_JOB", "FAIL"), ("t", "GOOD"), ("u", "FAIL")]


def test_a_test_that_ran_nothing_is_told_and_does_not_decide(lab):
    lab.parsed(lab.suite, "", "hostless")
    job = lab.done("nothing", "")

    found = lab.summary()

    assert lab.rows()[1:] == [("nothing", "GOOD", "No test ran.", job.id)]
    assert (found.rows[1].hostname, found.rows[1].log_folder) == ("h1", f"{job.id}-ann/h1")
    assert (found.verdict.code, found.counts) == (0, {"GOOD": 1})
    assert [row.reason for row in summary.of_job(job.id).rows] == ["No test ran."]
    assert [row.reason for row in summary.of_tag(f"{job.id}-ann/h1").rows] == ["No test ran."]


def test_of_two_hosts_the_one_that_ran_nothing_is_told(lab):
    job = lab.done("pair", "GOOD|t|t|timestamp=1|fine")
    lab.entry(job, EntryStatus.COMPLETED, "h2", subdir="h2")
    lab.parsed(job, "", "h2")
    assert [(row.name, row.hostname, row.reason) for row in summary.of_job(job.id).rows] == [
        ("t", "h1", "fine"),
        ("pair", "h2", "No test ran."),
    ]


def test_a_result_that_was_made_invalid_is_no_test_that_ran_nothing(lab):
    lab.done("login", "GOOD|t|t|timestamp=1|")
    tko.TestResult.update(invalid=True).where(tko.TestResult.test == "t").execute()
    assert [row.name for row in lab.summary().rows] == ["Suite job"]


def test_a_retry_hides_its_original_and_warns(lab):
    lab.parsed(lab.suite, "", "hostless")

    def run(log, **retry):
        return lab.done("flaky", log, keyvals=retry, **retry)

    first = run("FAIL|t|t|timestamp=1|x")
    second = run("FAIL|t|t|timestamp=1|x", retry_original_job_id=first.id)
    third = run("GOOD|t|t|timestamp=1|", retry_original_job_id=second.id)

    found = lab.summary()

    shown = [(row.name, row.status, row.job_id, row.retry) for row in found.rows[1:]]
    assert shown == [("t", "GOOD", third.id, 2)]
    assert (found.verdict.code, found.verdict.message) == (2, "Tests were retried.")
    assert [row.status for row in summary.of_job(first.id).rows] == ["FAIL"]


@pytest.mark.parametrize(("finished", "code"), [(1000 + 30 * 60, 1), (1000 + 10 * 60, 4)])
def test_an_aborted_test_fails_only_beyond_its_own_limit(lab, finished, code):
    lab.parsed(lab.suite, "", "hostless")
    lab.done(
        "slow",
        "START|t|t|timestamp=1000|",
        EntryStatus.ABORTED,
        aborted_by="ann",
        aborted_on=1500,
        job_finished=finished,
    )
    assert lab.summary().verdict.code == code


def test_a_suite_is_shown_while_it_runs(lab):
    afe.HostQueueEntry.update(status="Running", active=True, complete=False).where(
        afe.HostQueueEntry.job == lab.suite
    ).execute()
    lab.entry(lab.child("busy"), EntryStatus.RUNNING, "h1", subdir="h1")
    lab.entry(lab.child("waiting"), EntryStatus.QUEUED, reason="back in the queue: h2 vanished")
    lab.done("login", "GOOD|login_Ok|login_Ok|timestamp=1100|")

    found = lab.summary()

    assert [(row.name, row.status, row.entry_status) for row in found.rows] == [
        ("Suite job", "RUNNING", "Running"),
        ("busy", "RUNNING", "Running"),
        ("waiting", "NOSTATUS", "Queued"),
        ("login_Ok", "GOOD", "Completed"),
    ]
    assert (found.finished, found.verdict) == (False, None)


def test_a_suite_that_was_aborted_after_its_timeout_timed_out(lab):
    lab.parsed(lab.suite, "", "hostless")
    end = lab.suite.created_on + datetime.timedelta(minutes=lab.suite.timeout_mins + 1)
    afe.HostQueueEntry.update(aborted=True, finished_on=end).where(afe.HostQueueEntry.job == lab.suite).execute()
    assert lab.summary().verdict.name == "suite_timeout"


def test_timings_come_from_keyvals_and_results(lab):
    afe.JobKeyval.create(job=lab.suite, key="download_started_time", value="2026-01-01 10:00:00")
    lab.done("login", "START|t|t|timestamp=1100|\nEND GOOD|t|t|timestamp=1200|", job_started=1000)
    found = lab.summary().timings
    assert found["downloads_started"] == "2026-01-01 10:00:00"
    assert found["testing_started"] == "1970-01-01 00:16:40"
    assert found["testing_ended"] == "1970-01-01 00:20:00"
    assert found["payload_downloads_ended"] == ""


def test_a_job_on_two_hosts_shows_the_one_that_has_no_results_yet(lab):
    job = lab.done("pair", "GOOD|t|t|timestamp=1|")
    lab.entry(job, EntryStatus.RUNNING, "h2", subdir="h2")
    assert [(row.name, row.hostname, row.entry_status) for row in summary.of_job(job.id).rows] == [
        ("t", "h1", "Completed"),
        ("pair", "h2", "Running"),
    ]


def test_hosts_that_ran_a_test_together_share_its_results(lab):
    job = lab.child("pair")
    for host in ("h1", "h2"):
        lab.entry(job, EntryStatus.COMPLETED, host, subdir="group0")
    lab.parsed(job, "GOOD|t|t|timestamp=1|", "group0")
    lab.parsed(job, "GOOD|u|u|timestamp=1|", "group0/h1")
    assert [(row.name, row.status) for row in summary.of_job(job.id).rows] == [("t", "GOOD"), ("u", "GOOD")]


def test_an_experimental_test_is_told_apart_and_does_not_decide(lab):
    lab.parsed(lab.suite, "", "hostless")
    lab.done("login", "GOOD|login_Ok|login_Ok|timestamp=1100|")
    lab.done("new", "FAIL|new|new|timestamp=1100|odd", EntryStatus.FAILED, keyvals={"experimental": True})
    lab.done("old", "GOOD|old|old|timestamp=1100|", keyvals={"experimental": False})
    late = lab.child("late", experimental=True)
    lab.entry(late, EntryStatus.ABORTED, aborted=True)

    found = lab.summary()

    assert [row.name for row in found.rows if row.view.is_experimental] == ["new", "late"]
    assert (found.verdict.code, found.counts, found.experimental) == (0, {"GOOD": 2}, {"FAIL": 1, "ABORT": 1})


def test_a_pass_on_retry_is_counted_as_what_it_is(lab):
    lab.parsed(lab.suite, "", "hostless")
    first = lab.done("ping", "FAIL|ping|ping|timestamp=1100|", EntryStatus.FAILED)
    lab.done("ping", "GOOD|ping|ping|timestamp=1200|", keyvals={"retry_original_job_id": first.id},
             retry_original_job_id=first.id)  # fmt: skip
    lab.done("login", "GOOD|login|login|timestamp=1100|")
    found = lab.summary()
    assert found.counts == {"RETRIED": 1, "GOOD": 1}
    assert (found.verdict.code, found.verdict.message) == (2, "Tests were retried.")


def test_a_test_is_called_by_its_name_whatever_the_build_is_called(lab):
    afe.Job.update(name="demo-1-test_suites/control.smoke").where(afe.Job.id == lab.suite.id).execute()
    child = lab.child("wifi")
    afe.Job.update(name="demo-1/smoke/wifi").where(afe.Job.id == child.id).execute()
    lab.entry(child, EntryStatus.QUEUED)
    assert [row.name for row in lab.summary().rows] == ["Suite job", "wifi"]


@pytest.mark.parametrize(("required", "code"), [(1, 0), ("1", 0), (2, 1), (None, 1), ("many", 1)])
def test_enough_provisioned_hosts_are_enough(lab, required, code):
    afe.JobKeyval.create(job=lab.suite, key="suite", value="provision")
    asked = {"spec": {}, "suite_args": {} if required is None else {"num_required": required}}
    SuiteRequest.create(job=lab.suite, arguments=json.dumps(asked))
    lab.parsed(lab.suite, "", "hostless")
    lab.done("pass", "GOOD|dummy_Pass|dummy_Pass|timestamp=1100|")
    lab.done("pass", "FAIL|dummy_Pass|dummy_Pass|timestamp=1100|", EntryStatus.FAILED, "h2")
    assert lab.summary().verdict.code == code


def test_a_folder_that_no_job_made_is_found_by_its_tag(folder):
    store.save(parser.read(folder("GOOD|t|t|timestamp=1|fine")), "by-hand")
    found = summary.of_tag("by-hand")
    assert (found.job_id, [(row.name, row.status) for row in found.rows]) == (None, [("t", "GOOD")])


def test_what_does_not_exist_is_not_found():
    for ask in (summary.of_suite, summary.of_job, summary.is_suite):
        with pytest.raises(errors.NotFound, match="there is no job 99"):
            ask(99)
    with pytest.raises(errors.NotFound, match="no results are stored under 'x'"):
        summary.of_tag("x")


def test_the_size_of_a_suite_does_not_multiply_the_queries(lab, monkeypatch):
    def queries_of_summary():
        asked = []
        run = database.db.obj.execute_sql
        with monkeypatch.context() as patch:
            patch.setattr(database.db.obj, "execute_sql", lambda *args, **named: asked.append(1) or run(*args, **named))
            lab.summary()
        return len(asked)

    lab.done("one", "GOOD|t|t|timestamp=1|")
    few = queries_of_summary()
    for number in range(5):
        lab.done(f"more{number}", "GOOD|t|t|timestamp=1|")
    assert queries_of_summary() == few
    assert tko.TkoJob.select().count() == 6


def test_the_command_shows_suites_jobs_and_tags(lab, db, monkeypatch):
    lab.parsed(lab.suite, "", "hostless")
    child = lab.done("login", "GOOD|login_Ok|login_Ok|timestamp=1100|[red]fine")
    monkeypatch.setenv("AUTOTEST_DATABASE", db)
    database.db.close()

    def run(*arguments):
        result = CliRunner().invoke(command.results, ["show", *arguments], catch_exceptions=False)
        assert result.exit_code == 0
        return result.stdout

    suite = json.loads(run(str(lab.suite.id), "--json"))
    job = json.loads(run(str(child.id), "--json"))
    tag = json.loads(run(f"{child.id}-ann/h1", "--json"))
    assert (suite["return_code"], suite["verdict"], suite["rows"][1]["name"]) == (0, "ok", "login_Ok")
    assert suite["rows"][1]["finished_time"] == "1970-01-01 00:18:20"
    assert (suite["rows"][1]["state"], suite["rows"][1]["experimental"]) == ("GOOD", False)
    assert [row["reason"] for row in job["rows"]] == [row["reason"] for row in tag["rows"]] == ["[red]fine"]
    assert "[red]fine" in run(str(lab.suite.id))
    assert "All tests passed. (code 0)" in run(str(lab.suite.id))
