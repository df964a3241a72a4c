"""Suites: checked, fanned out once, and closed once when the last child ended."""

from __future__ import annotations

import hashlib

import pytest

from autotest import errors
from autotest.client import keyval
from autotest.models.afe import Host, HostQueueEntry, Job, JobDependencyLabel, JobKeyval, Label
from autotest.results import parser
from autotest.scheduler import entries, hosts, labels, suite_folder, suites, upkeep
from autotest.scheduler.suites import SuiteSpec
from autotest.states import EntryStatus


def spec(**fields):
    defaults = {"name": "smoke", "board": "pi4", "build": "R7-1", "owner": "alice", "priority": 40}
    return SuiteSpec(**{**defaults, **fields})


@pytest.fixture
def host(lab):
    return lab.host("h1", labels=["board:pi4", "pool:suites", "wifi"])


@pytest.fixture
def suite(lab, build, host):
    """A queued suite job of the build's tests."""

    def create(**fields):
        job_id, _ = suites.create(spec(**fields), lab.settings, lab.now)
        return Job.get_by_id(job_id)

    return create


def fan_out(lab, job):
    return suites.fan_out(job.id, lab.settings, lab.now)


def finish(lab, job):
    return suites.finish(job.id, lab.settings, lab.now)


def entry_of(job):
    return HostQueueEntry.get(HostQueueEntry.job == job.id)


def children(job):
    return list(Job.select().where(Job.parent_job == job.id).order_by(Job.id))


def keyvals(job):
    return dict(JobKeyval.select(JobKeyval.key, JobKeyval.value).where(JobKeyval.job == job.id).tuples())


def status_log(lab, job):
    text = (suite_folder.place(lab.settings.results_dir, job) / "status.log").read_text(encoding="utf-8")
    return [line.split("\t") for line in text.splitlines()]


def results(lab, job):
    """(name, status, reason) of each test as the parser reads the suite's own folder."""
    parsed = parser.read(suite_folder.place(lab.settings.results_dir, job))
    return [(test.subdir, test.name, test.status, test.reason) for test in parsed.tests]


def test_a_suite_is_a_job_without_a_host_that_knows_suite_and_build(lab, suite):
    job = suite(pool="suites", child_dependencies=("wifi",), keyvals={"ticket": "7"}, num=2)

    assert (job.name, job.owner, job.priority) == ("R7-1-test_suites/control.smoke", "alice", 40)
    assert keyvals(job) == {
        "build": "R7-1",
        "suite": "smoke",
        "board": "pi4",
        "pool": "suites",
        "child_dependencies": "wifi",
        "wait_for_results": "True",
        "file_bugs": "False",
        "num": "2",
        "ticket": "7",
    }
    entry = entry_of(job)
    assert (entry.status, entry.host_id, entry.execution_subdir, entry.queue_key) == ("Queued", None, "hostless", "")


def test_its_wake_goes_to_the_suites_worker(lab, build, host):
    job_id, (wake,) = suites.create(spec(priority=50), lab.settings, lab.now)

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
        ({"keyvals": {"a b": "c"}}, errors.ValidationError, "keyvals: 'a b' is not a key"),
        ({"keyvals": {"a": "c" * 301}}, errors.ValidationError, "keyvals: the value of 'a' has 301 characters"),
        ({"timeout_mins": 0}, errors.ValidationError, "timeout_mins: limits are at least one minute"),
    ],
)
def test_what_cannot_be_scheduled_is_refused_by_name_and_leaves_nothing(lab, build, host, fields, error, text):
    with pytest.raises(error) as caught:
        suites.create(spec(**fields), lab.settings, lab.now)

    assert type(caught.value) is error
    assert text in str(caught.value)
    assert Job.select().count() == 0


def test_an_empty_suite_file_is_refused(lab, build, host):
    build.suite("smoke", "")

    with pytest.raises(errors.ControlFileEmpty):
        suites.create(spec(), lab.settings, lab.now)


