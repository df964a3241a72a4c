"""Retries: which failed test runs again, as what, how often, and what the suite sees of it meanwhile."""

from __future__ import annotations

import pytest
from paper_suites import PaperSuites, children, entry_of, keyvals, needs

from autotest.models import tko
from autotest.models.afe import Host, HostQueueEntry, Job
from autotest.models.database import transaction
from autotest.models.suite import SuiteRequest, SuiteRetry
from autotest.scheduler import entries, hosts, suite_retries, upkeep


@pytest.fixture
def suite(lab, build):
    lab.host("h1", labels=["board:pi4", "wifi"])
    build.test("flaky", JOB_RETRIES=2, DEPENDENCIES="wifi", FAST=True, RUN_VERIFY=False)
    return PaperSuites(lab)


def end(suite, child, *tests, began=True, **columns):
    """Store the results of *child* and end it, as its parser does. Returns the wakes and the results that stand."""
    if tests:
        suite.stored(child, *tests, began=began)
    entry = suite.parsing(child, **columns)
    with transaction():
        judged = suite_retries.judge(entry, suite.lab.now)
        return [*judged.wakes, *entries.finish(entry.id)], judged.results


def retries_of(job):
    return [child for child in children(job) if suite_retries.KEY in keyvals(child)]


def test_a_failed_test_runs_again_as_a_child_of_the_same_suite(suite):
    job = suite.running(job_retry=True)
    (first,) = children(job)

    woken, standing = end(suite, first, ("flaky", "FAIL"))

    (retry,) = retries_of(job)
    assert standing == ()
    assert [(wake.task, wake.args) for wake in woken] == [("autotest.claim", (entry_of(retry).queue_key,))]
    assert (retry.name, retry.control_file, retry.owner) == (first.name, first.control_file, first.owner)
    assert (first.run_reset, first.reboot_before) == (0, 0)
    assert (retry.run_reset, retry.reboot_before, retry.run_verify) == (1, 1, False)
    assert needs(retry) == needs(first)
    assert entry_of(retry).queue_key == entry_of(first).queue_key
    assert keyvals(retry) == {**keyvals(first), "retry_original_job_id": str(first.id)}
    assert suite.finish(job) == []


def test_results_of_a_retry_take_the_place_of_the_originals(suite):
    job = suite.running(job_retry=True)
    (first,) = children(job)
    end(suite, first, ("flaky", "FAIL"))
    (retry,) = retries_of(job)
    woken, standing = end(suite, retry, ("flaky", "GOOD"), succeeded=True)
    assert [wake.task for wake in woken] == ["autotest.finish_suite"]
    assert [(result.name, result.status) for result in standing] == [("flaky", "GOOD")]

    suite.finish(job)

    told = [(subdir, name, status) for subdir, name, status, _ in suite.results(job) if name == "flaky"]
    assert told == [(f"{retry.tag}/h1/flaky", "flaky", "GOOD")]
    stored = dict(tko.TestResult.select(tko.TkoJob.afe_job_id, tko.TestResult.invalid).join(tko.TkoJob).tuples())
    assert stored == {first.id: True, retry.id: False}


def test_a_test_that_was_for_one_host_runs_again_there(lab, suite):
    lab.host("h2", labels=["board:pi4", "wifi"])
    job = suite.running(job_retry=True, each_host=True)
    first, second = children(job)

    end(suite, second, ("flaky", "FAIL"))

    (retry,) = retries_of(job)
    assert (entry_of(retry).host.hostname, entry_of(retry).meta_host) == ("h2", None)
    Host.update(invalid=True).where(Host.hostname == "h1").execute()
    end(suite, first, ("flaky", "FAIL"))
    assert retries_of(job) == [retry]


def test_a_suite_retries_as_often_as_its_budget_allows(suite):
    """Vector 9.3 no. 12."""
    job = suite.running(job_retry=True, max_retries=1)
    (first,) = children(job)
    end(suite, first, ("flaky", "FAIL"))
    (retry,) = retries_of(job)

    woken, standing = end(suite, retry, ("flaky", "FAIL"))

    assert [wake.task for wake in woken] == ["autotest.finish_suite"]
    assert [result.status for result in standing] == ["FAIL"]
    assert len(children(job)) == 2
    assert SuiteRequest.get_by_id(job.id).retries_left == 0


