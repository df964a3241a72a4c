"""Suites: checked, fanned out once, and closed once when the last child ended or their time is over."""

from __future__ import annotations

import datetime
import json

import pytest
from paper_suites import PaperSuites, children, entry_of, keyvals, lock_all, spec

from autotest import errors
from autotest.models import database
from autotest.models.afe import Host, HostQueueEntry, Job
from autotest.models.suite import SuiteRequest
from autotest.scheduler import entries, suites, upkeep
from autotest.scheduler.suite_request import Asked
from autotest.settings import Settings
from autotest.states import EntryStatus

_SUITE_FILE = """
from autotest.suite.dynamic_suite import reimage_and_run
{changes}
reimage_and_run(**args_dict)
"""


@pytest.fixture
def host(lab):
    return lab.host("h1", labels=["board:pi4", "pool:suites", "wifi"])


@pytest.fixture
def suite(lab, build, host):
    return PaperSuites(lab)


def create(lab, **fields):
    return suites.create(Asked(spec(**fields)), lab.settings, lab.now)


def test_a_suite_is_a_job_without_a_host_that_knows_suite_and_build(suite):
    job = suite.create(pool="suites", child_dependencies=("wifi",), job_keyvals={"ticket": 7}, num=2)

    assert (job.name, job.owner, job.priority) == ("R7-1-test_suites/control.smoke", "alice", 40)
    known = keyvals(job)
    for time in ("download_started_time", "payload_finished_time"):
        assert datetime.datetime.strptime(known.pop(time), "%Y-%m-%d %H:%M:%S")
    assert known == {
        "build": "R7-1",
        "suite": "smoke",
        "board": "pi4",
        "pool": "suites",
        "suite_min_duts": "0",
        "num": "2",
        "ticket": "7",
    }
    entry = entry_of(job)
    assert (entry.status, entry.host_id, entry.execution_subdir, entry.queue_key) == ("Queued", None, "hostless", "")


def test_what_was_asked_for_is_kept_as_data(suite):
    job = suite.create(suite_args={"depth": 3}, child_dependencies=("wifi",), max_retries=4, job_retry=True)

    row = SuiteRequest.get_by_id(job.id)
    kept = json.loads(row.arguments)
    assert kept["suite_args"] == {"depth": 3}
    assert (kept["spec"]["child_dependencies"], kept["spec"]["max_retries"]) == (["wifi"], 4)
    assert (row.retries_left, row.decided, row.begins_at) == (4, None, None)


def test_its_wake_goes_to_the_suites_worker(lab, suite):
    job_id, (wake,) = create(lab, priority=50)

    assert (wake.queue, wake.task, wake.args, wake.step) == ("suites", "autotest.run_suite", (job_id,), 4)


@pytest.mark.parametrize(
    ("fields", "error", "text"),
    [
        ({"name": ""}, errors.ValidationError, "suite_name: '' is not the name of a suite"),
        ({"name": "../smoke"}, errors.ValidationError, "'../smoke' is not the name of a suite"),
        ({"build": "R9"}, errors.StageBuildFailure, "Failed to stage R9"),
        ({"build": "../x"}, errors.StageBuildFailure, "'../x' is not the name of a build"),
        ({"name": "smok"}, errors.ControlFileNotFound, "nearest suites: smoke"),
        ({"board": "pi5"}, errors.NoEligibleHost, 'board: no host carries "board:pi5"; nearest: board:pi4'),
        ({"pool": "bvt"}, errors.NoEligibleHost, 'pool: no host carries "pool:bvt"; nearest: pool:suites'),
        (
            {"child_dependencies": ("wfi",)},
            errors.NoEligibleHost,
            'child_dependencies: no host carries "wfi"; nearest: wifi',
        ),
        ({"owner": "../alice"}, errors.ValidationError, "owner: '../alice' is not a login"),
        ({"job_keyvals": {"a b": "c"}}, errors.ValidationError, "keyvals: 'a b' is not a key"),
        ({"job_keyvals": {"a": "c" * 301}}, errors.ValidationError, "keyvals: the value of 'a' has 301 characters"),
        ({"timeout_mins": 0}, errors.ValidationError, "timeout_mins: limits are at least one minute"),
        ({"delay_minutes": 60, "timeout_mins": 60}, errors.ValidationError, "delay_minutes: the suite would be over"),
        ({"num": 1, "suite_min_duts": 2}, errors.ValidationError, "num: 1 machine at most is fewer than suite_min"),
        ({"builds": {"version": "R7-1", "x-version": "y" * 300}}, errors.ValidationError, "builds: the value of"),
        ({"run_prod_code": True}, errors.ValidationError, "run_prod_code: this installation has no tests of its own"),
    ],
)
def test_what_cannot_be_scheduled_is_refused_by_name_and_leaves_nothing(lab, suite, fields, error, text):
    with pytest.raises(error) as caught:
        create(lab, **fields)

    assert type(caught.value) is error
    assert text in str(caught.value)
    assert Job.select().count() == 0