def test_labels_that_no_host_carries_together_are_refused(lab, build, host):
    lab.host("h2", labels=["board:pi4", "pool:bvt"])

    with pytest.raises(errors.NoEligibleHost, match="no host carries board:pi4, pool:bvt, wifi together"):
        suites.create(spec(pool="bvt", child_dependencies=("wifi",)), lab.settings, lab.now)


@pytest.mark.parametrize("columns", [{"locked": True}, {"status": "Repair Failed"}])
def test_a_place_whose_hosts_are_all_dead_is_refused(lab, build, host, columns):
    Host.update(**columns).execute()

    with pytest.raises(errors.NoEligibleHost, match="all 1 hosts with board:pi4 are locked or broken"):
        suites.create(spec(), lab.settings, lab.now)


def test_without_check_hosts_nobody_asks_for_hosts(lab, build):
    job_id, _ = suites.create(spec(board="nosuch", check_hosts=False), lab.settings, lab.now)

    assert entry_of(Job.get_by_id(job_id)).status == "Queued"


def test_each_test_of_the_suite_becomes_a_child_that_waits_for_its_labels(lab, build, suite):
    build.test("sleeptest", DEPENDENCIES="wifi")
    build.test("othertest", suite="bvt")
    job = suite(pool="suites", priority=50, timeout_mins=90, max_runtime_mins=30)

    (wake,) = fan_out(lab, job)

    (child,) = children(job)
    assert child.name == "R7-1/smoke/sleeptest"
    assert (child.priority, child.timeout_mins, child.max_runtime_mins, child.owner) == (50, 90, 30, "alice")
    needs = {
        name
        for (name,) in Label.select(Label.name)
        .join(JobDependencyLabel)
        .where(JobDependencyLabel.job == child.id)
        .tuples()
    }
    assert needs == {"wifi", "board:pi4", "pool:suites", "version:R7-1"}
    assert keyvals(child) == {
        "build": "R7-1",
        "suite": "smoke",
        "experimental": "False",
        "parent_job_id": str(job.id),
    }
    entry = entry_of(child)
    assert entry.meta_host.name == "board:pi4"
    assert (wake.task, wake.args) == ("autotest.claim", (entry.queue_key,))
    assert entry_of(job).status == "Running"


def test_fanned_out_twice_there_are_children_once(lab, build, suite):
    build.test("sleeptest")
    job = suite()

    assert len(fan_out(lab, job)) == 1
    assert fan_out(lab, job) == []
    assert len(children(job)) == 1


def test_an_aborted_suite_is_not_fanned_out(lab, build, suite):
    build.test("sleeptest")
    job = suite()
    entries.abort([entry_of(job).id], "bob", "not needed", lab.now)

    assert fan_out(lab, job) == []
    assert suites.fan_out(job.id + 7, lab.settings, lab.now) == []
    assert children(job) == []


def test_a_test_whose_labels_no_host_has_is_not_supported_and_says_what_is_missing(lab, build, suite):
    build.test("sleeptest")
    build.test("modemtest", DEPENDENCIES="modem, wifi")
    build.test("pairtest", SYNC_COUNT=2)
    job = suite(pool="suites")

    fan_out(lab, job)

    assert [child.name for child in children(job)] == ["R7-1/smoke/sleeptest"]
    log = status_log(lab, job)
    skipped = {line[3]: line[-1] for line in log if line[1] == "TEST_NA"}
    assert skipped["modemtest"] == (
        "Skipping: test not supported on this board/pool: no host of board:pi4, pool:suites carries modem"
    )
    assert skipped["pairtest"].startswith("Skipping: needs 2 machines at once")


INVENTORY = {
    "h1": ["board:lumpy", "pool:suites", "servo"],
    "h2": ["board:lumpy", "pool:suites", "bluetooth"],
    "h3": ["board:lumpy", "pool:bvt", "bluetooth", "servo"],
    "h4": ["board:link", "pool:suites", "modem:gobi3k"],
}


