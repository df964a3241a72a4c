"""Steps: begun once, and what follows each way to end (section 2.3 to 2.7)."""

from __future__ import annotations

from pathlib import Path

import pytest

from autotest.job_file import StepOutcome
from autotest.models.afe import AbortedEntry, Host, HostQueueEntry, SpecialTask
from autotest.models.lab import Lease
from autotest.scheduler import entries, hosts, labels, steps
from autotest.scheduler.steps import Ended
from autotest.states import EntryStatus, HostStatus, Protection, Step, TaskKind


@pytest.fixture
def host(lab):
    return lab.host("h1", labels=["x", "board:pi4"])


@pytest.fixture
def entry(lab, host):
    return lab.entry(needs=["x"], keyvals={"build": "R7-1", "suite": "smoke"})


def test_a_verify_begins_once(lab, host, entry):
    token = lab.granted(entry)

    work = lab.begin(token)

    assert lab.begin(token) is None
    (task,) = lab.tasks(host, "Verify")
    assert (task.is_active, task.time_started, task.queue_entry_id) == (True, lab.now, entry.id)
    assert work.folder == Path("hosts/h1", f"{task.id}-verify")
    assert work.job_file.step is Step.VERIFY
    assert work.job_file.token == token
    assert work.job_file.hosts[0].hostname == "h1"
    assert work.job_file.deadline_s == lab.settings.verify_limit
    assert lab.status(entry) is EntryStatus.VERIFYING
    assert lab.status(host) is HostStatus.VERIFYING


def test_another_step_than_the_due_one_does_not_begin(lab, entry):
    token = lab.granted(entry)

    assert steps.begin(lab.row, token, Step.RUN_TEST, lab.settings, lab.now) == (None, [])
    assert steps.begin(lab.row, token + 1, Step.VERIFY, lab.settings, lab.now) == (None, [])
    assert lab.begin(token) is not None


def test_a_verified_host_gets_the_test(lab, host, entry):
    token = lab.granted(entry)

    (wake,) = lab.run_step(token)

    assert (wake.queue, wake.task, wake.args, wake.step) == ("lab.desk", "autotest.run_test", (token,), 0)
    assert lab.status(entry) is EntryStatus.STARTING
    assert lab.status(host) is HostStatus.PENDING
    lease = Lease.get_by_id(token)
    assert (lease.step, lease.task_id) == ("run_test", None)
    assert (lease.due_at - lab.now).total_seconds() == lab.settings.step_due
    (task,) = lab.tasks(host, "Verify")
    assert (task.is_active, task.is_complete, task.success, task.is_aborted) == (False, True, True, False)


def test_a_run_is_told_all_it_needs(lab, host, entry):
    token = lab.granted(entry)
    lab.run_step(token)

    work = lab.begin(token)

    assert work.folder == Path(entry.job.tag, ".runs", str(token))
    assert work.job_file.control_name == "sleeptest"
    assert work.job_file.control_type == "client"
    assert work.job_file.deadline_s == entry.job.max_runtime_mins * 60
    assert work.job_file.test_roots == (str(lab.settings.builds_dir / "R7-1" / "control"),)
    assert work.keyvals["build"] == "R7-1"
    assert work.keyvals["job_started"] == int(lab.now.timestamp())
    assert (work.keyvals["user"], work.keyvals["hostname"]) == ("alice", "h1")
    row = lab.fresh(entry)
    assert (row.status, row.started_on) == ("Running", lab.now)
    assert lab.status(host) is HostStatus.RUNNING


def test_a_build_that_is_no_name_gives_no_folder_to_ship(lab, host):
    token = lab.granted(lab.entry(needs=["x"], run_verify=False, keyvals={"build": "../../etc"}))

    assert lab.begin(token).job_file.test_roots == ()


def test_a_run_that_ends_by_itself_frees_its_host_and_is_parsed(lab, host, entry):
    token = lab.running(entry)

    woken = lab.end(token)

    assert ("results.desk", "autotest.parse", (entry.id,)) in [(wake.queue, wake.task, wake.args) for wake in woken]
    row = lab.fresh(entry)
    assert (row.status, row.token, row.execution_subdir, row.succeeded) == ("Parsing", token, "h1", True)
    assert not row.active
    assert lab.status(host) is HostStatus.READY
    assert lab.open_leases() == []
    assert lab.tasks(host, "Verify")[-1].is_complete