def test_an_empty_suite_file_is_refused(lab, build, suite):
    build.suite("smoke", "")

    with pytest.raises(errors.ControlFileEmpty):
        create(lab)


def test_a_suite_file_that_was_given_needs_none_in_the_build(lab, suite, build):
    build.test("sleeptest", suite="adhoc")

    job_id, _ = suites.create(Asked(spec(name="adhoc"), control_file="NAME = 'adhoc'\n"), lab.settings, lab.now)

    job = Job.get_by_id(job_id)
    suite.fan_out(job)
    assert (job.control_file, [child.name for child in children(job)]) == ("NAME = 'adhoc'\n", ["R7-1/adhoc/sleeptest"])


def test_an_installation_runs_its_own_tests_when_asked_to(lab, suite, build, tmp_path):
    build.test("sleeptest")
    lab.settings = Settings(root=tmp_path, prod_tree=str(build.root))

    job = suite.running(builds={"version": "R8-not-staged"}, test_source_build="", run_prod_code=True)

    (child,) = children(job)
    assert (child.name, child.require_ssp) == ("R8-not-staged/smoke/sleeptest", False)
    token = lab.granted(entry_of(child))
    lab.run_step(token)
    assert lab.begin(token).job_file.test_roots == (str(build.root / "control"),)
    assert "download_started_time" not in keyvals(job)


def test_a_suite_that_begins_later_is_found_by_upkeep_when_it_is_due(lab, suite, build):
    build.test("sleeptest")
    job_id, woken = create(lab, delay_minutes=5)
    job = Job.get_by_id(job_id)
    assert woken == []
    # After a lost broker everything is woken, and it still does not begin.
    assert suite.fan_out(job) == []
    assert upkeep.forgotten(lab.settings, lab.later(minutes=4, seconds=59)) == []

    (wake,) = upkeep.forgotten(lab.settings, lab.later(seconds=2))

    assert (wake.task, wake.args) == ("autotest.run_suite", (job_id,))
    assert [each.task for each in suite.fan_out(job)] == ["autotest.claim"]


def test_fanned_out_twice_there_are_children_once(suite, build):
    build.test("sleeptest")
    job = suite.create()

    assert len(suite.fan_out(job)) == 1
    assert suite.fan_out(job) == []
    assert len(children(job)) == 1


def test_an_aborted_suite_is_not_fanned_out(lab, suite, build):
    build.test("sleeptest")
    job = suite.create()
    entries.abort([entry_of(job).id], "bob", "not needed", lab.now)

    assert suite.fan_out(job) == []
    assert suites.fan_out(job.id + 7, lab.settings, lab.now) == []
    assert children(job) == []


def test_the_suite_file_decides_over_what_the_caller_asked_for(suite, build):
    build.test("sleeptest", suite="bvt")
    build.suite(
        "smoke",
        _SUITE_FILE.format(
            changes="args_dict.update(name='bvt', num=1, max_runtime_mins=7, priority=70, "
            "suite_dependencies='wifi', max_retries=args_dict['tries'])"
        ),
    )
    job = suite.running(suite_args={"tries": 3}, num=4)

    (child,) = children(job)
    assert (child.name, child.max_runtime_mins, child.priority) == ("R7-1/bvt/sleeptest", 7, 70)
    row = SuiteRequest.get_by_id(job.id)
    assert (json.loads(row.decided)["name"], row.retries_left) == ("bvt", 3)
    assert keyvals(job)["num"] == "1"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("1 / 0\n", "test_suites/control.smoke, line 1: ZeroDivisionError: division by zero"),
        ("NAME = (\n", "test_suites/control.smoke, line 1: SyntaxError"),
    ],
)
def test_a_suite_file_that_fails_fails_the_suite_with_its_line(suite, build, text, reason):
    build.test("sleeptest")
    build.suite("smoke", text)
    job = suite.create()

    (wake,) = suite.fan_out(job)

    assert wake.task == "autotest.parse"
    assert entry_of(job).status == "Parsing"
    assert reason in entry_of(job).reason


def test_a_suite_without_members_fails_and_names_the_suites_that_there_are(suite, build):
    build.test("sleeptest", suite="bvt")
    job = suite.create()

    (wake,) = suite.fan_out(job)

    assert (wake.queue, wake.task) == ("suites", "autotest.parse")
    row = entry_of(job)
    assert (row.status, row.succeeded) == ("Parsing", False)
    assert row.reason == "no control file is in suite smoke; suites of this build: bvt"
    ended = {name: (status, reason) for _, name, status, reason in suite.results(job)}
    assert ended["smoke"] == ("FAIL", f"Exception while scheduling suite: {row.reason}")
    entries.finish(row.id)
    assert entry_of(job).status == "Failed"
    assert suite.fan_out(job) == []