@pytest.mark.parametrize(
    ("board", "pool", "child_dependencies", "needs", "served_by"),
    [
        ("lumpy", "suites", (), "", {"h1", "h2"}),
        ("lumpy", "suites", (), "servo", {"h1"}),
        ("lumpy", "suites", (), "servo, bluetooth", set()),
        ("lumpy", "bvt", (), "servo, bluetooth", {"h3"}),
        ("lumpy", "", (), "servo, bluetooth", {"h3"}),
        ("lumpy", "suites", (), "Servo", set()),
        ("link", "suites", (), "modem:gobi3k, rpm, cleanup-reboot", {"h4"}),
        ("nosuch", "suites", (), "", set()),
        ("lumpy", "suites", ("bluetooth",), "servo", set()),
        ("lumpy", "suites", ("model:lumpy",), "", set()),
        ("lumpy", "suites", (), "skip_provision, never_heard_of", set()),
        ("lumpy", "suites", ("carrier:att", "modem_repair"), "", set()),
    ],
)
def test_the_inventory_of_the_specification(lab, build, board, pool, child_dependencies, needs, served_by):
    for hostname, carried in INVENTORY.items():
        lab.host(hostname, labels=carried)
    build.test("sometest", DEPENDENCIES=needs)
    job_id, _ = suites.create(
        spec(board=board, pool=pool, child_dependencies=child_dependencies, check_hosts=False), lab.settings, lab.now
    )
    job = Job.get_by_id(job_id)

    fan_out(lab, job)

    queues = [labels.queue_named(entry_of(child).queue_key) for child in children(job)]
    free = hosts.free(lab.row.id)
    assert {host.hostname for host in free for queue in queues if queue.accepts(host.host_id, host.labels)} == served_by
    assert ("TEST_NA" in [line[1] for line in status_log(lab, job)]) == (not served_by)


def test_a_test_is_scheduled_also_when_the_only_host_is_locked(lab, build, suite, host):
    build.test("sleeptest", DEPENDENCIES="wifi")
    job = suite()
    Host.update(locked=True).execute()

    fan_out(lab, job)

    assert len(children(job)) == 1


def test_a_control_file_that_does_not_parse_is_a_warning_by_name(lab, build, suite):
    build.test("sleeptest")
    build.file("broken/control", "NAME = 'broken'\nTIME = (\n")
    build.file("tabs\tand\nlines/control", "nothing here\n")
    job = suite()

    fan_out(lab, job)

    warned = {name: reason for _, name, status, reason in results(lab, job) if status == "WARN"}
    assert "line 2" in warned["control/broken/control"]
    assert set(warned) == {"control/broken/control", "control/tabs and lines/control"}
    assert len(children(job)) == 1


def test_a_test_with_a_name_that_no_job_can_have_is_a_warning(lab, build, suite):
    build.test("sleeptest", NAME="n" * 300)
    job = suite()

    fan_out(lab, job)

    assert children(job) == []
    assert [line[3] for line in status_log(lab, job) if line[1] == "WARN"] == ["n" * 300]


def test_a_suite_without_members_fails_and_names_the_suites_that_there_are(lab, build, suite):
    build.test("sleeptest", suite="bvt")
    job = suite()

    (wake,) = fan_out(lab, job)

    assert (wake.queue, wake.task) == ("suites", "autotest.parse")
    row = entry_of(job)
    assert (row.status, row.succeeded) == ("Parsing", False)
    assert row.reason == "no control file is in suite smoke; suites of this build: bvt"
    ended = {name: (status, reason) for _, name, status, reason in results(lab, job)}
    assert ended["smoke"] == ("FAIL", f"Exception while scheduling suite: {row.reason}")
    entries.finish(row.id)
    assert entry_of(job).status == "Failed"
    assert fan_out(lab, job) == []


def test_a_build_that_vanished_fails_the_suite(lab, build, suite):
    job = suite()
    build.root.rename(build.root.with_name("gone"))

    fan_out(lab, job)

    assert entry_of(job).status == "Parsing"
    assert "Failed to stage R7-1" in entry_of(job).reason


def test_a_suite_of_tests_that_nobody_supports_ends_at_once(lab, build, suite):
    build.test("modemtest", DEPENDENCIES="modem")
    job = suite()

    (wake,) = fan_out(lab, job)
    assert wake.task == "autotest.finish_suite"
    finish(lab, job)

    assert [(name, status) for _, name, status, _ in results(lab, job) if name == "modemtest"] == [
        ("modemtest", "TEST_NA")
    ]