def test_an_end_that_comes_twice_or_late_changes_nothing(lab, host, entry):
    token = lab.running(entry)
    lab.end(token)
    entries.finish(entry.id)

    assert steps.end(token, Step.RUN_TEST, lab.broken, lab.settings, lab.now) == []
    assert lab.status(entry) is EntryStatus.COMPLETED
    assert lab.status(host) is HostStatus.READY


def test_the_end_of_a_step_that_does_not_run_changes_nothing(lab, entry):
    token = lab.granted(entry)

    assert steps.end(token, Step.VERIFY, lab.ok, lab.settings, lab.now) == []
    assert steps.end(token, Step.RUN_TEST, lab.ok, lab.settings, lab.now) == []
    assert steps.end(token + 1, Step.VERIFY, lab.ok, lab.settings, lab.now) == []
    assert lab.step(token) is Step.VERIFY


def test_a_run_that_fails_has_its_host_verified_before_the_next(lab, host, entry):
    lab.end(lab.running(entry), lab.broken)

    row = lab.fresh(entry)
    assert (row.status, row.succeeded, row.reason) == ("Parsing", False, "no space left")
    assert not lab.tasks(host, "Verify")[-1].is_complete
    assert lab.claim(lab.entry(needs=["x"])).token is None
    entries.finish(entry.id)
    assert lab.status(entry) is EntryStatus.FAILED


def test_a_run_that_outran_its_limit_is_aborted_by_the_system(lab, entry):
    lab.end(lab.running(entry), lab.late)
    entries.finish(entry.id)

    row = lab.fresh(entry)
    assert row.status == "Aborted"
    assert row.reason == "outran its time limit on h1 of 1440 minutes (max_runtime_mins)"
    assert AbortedEntry.get_by_id(entry.id).aborted_by.login == "autotest_system"


@pytest.mark.parametrize("how", ["lost", "killed"])
def test_a_run_whose_child_vanished_is_queued_again(lab, host, entry, how):
    woken = lab.end(lab.running(entry), getattr(lab, how))

    row = lab.fresh(entry)
    assert (row.status, row.active, row.host_id, row.requeues) == ("Queued", False, None, 1)
    assert (row.started_on, row.finished_on, row.execution_subdir) == (None, None, "")
    assert row.reason == "the runner for h1 was killed"
    assert "autotest.claim" in [wake.task for wake in woken]
    assert not lab.tasks(host, "Verify")[-1].is_complete


def test_a_child_that_left_no_verdict_vanished(lab, entry):
    lab.end(lab.running(entry), Ended("ended", None))

    assert lab.fresh(entry).requeues == 1


def test_an_entry_that_vanished_too_often_fails_through_parsing(lab, host, entry):
    for attempt in range(lab.settings.max_requeues):
        lab.end(lab.running(entry), lab.lost)
        assert lab.fresh(entry).requeues == attempt + 1
        lab.grant_tasks()
        lab.run_step(lab.open_leases(host)[0].id)
    token = lab.running(entry)
    lab.end(token, lab.lost)

    row = lab.fresh(entry)
    assert (row.status, row.token) == ("Parsing", token)
    assert row.reason == "the runner for h1 was killed; given up after 3 attempts"
    entries.finish(entry.id)
    assert lab.status(entry) is EntryStatus.FAILED


def test_a_failed_verify_queues_the_entry_again_and_repairs_under_the_same_lease(lab, host, entry):
    token = lab.granted(entry)

    woken = lab.run_step(token, lab.broken)

    row = lab.fresh(entry)
    assert (row.status, row.active, row.host_id, row.requeues) == ("Queued", False, None, 0)
    assert row.reason == "verify of h1 failed: no space left"
    assert [wake.task for wake in woken] == ["autotest.claim", "autotest.repair"]
    (lease,) = lab.open_leases(host)
    assert (lease.id, lease.step, lease.entry_id) == (token, "repair", None)
    lab.begin(token)
    assert lab.status(host) is HostStatus.REPAIRING
    (wake,) = lab.end(token)
    assert wake.task == "autotest.claim"
    assert lab.status(host) is HostStatus.READY
    assert lab.open_leases() == []