def test_a_build_that_vanished_fails_the_suite(suite, build):
    job = suite.create()
    build.root.rename(build.root.with_name("gone"))

    suite.fan_out(job)

    assert entry_of(job).status == "Parsing"
    assert "Failed to stage R7-1" in entry_of(job).reason


def test_a_suite_of_an_older_version_fails_and_says_what_to_do(suite, build):
    build.test("sleeptest")
    job = suite.create()
    SuiteRequest.delete().execute()

    suite.fan_out(job)

    assert "create it again" in entry_of(job).reason


def test_a_bug_of_ours_fails_the_suite_instead_of_beginning_anew_for_ever(suite, build, monkeypatch):
    build.test("sleeptest")
    job = suite.create()
    monkeypatch.setattr(suites.runner, "decide", lambda *_: 1 / 0)

    suite.fan_out(job)

    assert entry_of(job).reason == "ZeroDivisionError: division by zero"


def test_a_lost_database_is_no_verdict_on_the_suite(suite, build, monkeypatch):
    build.test("sleeptest")
    job = suite.create()

    def lost(*_):
        raise errors.DatabaseUnreachable("gone")

    monkeypatch.setattr(suites.runner, "decide", lost)

    with pytest.raises(errors.DatabaseUnreachable):
        suite.fan_out(job)
    assert entry_of(job).status == "Queued"


def test_a_suite_of_tests_that_nobody_supports_ends_at_once(suite, build):
    build.test("modemtest", DEPENDENCIES="modem")
    job = suite.create()

    (wake,) = suite.fan_out(job)
    assert wake.task == "autotest.finish_suite"
    suite.finish(job)

    assert [(name, status) for _, name, status, _ in suite.results(job) if name == "modemtest"] == [
        ("modemtest", "TEST_NA")
    ]


def _end(suite, child, **columns):
    return entries.finish(suite.parsing(child, **columns).id)


def test_a_suite_waits_for_its_last_child_and_is_closed_once(lab, suite, build):
    build.test("sleeptest")
    build.test("alarmtest")
    job = suite.running()
    first, second = children(job)

    assert _end(suite, first, succeeded=True) == []
    assert suite.finish(job) == []
    (wake,) = _end(suite, second, succeeded=True)
    assert (wake.task, wake.args) == ("autotest.finish_suite", (job.id,))

    (parse,) = suite.finish(job)
    assert (parse.queue, parse.task, parse.args) == ("suites", "autotest.parse", (entry_of(job).id,))
    before = suite.status_log(job)
    lab.later(hours=1)
    assert suite.finish(job) == []
    assert suite.status_log(job) == before
    entries.finish(entry_of(job).id)
    assert entry_of(job).status == "Completed"


def test_a_suite_that_need_not_wait_does_not(suite, build):
    build.test("sleeptest")
    job = suite.create(wait_for_results=False)

    assert [wake.task for wake in suite.fan_out(job)] == ["autotest.claim", "autotest.finish_suite"]
    assert [wake.task for wake in suite.finish(job)] == ["autotest.parse"]


def test_an_aborted_suite_ends_aborted_when_its_children_ended(lab, suite, build):
    build.test("sleeptest")
    build.test("alarmtest")
    job = suite.running()
    running, queued = (entry_of(child) for child in children(job))
    lab.running(running)

    entries.abort([entry_of(job).id], "bob", "not needed", lab.now)
    assert suite.finish(job) == []
    assert lab.status(queued) is EntryStatus.ABORTED
    lab.end(lab.open_leases()[0].id, lab.killed)
    (wake,) = entries.finish(running.id)
    assert wake.task == "autotest.finish_suite"
    suite.finish(job)
    entries.finish(entry_of(job).id)

    assert entry_of(job).status == "Aborted"
    ended = {name: (status, reason) for _, name, status, reason in suite.results(job)}
    for child in children(job):
        assert ended[child.name] == ("ABORT", "not needed")


