"""The children of a suite: names, labels, keyvals and limits of each, and those that cannot be."""

from __future__ import annotations

import json

import pytest
from paper_suites import PaperSuites, children, entry_of, keyvals, lock_all, needs

from autotest.models.afe import HostQueueEntry
from autotest.scheduler import suite_request


@pytest.fixture
def suite(lab, build):
    lab.host("h1", labels=["board:pi4", "pool:suites", "wifi"])
    return PaperSuites(lab)


def test_each_test_of_the_suite_becomes_a_child_that_waits_for_its_labels(suite, build):
    build.test("sleeptest", DEPENDENCIES="wifi")
    build.test("othertest", suite="bvt")
    job = suite.create(pool="suites", priority=50, timeout_mins=90, max_runtime_mins=30)

    (wake,) = suite.fan_out(job)

    (child,) = children(job)
    assert child.name == "R7-1/smoke/sleeptest"
    assert (child.priority, child.timeout_mins, child.max_runtime_mins, child.owner) == (50, 90, 30, "alice")
    assert (child.run_reset, child.reboot_before, child.require_ssp, child.synch_count) == (1, 1, None, 0)
    assert needs(child) == {"wifi", "board:pi4", "pool:suites", "version:R7-1"}
    assert keyvals(child) == {
        "build": "R7-1",
        "suite": "smoke",
        "experimental": "False",
        "builds": '{"version": "R7-1"}',
        "parent_job_id": str(job.id),
    }
    entry = entry_of(child)
    assert entry.meta_host.name == "board:pi4"
    assert (wake.task, wake.args) == ("autotest.claim", (entry.queue_key,))
    assert entry_of(job).status == "Running"


def test_a_fast_test_asks_for_no_reset_and_no_reboot(suite, build):
    build.test("fasttest", FAST=True, REQUIRE_SSP=True)

    (child,) = children(suite.running())

    assert (child.run_reset, child.reboot_before, child.require_ssp) == (0, 0, True)


def test_several_builds_are_labels_and_keyvals_of_every_child(suite, build):
    build.test("sleeptest")
    builds = {"cros-version": "pi4-release/R8-1", "fwrw-version": "fw/2", "fwro-version": "fw/1"}

    (child,) = children(suite.running(builds=builds, test_source_build="R7-1", offload_failures_only=True))

    assert child.name == "R7-1/smoke/sleeptest"
    assert needs(child) == {"board:pi4", *(f"{prefix}:{build}" for prefix, build in builds.items())}
    known = keyvals(child)
    assert json.loads(known.pop("builds")) == builds
    assert (
        known.items()
        >= {
            "build": "pi4-release/R8-1",
            "test_source_build": "R7-1",
            "fwrw_build": "fw/2",
            "fwro_build": "fw/1",
            "offload_failures_only": "True",
        }.items()
    )


def test_only_the_cidb_keyvals_of_the_suite_are_inherited(suite, build):
    build.test("sleeptest")

    (child,) = children(suite.running(job_keyvals={"cidb_build_id": 7, "cidb_build_stage_id": "8", "ticket": "9"}))

    known = keyvals(child)
    assert (known["cidb_build_id"], known["cidb_build_stage_id"], "ticket" in known) == ("7", "8", False)


def test_an_experimental_test_runs_beside_the_others_and_says_so(suite, build):
    build.test("newtest", EXPERIMENTAL=True)

    (child,) = children(suite.running())

    assert keyvals(child)["experimental"] == "True"


def test_arguments_of_tests_are_kept_as_data_for_every_child(lab, suite, build):
    build.test("sleeptest")
    job = suite.running(test_args={"seconds": 3, "deep": {"a": [1]}})

    (child,) = children(job)

    assert suite_request.test_args(child) == {"seconds": 3, "deep": {"a": [1]}}
    assert suite_request.test_args(job) == {}
    assert suite_request.test_args(lab.job()) == {}
    assert "seconds" not in child.control_file
    token = lab.granted(entry_of(child))
    lab.run_step(token)
    work = lab.begin(token)
    assert work.job_file.args_dict == {"seconds": 3, "deep": {"a": [1]}}
    assert work.job_file.arguments == ("seconds=3", "deep={'a': [1]}")


def test_a_test_of_two_machines_waits_for_two_at_once(lab, suite, build):
    lab.host("h2", labels=["board:pi4"])
    build.test("pairtest", SYNC_COUNT=2)

    (child,) = children(suite.running())

    assert child.synch_count == 2
    waiting = HostQueueEntry.select().where(HostQueueEntry.job == child.id)
    assert [entry.meta_host.name for entry in waiting] == ["board:pi4", "board:pi4"]


def test_a_test_of_more_machines_than_the_suite_may_hold_is_not_supported(lab, suite, build):
    lab.host("h2", labels=["board:pi4"])
    build.test("pairtest", SYNC_COUNT=2)

    job = suite.running(num=1)

    assert suite.skipped(job) == {"pairtest": "Skipping: needs 2 hosts at once, and the suite may hold 1 (num)"}


def test_a_suite_for_each_host_makes_a_job_for_every_live_one(lab, suite, build):
    for name, columns in {"h2": {}, "h10": {}, "h3": {"locked": True}, "h4": {"status": "Repair Failed"}}.items():
        lab.host(name, labels=["board:pi4"], **columns)
    lab.host("h5", labels=["board:x86box"])
    build.test("provision")

    made = children(suite.running(each_host=True))

    bound = [HostQueueEntry.get(HostQueueEntry.job == child.id).host.hostname for child in made]
    assert sorted(bound) == ["h1", "h10", "h2"]
    assert {child.name for child in made} == {"R7-1/smoke/provision"}


def test_a_suite_for_each_host_takes_no_more_than_it_may(lab, suite, build):
    lab.host("h2", labels=["board:pi4"])
    build.test("provision")

    (child,) = children(suite.running(each_host=True, num_max=1))

    assert HostQueueEntry.get(HostQueueEntry.job == child.id).host.hostname == "h1"


def test_a_suite_for_each_host_finds_none_that_is_live(lab, suite, build):
    lock_all()
    build.test("provision")

    job = suite.running(each_host=True, check_hosts=False)

    assert children(job) == []
    assert suite.skipped(job, "ABORT") == {"provision": "every host with board:pi4 is locked or broken"}


def test_a_control_file_that_does_not_parse_is_a_warning_by_name(suite, build):
    build.test("sleeptest")
    build.file("broken/control", "NAME = 'broken'\nTIME = (\n")
    build.file("tabs\tand\nlines/control", "nothing here\n")

    job = suite.running()

    warned = {name: reason for _, name, status, reason in suite.results(job) if status == "WARN"}
    assert "line 2" in warned["control/broken/control"]
    assert set(warned) == {"control/broken/control", "control/tabs and lines/control"}
    assert len(children(job)) == 1


@pytest.mark.parametrize(
    ("variables", "name", "reason"),
    [
        ({"NAME": "n" * 300}, "n" * 300, "the name has 311 characters, of 255 at most"),
        ({"DEPENDENCIES": "x" * 256}, "oddtest", "is not a label"),
    ],
)
def test_one_test_that_cannot_be_a_job_is_an_error_and_the_others_run(suite, build, variables, name, reason):
    build.test("oddtest", **variables)
    build.test("sleeptest")

    job = suite.running()

    assert [child.name for child in children(job)] == ["R7-1/smoke/sleeptest"]
    (told,) = suite.skipped(job, "ERROR").items()
    assert told[0] == name
    assert reason in told[1]