def test_another_host_takes_the_entry_while_the_first_is_repaired(lab, host, entry):
    lab.run_step(lab.granted(entry), lab.broken)
    other = lab.host("h2", labels=["x"])

    assert lab.claim(entry).host_id == other.id


def _verify_fails_and_repair_works(lab, entry, times):
    for _ in range(times):
        token = lab.granted(entry)
        lab.run_step(token, lab.broken)
        if lab.open_leases():
            lab.run_step(token)


def test_after_two_repairs_for_one_job_the_host_is_given_up_and_its_entry_fails(lab, host):
    entry = lab.entry(host=host)

    _verify_fails_and_repair_works(lab, entry, 3)

    assert len(lab.tasks(host, "Repair")) == 2
    assert lab.status(host) is HostStatus.REPAIR_FAILED
    assert lab.fresh(host).status_reason == "repaired 2 times and still: no space left"
    assert lab.open_leases() == []
    assert lab.status(entry) is EntryStatus.PARSING
    entries.finish(entry.id)
    assert lab.status(entry) is EntryStatus.FAILED


def test_the_limit_of_repairs_holds_for_an_entry_that_may_go_elsewhere(lab, host, entry):
    _verify_fails_and_repair_works(lab, entry, 3)

    assert len(lab.tasks(host, "Repair")) == 2
    assert lab.status(host) is HostStatus.REPAIR_FAILED
    assert lab.status(entry) is EntryStatus.QUEUED


def test_repairs_are_counted_for_the_job_whichever_entry_needed_them(lab, host):
    job = lab.job()
    for _ in range(3):
        _verify_fails_and_repair_works(lab, lab.entry(any_of="x", job=job), 1)

    assert len(lab.tasks(host, "Repair")) == 2
    assert lab.status(host) is HostStatus.REPAIR_FAILED


def test_another_job_has_its_own_repairs(lab, host, entry):
    _verify_fails_and_repair_works(lab, entry, 2)
    entries.abort([entry.id], "bob", "enough", lab.now)
    _verify_fails_and_repair_works(lab, lab.entry(needs=["x"]), 1)

    assert len(lab.tasks(host, "Repair")) == 3
    assert lab.status(host) is HostStatus.READY


def test_a_repair_that_fails_ends_the_entry_that_names_the_host(lab, host):
    entry = lab.entry(host=host)
    token = lab.granted(entry)
    lab.run_step(token, lab.broken)

    (wake,) = lab.run_step(token, lab.broken)

    assert lab.status(host) is HostStatus.REPAIR_FAILED
    assert wake.task == "autotest.parse"
    row = lab.fresh(entry)
    assert (row.status, row.execution_subdir, row.token) == ("Parsing", "h1", None)
    assert row.reason == "repair of h1 failed: no space left"


def test_a_repair_that_fails_leaves_an_entry_that_may_go_elsewhere(lab, host, entry):
    token = lab.granted(entry)
    lab.run_step(token, lab.broken)

    assert lab.run_step(token, lab.late) == []
    assert lab.status(entry) is EntryStatus.QUEUED
    assert lab.fresh(host).status_reason == "outran its time limit on h1"


def test_a_repair_whose_child_vanished_is_tried_again_a_few_times(lab, host):
    hosts.request_task("h1", TaskKind.REPAIR, "alice")
    for _ in range(lab.settings.max_requeues):
        lab.grant_tasks()
        lab.run_step(lab.open_leases(host)[0].id, lab.lost)
        assert lab.status(host) is HostStatus.READY
    lab.grant_tasks()
    lab.run_step(lab.open_leases(host)[0].id, lab.lost)

    assert lab.status(host) is HostStatus.REPAIR_FAILED
    assert lab.grant_tasks() == []
    assert len(lab.tasks(host, "Repair")) == 3