def _end(lab, child, **columns):
    HostQueueEntry.update(status="Parsing", active=False, **columns).where(HostQueueEntry.job == child.id).execute()
    return entries.finish(entry_of(child).id)


def test_a_suite_waits_for_its_last_child_and_is_closed_once(lab, build, suite):
    build.test("sleeptest")
    build.test("alarmtest")
    job = suite()
    fan_out(lab, job)
    first, second = children(job)

    assert _end(lab, first, succeeded=True) == []
    assert finish(lab, job) == []
    (wake,) = _end(lab, second, succeeded=True)
    assert (wake.task, wake.args) == ("autotest.finish_suite", (job.id,))

    (parse,) = finish(lab, job)
    assert (parse.queue, parse.task, parse.args) == ("suites", "autotest.parse", (entry_of(job).id,))
    before = status_log(lab, job)
    lab.later(hours=1)
    assert finish(lab, job) == []
    assert status_log(lab, job) == before
    entries.finish(entry_of(job).id)
    assert entry_of(job).status == "Completed"


def test_a_suite_that_need_not_wait_does_not(lab, build, suite):
    build.test("sleeptest")
    job = suite(wait_for_results=False)

    assert [wake.task for wake in fan_out(lab, job)] == ["autotest.claim", "autotest.finish_suite"]
    assert [wake.task for wake in finish(lab, job)] == ["autotest.parse"]


def test_an_aborted_suite_ends_aborted_when_its_children_ended(lab, build, suite):
    build.test("sleeptest")
    build.test("alarmtest")
    job = suite()
    fan_out(lab, job)
    running, queued = (entry_of(child) for child in children(job))
    lab.running(running)

    entries.abort([entry_of(job).id], "bob", "not needed", lab.now)
    assert finish(lab, job) == []
    assert lab.status(queued) is EntryStatus.ABORTED
    lab.end(lab.open_leases()[0].id, lab.killed)
    (wake,) = entries.finish(running.id)
    assert wake.task == "autotest.finish_suite"
    finish(lab, job)
    entries.finish(entry_of(job).id)

    assert entry_of(job).status == "Aborted"
    ended = {name: (status, reason) for _, name, status, reason in results(lab, job)}
    assert ended["sleeptest"] == ("ABORT", "not needed")
    assert ended["alarmtest"] == ("ABORT", "not needed")


def test_the_folder_knows_the_job_of_each_test(lab, build, suite):
    build.test("sleeptest")
    job = suite(keyvals={"note": "two\nlines # and more"})
    fan_out(lab, job)
    (child,) = children(job)

    pairs = keyval.read(str(suite_folder.place(lab.settings.results_dir, job)))

    assert pairs[hashlib.md5(b"sleeptest").hexdigest()] == f"{child.id}-alice"
    assert pairs["note"] == "two lines   and more"
    assert (pairs["suite"], pairs["build"], pairs["user"]) == ("smoke", "R7-1", "alice")
    assert pairs["status_version"] == 1
    assert pairs["scheduled_test_count"] == 1
    assert "job_finished" not in pairs


def test_a_folder_that_was_lost_is_made_anew_from_the_rows(lab, build, suite):
    build.test("sleeptest")
    job = suite()
    fan_out(lab, job)
    (child,) = children(job)
    _end(lab, child, aborted=True, reason="not needed")
    (suite_folder.place(lab.settings.results_dir, job) / "scheduled.json").write_text("{", encoding="utf-8")

    finish(lab, job)

    ended = {name: status for _, name, status, _ in results(lab, job)}
    assert ended["sleeptest"] == "ABORT"
    assert ended["smoke"] == "WARN"


def test_a_suite_whose_end_nobody_heard_is_closed_by_upkeep(lab, build, suite):
    build.test("sleeptest")
    job = suite()
    fan_out(lab, job)
    (child,) = children(job)
    _end(lab, child, succeeded=True)

    woken = upkeep.forgotten(lab.settings, lab.later(seconds=11))

    assert [(wake.task, wake.args) for wake in woken] == [("autotest.finish_suite", (job.id,))]
