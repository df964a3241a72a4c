"""The suites that we ship: each reads, runs, and means the tests that its DOC says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from autotest import control_file, errors
from autotest.suite import runner
from autotest.suite.runner import Decision
from autotest.suite.spec import SuiteSpec

ROOT = Path(__file__).resolve().parents[3]
SUITES = sorted(path.name.partition(".")[2] for path in (ROOT / "test_suites").glob("control.*"))
PATHS = sorted(path for path in (ROOT / "control").glob("*/control*") if path.is_file())
TESTS = [control_file.parse(path.read_text(), str(path.relative_to(ROOT))) for path in PATHS]
SPEC = SuiteSpec(name="x", board="pi4", builds={"version": "R7-1"}, owner="alice")
WRAPPERS = {
    "provision": {"num_required": 2},
    "suite_attr_wrapper": {"attr_filter": "suite:bvt or suite:smoke"},
    "test_that_wrapper": {"tests": ["sleeptest", "suite:bvt", "e:disk.*", "f:control/cputest/.*"]},
}


def decided(suite: str, suite_args: dict[str, Any] | None = None) -> Decision:
    path = f"test_suites/control.{suite}"
    return runner.decide((ROOT / path).read_text(), path, SPEC.arguments(suite_args), TESTS)


def names(suite: str, suite_args: dict[str, Any] | None = None) -> set[str]:
    return {test.name or "" for test in decided(suite, suite_args).members}


def test_at_least_ten_are_shipped():
    assert len(SUITES) >= 10


@pytest.mark.parametrize("suite", SUITES)
def test_a_suite_file_is_a_complete_control_file(suite):
    found = control_file.read(ROOT / "test_suites" / f"control.{suite}")
    assert (found.name, found.test_class, found.test_type, found.suite) == (suite, "suite", "server", None)
    assert len(found.doc or "") > 40
    assert found.diagnoses == ()


@pytest.mark.parametrize("suite", SUITES)
def test_a_suite_file_means_some_tests_and_nothing_is_odd(suite):
    decision = decided(suite, WRAPPERS.get(suite))
    assert decision.members
    assert decision.notes == []
    assert decision.spec.name == suite


def test_every_test_is_in_some_suite():
    covered = {test.path for suite in SUITES for test in decided(suite, WRAPPERS.get(suite)).members}
    assert {test.path for test in TESTS} - covered == set()


@pytest.mark.parametrize("suite", ["kernel", "storage", "network", "power", "hardware"])
def test_the_suite_of_a_part_is_its_functional_tests(suite):
    members = decided(suite).members
    assert {(test.test_class, test.test_category) for test in members} == {(suite, "functional")}


def test_tests_that_fail_on_purpose_are_in_smoke_alone():
    for suite in set(SUITES) - {"smoke", *WRAPPERS}:
        assert not names(suite) & {"failtest", "errortest"}


def test_the_others_mean_what_their_names_say():
    assert {test.time_rank for test in decided("quick").members} == {0}
    assert {test.test_category for test in decided("stress").members} == {"stress"}
    assert {test.test_category for test in decided("performance").members} == {"performance"}
    assert decided("performance").spec.num == 2
    assert names("nightly") == names("bvt") | names("stress") | names("performance")
    assert decided("functional").spec.job_retry is True


def test_the_suite_that_provisions_runs_one_test_on_each_of_so_many_hosts():
    decision = decided("provision", {"num_required": "2", "num_max": "3"})

    assert [test.name for test in decision.members] == ["provision"]
    assert (decision.spec.each_host, decision.spec.num_max) == (True, 3)


@pytest.mark.parametrize(
    ("suite_args", "what"),
    [
        ({}, "this suite needs suite_args with num_required, such as 4"),
        ({"num_required": None}, "run_provision_suite() needs num_required=int"),
        ({"num_required": 0}, "needs num_required of at least 1, not 0"),
        ({"num_required": "all"}, "needs num_required=int, not 'all'"),
        ({"num_required": 1, "num_max": 0}, "needs num_max of at least 1, not 0"),
    ],
)
def test_the_suite_that_provisions_wants_numbers(suite_args, what):
    with pytest.raises(errors.SuiteFileFailed, match=re.escape(what)):
        decided("provision", suite_args)


def test_the_wrappers_take_what_suite_args_say():
    assert names("suite_attr_wrapper", {"attr_filter": "suite:bvt and not suite:smoke"}) == names("bvt")
    assert names("test_that_wrapper", WRAPPERS["test_that_wrapper"]) == {
        "sleeptest", *names("bvt"), "disktest.stress", "disktest.speed", "cputest.stress",
    }  # fmt: skip
    spec = decided("suite_attr_wrapper", {"attr_filter": "suite:bvt", "name": "mine"}).spec
    assert (spec.name, spec.max_runtime_mins) == ("mine", 1440)


@pytest.mark.parametrize(("suite", "missing"), [("suite_attr_wrapper", "attr_filter"), ("test_that_wrapper", "tests")])
def test_a_wrapper_without_its_argument_says_what_it_needs(suite, missing):
    with pytest.raises(errors.SuiteFileFailed, match=rf"KeyError: .*suite_args with {missing}, such as"):
        decided(suite)