def test_a_verify_that_nobody_could_finish_is_followed_by_a_repair(lab, host):
    hosts.request_task("h1", TaskKind.VERIFY, "alice")
    for _ in range(lab.settings.max_requeues + 1):
        lab.grant_tasks()
        lab.run_step(lab.open_leases(host)[0].id, lab.lost)

    assert len(lab.tasks(host, "Verify")) == 3
    assert lab.step(lab.open_leases(host)[0].id) is Step.REPAIR


def test_a_verify_that_people_asked_for_ends_with_a_free_host_or_a_repair(lab, host):
    hosts.request_task("h1", TaskKind.VERIFY, "alice")
    lab.grant_tasks()
    lab.run_step(lab.open_leases(host)[0].id)
    assert lab.status(host) is HostStatus.READY

    hosts.request_task("h1", TaskKind.VERIFY, "alice")
    lab.grant_tasks()
    (wake,) = lab.run_step(lab.open_leases(host)[0].id, lab.broken)
    assert wake.shown == "repair of h1"
    assert lab.tasks(host, "Repair")[0].requested_by.login == "alice"


def test_a_verify_of_a_dead_host_brings_it_back(lab):
    host = lab.host("h2", status="Repair Failed", status_reason="no answer")
    hosts.request_task("h2", TaskKind.VERIFY, "alice")
    lab.grant_tasks()

    lab.run_step(lab.open_leases(host)[0].id)

    assert lab.status(host) is HostStatus.READY
    assert lab.fresh(host).status_reason == ""


@pytest.fixture
def provisioned(lab):
    return lab.host("p1", labels=["p", "version:R6", "cros-version:R6"], attributes={"provisioner": "stub"})


def _labels(host):
    return labels.of_hosts([host.id])[host.id]


def test_a_provision_notes_what_it_put_onto_the_host(lab, provisioned):
    entry = lab.entry(needs=["p", "version:R7"])
    token = lab.granted(entry)

    work = lab.begin(token)

    assert set(work.job_file.job_labels) == {"p", "version:R7"}
    assert lab.status(entry) is EntryStatus.PROVISIONING
    assert lab.status(provisioned) is HostStatus.PROVISIONING
    lab.end(token, Ended("ended", StepOutcome(ok=True, found_labels=("version:R7", "not a version"))))
    assert _labels(provisioned) == {"p", "version:R7", "cros-version:R6"}
    assert lab.step(token) is Step.RUN_TEST


@pytest.mark.parametrize("how", ["broken", "lost", "killed", "late"])
def test_a_provision_that_came_to_no_end_leaves_no_old_version_behind(lab, provisioned, how):
    lab.run_step(lab.granted(lab.entry(needs=["p", "version:R7"])), getattr(lab, how))

    assert _labels(provisioned) == {"p", "cros-version:R6"}


def test_a_provision_that_failed_fails_the_entry_and_repairs_the_host(lab, provisioned):
    entry = lab.entry(needs=["p", "version:R7"])
    token = lab.granted(entry)

    lab.run_step(token, lab.broken)

    assert lab.fresh(entry).reason == "provision of p1 failed: no space left"
    assert lab.status(entry) is EntryStatus.PARSING
    assert lab.step(token) is Step.REPAIR


def test_a_host_that_asks_not_to_be_verified_takes_the_job_whatever_its_task_says(lab, provisioned):
    Host.update(protection=Protection.DO_NOT_VERIFY).where(Host.id == provisioned.id).execute()
    entry = lab.entry(needs=["p", "version:R7"])
    token = lab.granted(entry)

    lab.run_step(token, lab.broken)
    assert lab.step(token) is Step.RUN_TEST

    lab.run_step(token, lab.broken)
    assert lab.tasks(provisioned, "Verify") == []
    assert lab.status(provisioned) is HostStatus.READY


def _abort(lab, entry):
    entries.abort([entry.id], "bob", "not needed any more", lab.now)