def test_a_suite_is_complete_when_its_time_is_over_whatever_its_children_do(lab, suite, build):
    for name in ("alarmtest", "fasttest", "sleeptest"):
        build.test(name)
    job = suite.running(timeout_mins=60)
    running, done, queued = children(job)
    lab.running(entry_of(running))
    suite.stored(done, ("fasttest", "GOOD"))
    _end(suite, done, succeeded=True)
    assert upkeep.timed_out(lab.later(minutes=59, seconds=59)) == []

    (wake,) = upkeep.timed_out(lab.later(seconds=1))
    assert (wake.task, wake.args) == ("autotest.finish_suite", (job.id,))
    (parse,) = suite.finish(job)
    assert parse.args == (entry_of(job).id,)
    entries.finish(entry_of(job).id)

    assert entry_of(job).status == "Aborted"
    assert entry_of(job).finished_on == lab.now
    assert (entry_of(queued).status, entry_of(done).status) == ("Aborted", "Completed")
    assert (entry_of(running).status, entry_of(running).aborted) == ("Running", True)
    told = {name: (status, reason) for _, name, status, reason in suite.results(job)}
    assert told[queued.name] == ("ABORT", "Timed out, did not run.")
    assert told["fasttest"] == ("GOOD", "")
    # What is being killed has results of its own soon; the suite does not foretell them.
    assert running.name not in told


def test_a_timeout_whose_message_was_lost_is_told_again(lab, suite, build):
    build.test("sleeptest")
    job = suite.running(timeout_mins=60)
    lab.running(entry_of(children(job)[0]))
    upkeep.timed_out(lab.later(hours=1))

    woken = upkeep.forgotten(lab.settings, lab.later(seconds=1))

    assert ("autotest.finish_suite", (job.id,)) in [(wake.task, wake.args) for wake in woken]
    assert len(suite.finish(job)) == 1


def test_a_suite_that_ended_in_time_is_not_late_because_its_results_are_still_stored(lab, suite, build):
    build.test("sleeptest")
    job = suite.running(timeout_mins=60)
    _end(suite, children(job)[0], succeeded=True)
    suite.finish(job)

    assert upkeep.timed_out(lab.later(hours=2)) == []
    entries.finish(entry_of(job).id)
    assert entry_of(job).status == "Completed"


def test_a_suite_whose_end_nobody_heard_is_closed_by_upkeep(lab, suite, build):
    build.test("sleeptest")
    job = suite.running()
    _end(suite, children(job)[0], succeeded=True)

    woken = upkeep.forgotten(lab.settings, lab.later(seconds=11))

    assert [(wake.task, wake.args) for wake in woken] == [("autotest.finish_suite", (job.id,))]


def test_enough_live_hosts_are_those_that_the_suite_is_to_get_first(lab, suite):
    lab.host("h2", labels=["board:pi4"])
    lab.host("h3", labels=["board:pi4"], status="Repair Failed")

    create(lab, suite_min_duts=2)
    with pytest.raises(errors.NoEligibleHost) as refused:
        create(lab, suite_min_duts=3)

    told = "check_hosts: 3 live hosts with board:pi4 are needed, and 1 are missing: 2 of 3 are live; see: "
    assert str(refused.value) == f"{told}autotest host list"


def test_a_test_of_more_machines_than_there_are_does_not_refuse_the_suite(lab, suite, build):
    build.test("pairtest", SYNC_COUNT=2)

    assert create(lab)


def test_labels_that_no_host_carries_together_are_refused(lab, suite):
    lab.host("h2", labels=["board:pi4", "pool:bvt"])

    with pytest.raises(errors.NoEligibleHost, match="no host carries board:pi4, pool:bvt, wifi together"):
        create(lab, pool="bvt", child_dependencies=("wifi",))


@pytest.mark.parametrize("columns", [{"locked": True}, {"status": "Repair Failed"}])
def test_a_place_whose_hosts_are_all_dead_is_refused(lab, suite, columns):
    Host.update(**columns).execute()

    with pytest.raises(errors.NoEligibleHost, match="the only host with board:pi4 is locked or broken"):
        create(lab)


@pytest.mark.parametrize("status", ["Verifying", "Provisioning", "Running"])
def test_hosts_that_are_busy_now_are_live(lab, suite, status):
    Host.update(status=status).execute()

    assert suite.create(check_hosts=True).id


def test_without_check_hosts_nobody_asks_for_hosts(lab, build):
    job_id, _ = create(lab, board="nosuch", check_hosts=False)

    assert entry_of(Job.get_by_id(job_id)).status == "Queued"


def test_a_test_is_scheduled_also_when_the_only_host_is_locked(suite, build):
    build.test("sleeptest", DEPENDENCIES="wifi")
    job = suite.create()
    lock_all()

    suite.fan_out(job)

    assert len(children(job)) == 1


def test_creation_and_fan_out_leave_all_or_nothing(lab, suite, build, monkeypatch):
    build.test("sleeptest")
    job = suite.create()

    def broken(*_):
        raise OSError("disk full")

    monkeypatch.setattr(suites.suite_folder, "begin", broken)
    with pytest.raises(OSError, match="disk full"):
        suite.fan_out(job)

    assert children(job) == []
    assert entry_of(job).status == "Queued"
    assert HostQueueEntry.select().count() == 1
    assert not database.db.in_transaction()