def test_the_budget_is_that_of_all_tests_together(suite, build):
    build.test("other", JOB_RETRIES=5)
    job = suite.running(job_retry=True, max_retries=1)
    first, second = children(job)

    end(suite, first, ("flaky", "ERROR"))
    _, standing = end(suite, second, ("other", "ERROR"))

    assert [result.status for result in standing] == ["ERROR"]
    assert [keyvals(retry)["retry_original_job_id"] for retry in retries_of(job)] == [str(first.id)]


def test_without_a_budget_a_test_runs_as_often_as_its_own_retries_say(suite):
    job = suite.running(job_retry=True)
    child = children(job)[0]

    for _ in range(2):
        end(suite, child, ("flaky", "FAIL"))
        child = children(job)[-1]
    _, standing = end(suite, child, ("flaky", "FAIL"))

    assert [result.status for result in standing] == ["FAIL"]
    chain = [keyvals(each).get("retry_original_job_id") for each in children(job)]
    first, second, _ = children(job)
    assert chain == [None, str(first.id), str(second.id)]


@pytest.mark.parametrize(
    ("status", "began", "again"),
    [
        ("FAIL", True, True),
        ("ERROR", True, True),
        ("ABORT", True, True),
        ("WARN", True, False),
        ("GOOD", True, False),
        ("TEST_NA", True, False),
        ("ABORT", False, False),
        ("FAIL", False, False),
    ],
)
def test_what_was_tried_and_is_worse_than_a_warning_is_tried_again(suite, status, began, again):
    """Vectors 9.3 no. 13 and 14, and TEST_NA apart from severity (section 8 no. 12)."""
    job = suite.running(job_retry=True)

    end(suite, children(job)[0], ("flaky", status), began=began)

    assert len(retries_of(job)) == int(again)


def test_a_job_with_several_bad_rows_is_retried_once_and_none_of_them_stands(suite):
    """Section 8 no. 14."""
    job = suite.running(job_retry=True)

    _, standing = end(suite, children(job)[0], ("flaky", "FAIL"), ("flaky.more", "ERROR"), ("flaky.last", "FAIL"))

    assert standing == ()
    assert len(retries_of(job)) == 1


def test_a_job_whose_record_alone_is_bad_is_retried(suite):
    job = suite.running(job_retry=True)

    end(suite, children(job)[0], ("flaky", "GOOD"), ("SERVER_JOB", "FAIL"))

    assert len(retries_of(job)) == 1


def test_without_job_retry_nothing_runs_again(suite):
    job = suite.running()

    _, standing = end(suite, children(job)[0], ("flaky", "FAIL"))

    assert [result.status for result in standing] == ["FAIL"]
    assert retries_of(job) == []
    assert SuiteRetry.select().count() == 0


def test_a_test_without_retries_is_not_watched(suite, build):
    build.test("plain")
    job = suite.running(job_retry=True)

    assert [row.job_id for row in SuiteRetry.select()] == [children(job)[0].id]


def test_delivered_twice_there_is_one_retry(suite):
    job = suite.running(job_retry=True)
    (first,) = children(job)
    end(suite, first, ("flaky", "FAIL"))

    # As if the end of the entry had been lost, and its parse came again.
    end(suite, first)

    assert len(retries_of(job)) == 1


