"""The verdict on a suite: the worst of what its views say, as run_suite's exit code (control-files-and-suites 4.8)."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from autotest.states import Outcome

_BAD = frozenset({Outcome.FAIL, Outcome.ERROR, Outcome.ABORT})
_UNENDED = frozenset({Outcome.ABORT, Outcome.RUNNING})

#: The suite, and the test in any suite, that put the build onto the machines.
PROVISION = "provision"


@dataclasses.dataclass(frozen=True)
class Verdict:
    """*code* is run_suite's exit code, *message* one line for people ('' when all is well)."""

    name: str
    code: int
    message: str


OK = Verdict("ok", 0, "")
TEST_WARNING = Verdict("test_warning", 2, "Test job raised warning.")
SUITE_WARNING = Verdict("suite_warning", 2, "Suite job raised warning.")
TEST_RETRY = Verdict("test_retry", 2, "Tests were retried.")
TEST_ABORTED_PRESTART = Verdict("test_aborted_prestart", 4, "Tests were aborted before they ran.")
TEST_ABORTED_MYSTERY = Verdict("test_aborted_mystery", 4, "Tests were aborted while they ran, before their own limit.")
SUITE_TIMEOUT = Verdict("suite_timeout", 4, "Suite job timed out.")
TEST_VIEWS_MISSING = Verdict("test_views_missing", 3, "No test views found.")
SUITE_FAILED = Verdict("suite_failed", 3, "Suite job failed.")
PROVISION_FAILED = Verdict("provision_failed", 3, "Provisioning failed.")
TEST_FAILURE = Verdict("test_failure", 1, "Tests failed.")

#: Least to worst.
LADDER = (
    OK,
    TEST_WARNING,
    SUITE_WARNING,
    TEST_RETRY,
    TEST_ABORTED_PRESTART,
    TEST_ABORTED_MYSTERY,
    SUITE_TIMEOUT,
    TEST_VIEWS_MISSING,
    SUITE_FAILED,
    PROVISION_FAILED,
    TEST_FAILURE,
)


@dataclasses.dataclass(frozen=True)
class View:
    """One result as the verdict sees it.

    *is_suite* marks the suite job itself; *never_ran* a test that only the suite knows. *was_aborted* says that
    somebody or a limit aborted its job; *over_runtime* that it ran longer than its own max_runtime_mins.
    *is_experimental*: its test is on trial, so that it is told apart and never decides. *ran_nothing*: its job ended
    well and ran no test, which counts for nothing.
    """

    name: str
    status: Outcome
    is_suite: bool = False
    never_ran: bool = False
    was_aborted: bool = False
    over_runtime: bool = False
    is_retry: bool = False
    is_experimental: bool = False
    ran_nothing: bool = False

    @property
    def aborted(self) -> bool:
        """Whether this view counts as aborted."""
        if self.never_ran:
            return self.status is Outcome.ABORT
        return self.was_aborted and self.status in _UNENDED


def of(views: Iterable[View], timed_out: bool = False, suite: str = "", num_required: int = 0) -> Verdict:
    """The worst verdict of all *views* but the experimental ones and those that ran nothing.

    *timed_out*: the suite was aborted after its timeout. Suite ``provision`` is fine once *num_required* (if not 0)
    of its tests are.
    """
    listed = [view for view in views if not view.ran_nothing]
    if not listed:
        return TEST_VIEWS_MISSING
    counted = [view for view in listed if not view.is_experimental]
    verdicts = [of_view(view) for view in counted]
    fine = sum(
        verdict in (OK, TEST_RETRY) for view, verdict in zip(counted, verdicts, strict=True) if not view.is_suite
    )
    if suite == PROVISION and num_required and fine >= num_required:
        return OK
    if timed_out:
        verdicts.append(SUITE_TIMEOUT)
    return max(verdicts, key=LADDER.index, default=OK)


def of_view(view: View) -> Verdict:
    """What one view alone says; the first rule that fits decides."""
    return _of_suite_job(view) if view.is_suite else _of_test(view)


def _of_suite_job(view: View) -> Verdict:
    if view.aborted and view.over_runtime:
        return SUITE_TIMEOUT
    if view.status in _BAD:
        return SUITE_FAILED
    return SUITE_WARNING if view.status is Outcome.WARN else OK


def _of_test(view: View) -> Verdict:
    if view.aborted and view.never_ran:
        return TEST_ABORTED_PRESTART
    if view.aborted and not view.over_runtime:
        return TEST_ABORTED_MYSTERY
    if view.status in _BAD:
        return PROVISION_FAILED if view.name == PROVISION else TEST_FAILURE
    if view.status is Outcome.WARN:
        return TEST_WARNING
    return TEST_RETRY if view.is_retry else OK