def test_a_step_of_an_aborted_entry_does_not_begin_and_its_host_is_free(lab, host, entry):
    token = lab.granted(entry)
    _abort(lab, entry)
    other = lab.entry(needs=["x"])

    work, woken = steps.begin(lab.row, token, Step.VERIFY, lab.settings, lab.now)

    assert work is None
    assert [wake.args for wake in woken] == [(other.queue_key,)]
    assert lab.status(entry) is EntryStatus.ABORTED
    assert lab.status(host) is HostStatus.READY
    assert lab.open_leases() == []


@pytest.mark.parametrize("how", ["ok", "broken", "killed", "late"])
def test_an_abort_during_verify_ends_the_entry_when_the_child_ends(lab, host, entry, how):
    token = lab.granted(entry)
    lab.begin(token)
    _abort(lab, entry)
    assert lab.status(entry) is EntryStatus.VERIFYING

    lab.end(token, getattr(lab, how))

    row = lab.fresh(entry)
    assert (row.status, row.finished_on, row.reason) == ("Aborted", lab.now, "not needed any more")
    assert lab.status(host) is HostStatus.READY
    assert lab.tasks(host, "Verify")[0].is_aborted


def test_an_abort_during_provision_has_the_host_repaired(lab, provisioned):
    entry = lab.entry(needs=["p", "version:R7"])
    token = lab.granted(entry)
    lab.begin(token)
    _abort(lab, entry)

    lab.end(token, lab.killed)

    assert lab.status(entry) is EntryStatus.ABORTED
    (repair,) = lab.tasks(provisioned, "Repair")
    assert (repair.queue_entry_id, repair.is_complete) == (None, False)


@pytest.mark.parametrize("how", ["ok", "broken", "killed", "lost", "late"])
def test_an_abort_of_a_run_goes_through_parsing(lab, host, entry, how):
    token = lab.running(entry)
    _abort(lab, entry)

    woken = lab.end(token, getattr(lab, how))

    assert "autotest.parse" in [wake.task for wake in woken]
    row = lab.fresh(entry)
    assert (row.status, row.token, row.reason) == ("Parsing", token, "not needed any more")
    assert lab.open_leases() == []
    entries.finish(entry.id)
    assert lab.status(entry) is EntryStatus.ABORTED


def test_an_abort_while_the_host_is_repaired_leaves_the_repair_running(lab, host, entry):
    token = lab.granted(entry)
    lab.run_step(token, lab.broken)
    lab.begin(token)

    _abort(lab, entry)

    assert lab.status(entry) is EntryStatus.ABORTED
    lab.end(token)
    assert lab.status(host) is HostStatus.READY
    assert [task.success for task in lab.tasks(host, "Repair")] == [True]


def test_a_locked_host_finishes_what_it_does_and_takes_nothing_new(lab, host, entry):
    token = lab.granted(entry)
    hosts.lock("h1", "bob", "a new antenna", lab.now)

    lab.run_step(token)
    lab.run_step(token)

    assert lab.status(entry) is EntryStatus.PARSING
    assert lab.claim(lab.entry(needs=["x"])).token is None


@pytest.mark.parametrize(
    ("ended", "ok", "vanished", "reason"),
    [
        (Ended("ended", StepOutcome(ok=True)), True, False, ""),
        (Ended("ended", StepOutcome(ok=False, reason="full")), False, False, "full"),
        (Ended("ended", None), False, True, "the runner for h1 was killed"),
        (Ended("deadline", None), False, False, "outran its time limit on h1"),
        (Ended("killed", StepOutcome(ok=True)), False, True, "the runner for h1 was killed"),
        (Ended("lost", None), False, True, "the runner for h1 was killed"),
        (Ended.not_begun("disk full"), False, False, "disk full"),
    ],
)
def test_how_a_child_ended_tells_whose_fault_it_was(ended, ok, vanished, reason):
    assert (ended.ok, ended.vanished, ended.reason("h1")) == (ok, vanished, reason)


def test_an_entry_has_at_most_one_task_that_is_not_complete(lab, host, entry):
    token = lab.granted(entry)
    lab.run_step(token, lab.broken)

    open_tasks = SpecialTask.select().where(SpecialTask.is_complete == False)  # noqa: E712 - an SQL expression
    assert [task.task for task in open_tasks] == ["Repair"]
    assert HostQueueEntry.get_by_id(entry.id).active is False