def test_a_retry_that_is_killed_in_between_leaves_nothing_and_is_made_the_next_time(suite, monkeypatch):
    job = suite.running(job_retry=True)
    (first,) = children(job)

    def killed(_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(entries, "finish", killed)
        with pytest.raises(KeyboardInterrupt):
            end(suite, first, ("flaky", "FAIL"))
    assert (entry_of(first).status, len(retries_of(job))) == ("Parsing", 0)
    assert SuiteRetry.get_by_id(first.id).state == "NOT_ATTEMPTED"

    end(suite, first)

    assert len(retries_of(job)) == 1


def test_an_aborted_suite_retries_nothing(suite):
    job = suite.running(job_retry=True)
    (first,) = children(job)
    entries.abort([entry_of(job).id], "bob", "not needed", suite.lab.now)
    HostQueueEntry.update(complete=False, aborted=False).where(HostQueueEntry.job == first.id).execute()

    end(suite, first, ("flaky", "FAIL"))

    assert retries_of(job) == []


def test_an_aborted_job_is_not_retried(suite):
    job = suite.running(job_retry=True)

    end(suite, children(job)[0], ("flaky", "ABORT"), aborted=True)

    assert retries_of(job) == []


def test_a_test_that_no_host_could_run_any_more_keeps_its_failure(suite):
    job = suite.running(job_retry=True, max_retries=3)
    hosts.set_labels(Host.get().id, ["board:pi4"])

    _, standing = end(suite, children(job)[0], ("flaky", "FAIL"))

    assert [result.status for result in standing] == ["FAIL"]
    assert SuiteRetry.get().state == "ATTEMPTED"
    assert SuiteRequest.get_by_id(job.id).retries_left == 3


def test_a_suite_that_times_out_first_reports_the_original_failure(suite):
    """Section 8 no. 15."""
    job = suite.running(job_retry=True, timeout_mins=60)
    (first,) = children(job)
    end(suite, first, ("flaky", "FAIL"))
    (retry,) = retries_of(job)

    upkeep.timed_out(suite.lab.later(hours=1))
    suite.finish(job)

    assert entry_of(retry).status == "Aborted"
    told = {name: (status, reason) for _, name, status, reason in suite.results(job)}
    assert told["flaky"] == ("FAIL", "it broke")
    assert told[retry.name] == ("ABORT", "Timed out, did not run.")


def test_a_retry_that_was_aborted_in_the_middle_leaves_the_original_failure(suite):
    job = suite.running(job_retry=True)
    (first,) = children(job)
    end(suite, first, ("flaky", "FAIL"))
    (retry,) = retries_of(job)

    suite.stored(retry, ("flaky", "ABORT"), aborted_by="autotest_system")

    assert not tko.TestResult.select().where(tko.TestResult.invalid).exists()


def test_of_two_machines_the_last_one_decides(suite, lab, build):
    lab.host("h2", labels=["board:pi4", "wifi"])
    build.test("pair", SYNC_COUNT=2, JOB_RETRIES=1, DEPENDENCIES="wifi")
    job = suite.running(job_retry=True)
    pair = Job.get(Job.synch_count == 2)
    suite.stored(pair, ("pair", "FAIL"))
    HostQueueEntry.update(status="Parsing", token=None).where(HostQueueEntry.job == pair.id).execute()
    one, two = HostQueueEntry.select().where(HostQueueEntry.job == pair.id)

    with transaction():
        assert suite_retries.judge(one, lab.now) == ((), ())
        entries.finish(one.id)
        woken = suite_retries.judge(two, lab.now).wakes

    assert len(woken) == 2
    (retry,) = retries_of(job)
    assert (retry.synch_count, HostQueueEntry.select().where(HostQueueEntry.job == retry.id).count()) == (2, 2)


def test_of_a_group_that_is_parsed_together_one_parse_decides(suite, lab, build):
    lab.host("h2", labels=["board:pi4", "wifi"])
    build.test("pair", SYNC_COUNT=2, JOB_RETRIES=1, DEPENDENCIES="wifi")
    job = suite.running(job_retry=True)
    pair = Job.get(Job.synch_count == 2)
    suite.stored(pair, ("pair", "FAIL"))
    HostQueueEntry.update(status="Parsing", token=7).where(HostQueueEntry.job == pair.id).execute()
    one, _ = HostQueueEntry.select().where(HostQueueEntry.job == pair.id)

    with transaction():
        suite_retries.judge(one, lab.now)
        entries.finish(one.id)

    assert len(retries_of(job)) == 1
    assert {entry.status for entry in HostQueueEntry.select().where(HostQueueEntry.job == pair.id)} == {"Failed"}
