"""The verdict: the worst view decides the exit code of run_suite (control-files-and-suites.md sections 4.8 and 9.3)."""

from __future__ import annotations

import dataclasses
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autotest.results import verdict
from autotest.results.verdict import View
from autotest.states import Outcome

SUITE = View("Suite job", Outcome.GOOD, is_suite=True)
GOOD = View("login_Ok", Outcome.GOOD)
SKIPPED = View("login_Na", Outcome.TEST_NA, never_ran=True)
FAIL = View("net_Ping", Outcome.FAIL)
NEVER_RAN = View("net_Late", Outcome.ABORT, never_ran=True)
PROVISION_FAIL = View("provision", Outcome.FAIL)


@pytest.mark.parametrize(
    ("views", "expected"),
    [
        pytest.param([SUITE, GOOD, SKIPPED], verdict.OK, id="1: good and not applicable"),
        pytest.param([SUITE, GOOD, View("w", Outcome.WARN)], verdict.TEST_WARNING, id="2: one warning"),
        pytest.param([SUITE, View("r", Outcome.GOOD, is_retry=True)], verdict.TEST_RETRY, id="3: good on retry"),
        pytest.param([SUITE, GOOD, NEVER_RAN], verdict.TEST_ABORTED_PRESTART, id="4: one did not run"),
        pytest.param([SUITE, GOOD, NEVER_RAN, FAIL], verdict.TEST_FAILURE, id="5: and one failed"),
        pytest.param(
            [View("Suite job", Outcome.ERROR, is_suite=True), GOOD], verdict.SUITE_FAILED, id="6: suite error"
        ),
        pytest.param([SUITE, GOOD, PROVISION_FAIL], verdict.PROVISION_FAILED, id="7: provision failed"),
        pytest.param([SUITE, PROVISION_FAIL, FAIL], verdict.TEST_FAILURE, id="8: provision and another"),
        pytest.param(
            [SUITE, View("t", Outcome.ABORT, was_aborted=True, over_runtime=True)],
            verdict.TEST_FAILURE,
            id="9: own limit",
        ),
        pytest.param(
            [SUITE, View("t", Outcome.ABORT, was_aborted=True)], verdict.TEST_ABORTED_MYSTERY, id="10: aborted early"
        ),
        pytest.param([], verdict.TEST_VIEWS_MISSING, id="11: nothing at all"),
    ],
)
def test_the_worst_view_decides(views, expected):
    assert verdict.of(views) is expected
    assert {verdict.of(order) for order in itertools.permutations(views)} == {expected}


VIEWS = st.builds(
    View,
    st.sampled_from(["t", "provision"]),
    st.sampled_from(Outcome),
    *[st.booleans()] * 6,
)


@given(st.lists(VIEWS, min_size=1), VIEWS)
def test_one_more_result_makes_a_suite_no_better(views, other):
    rank = verdict.LADDER.index
    assert rank(verdict.of([*views, other])) >= rank(verdict.of(views))


@given(st.lists(VIEWS, min_size=1), st.sampled_from(Outcome))
def test_experimental_tests_never_decide(views, status):
    views = [dataclasses.replace(view, is_experimental=False) for view in views]
    on_trial = View("new", status, is_experimental=True)
    assert verdict.of([*views, on_trial]) is verdict.of(views)
    assert verdict.of([on_trial]) is verdict.OK


@given(st.lists(VIEWS), st.sampled_from(Outcome), st.booleans())
def test_what_ran_nothing_never_decides(views, status, is_retry):
    nothing = View("provision", status, is_retry=is_retry, ran_nothing=True)
    assert verdict.of([*views, nothing], suite="provision", num_required=1) is verdict.of(
        views, suite="provision", num_required=1
    )


def test_the_codes_and_messages_are_run_suites():
    told = {(one.code, one.message) for one in verdict.LADDER}
    assert {
        (0, ""),
        (1, "Tests failed."),
        (2, "Tests were retried."),
        (3, "Suite job failed."),
        (4, "Suite job timed out."),
    } <= told
    assert [one.code for one in verdict.LADDER] == [0, 2, 2, 2, 4, 4, 4, 3, 3, 3, 1]


def test_an_abort_that_nobody_asked_for_is_a_failure():
    assert verdict.of([SUITE, View("t", Outcome.ABORT)]) is verdict.TEST_FAILURE


@pytest.mark.parametrize(
    ("view", "expected"),
    [
        (View("s", Outcome.ABORT, is_suite=True, was_aborted=True, over_runtime=True), verdict.SUITE_TIMEOUT),
        (View("s", Outcome.ABORT, is_suite=True, was_aborted=True), verdict.SUITE_FAILED),
        (View("s", Outcome.WARN, is_suite=True), verdict.SUITE_WARNING),
        (View("s", Outcome.TEST_NA, is_suite=True), verdict.OK),
    ],
)
def test_the_suite_job_has_rules_of_its_own(view, expected):
    assert verdict.of_view(view) is expected


def test_a_suite_aborted_after_its_timeout_timed_out():
    assert verdict.of([SUITE, GOOD], timed_out=True) is verdict.SUITE_TIMEOUT


@pytest.mark.parametrize(
    ("required", "expected"), [(2, verdict.OK), (3, verdict.TEST_FAILURE), (0, verdict.TEST_FAILURE)]
)
def test_enough_provisioned_machines_make_the_provision_suite_fine(required, expected):
    views = [SUITE, GOOD, View("again", Outcome.GOOD, is_retry=True), FAIL]
    assert verdict.of(views, suite="provision", num_required=required) is expected
