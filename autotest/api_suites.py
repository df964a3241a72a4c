"""API calls about suites: create one, wait for it, see how it stands, and compare those of many builds."""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from autotest import api_arguments, errors
from autotest.api_arguments import SuiteRequest
from autotest.api_session import login, publish, session
from autotest.models import database
from autotest.results import build_report, summary
from autotest.results.summary import SuiteSummary
from autotest.scheduler import builds as staged
from autotest.scheduler import listing, suites
from autotest.states import Priority

#: Who waits for a suite pauses at least so many times as long as a look takes.
_IDLE = 9


def create_suite_job(
    suite_name: str,
    board: str = "",
    build: str = "",
    pool: str = "",
    check_hosts: bool = True,
    num: int | None = None,
    file_bugs: bool = False,
    timeout: int = 24,
    timeout_mins: int | None = None,
    priority: int | str = Priority.DEFAULT,
    suite_args: Mapping[str, Any] | None = None,
    wait_for_results: bool = True,
    job_retry: bool = False,
    max_retries: int | None = None,
    max_runtime_mins: int | None = None,
    suite_min_duts: int = 0,
    offload_failures_only: bool = False,
    builds: Mapping[str, str] | None = None,
    test_source_build: str | None = None,
    child_dependencies: Sequence[str] = (),
    job_keyvals: Mapping[str, str] | None = None,
    test_args: Mapping[str, Any] | None = None,
    owner: str | None = None,
    control_file: str = "",
    run_prod_code: bool = False,
    delay_minutes: int = 0,
    is_cloning: bool = False,
) -> int:
    """Create the job that runs ``test_suites/control.<suite_name>`` of *build* on hosts of *board* and *pool*. Returns
    its id (control-files-and-suites.md sections 4.1, 4.2).

    What is tested: *build*, and further *builds* by the prefix of their labels (``{"fwrw-version": ...}``);
    ``<target>/LATEST`` is the newest build of the target. An empty *board* is the one that the build's name begins
    with. The control files come from *test_source_build* (default: the device's build), with *run_prod_code* from the
    installation's own tree. *control_file* is the text of a suite file to use instead; *is_cloning* takes off what an
    earlier suite put before it.

    How: *timeout* in hours; *timeout_mins* and *max_runtime_mins*, where given, go before it. When the timeout is over
    the suite is complete, and what has not finished is aborted. *priority* by name or number. *delay_minutes* later the
    tests are created. *num* is how many hosts the suite may hold at a time, *suite_min_duts* how many it gets before
    others get more. With *job_retry* failed tests run again as often as their JOB_RETRIES say, *max_retries* times in
    the whole suite. With *file_bugs* failures are reported to the bug tracker. *suite_args* reach the suite file before
    all else, *test_args* every test. *job_keyvals* are kept with the suite, and its cidb_* ones with every test. The
    suite's own entry is done at once without *wait_for_results*. *owner* defaults to the login name.

    Raises StageBuildFailure (the build cannot be staged), NoControlFileList, ControlFileNotFound, ControlFileEmpty and
    ControlFileMalformed (its suite file), NoEligibleHost (with *check_hosts*, too few live hosts of the labels), and
    ValidationError, by name of the argument, for the others.
    """
    owner = owner or login()
    # What is local here are the arguments, and SuiteRequest has a field for each.
    asked = api_arguments.asked(SuiteRequest(**locals()))
    with session() as here:
        job_id, woken = suites.create(asked, here.settings, database.utc_now())
    publish(woken)
    return job_id


def newest_build(build: str) -> str:
    """The name that *build* stands for now: ``<target>/LATEST`` is the newest build of the target, any other name is
    itself. Raises StageBuildFailure when nobody knows one."""
    with session() as here:
        return staged.newest(here.settings, build)


def wait_for_suite(
    job_id: int,
    timeout: float | None = None,
    poll: float = 0.5,
    progress: Callable[[SuiteSummary], None] | None = None,
) -> SuiteSummary:
    """Wait until the suite and all its children ended. *timeout* and *poll* in seconds; the database is never asked
    for more than a tenth of the time.

    *progress* is called with the summary at every look. Raises NotFound when there is no such suite, NotFinished when
    *timeout* passed first; the suite goes on.
    """
    end = None if timeout is None else time.monotonic() + timeout
    while True:
        began = time.monotonic()
        now = suite_summary(job_id)
        pause = max(poll, _IDLE * (time.monotonic() - began))
        if progress is not None:
            progress(now)
        if now.finished:
            return now
        left = pause if end is None else min(pause, end - time.monotonic())
        if left <= 0:
            waiting = sum(count for status, count in now.entries.items() if status not in api_arguments.FINAL)
            raise errors.NotFinished(
                f"suite {now.suite}, job {job_id}, has not ended after {timeout:g} s ({waiting} of its entries are "
                f"unfinished); it goes on: autotest suite wait {job_id}"
            )
        time.sleep(left)


def suite_summary(job_id: int) -> SuiteSummary:
    """All that is known of a suite now, with its verdict once it ended. Raises NotFound, also for a plain job."""
    with session():
        if not summary.is_suite(job_id):
            raise errors.NotFound(f"job {job_id} is not a suite; see: autotest job show {job_id}")
        return summary.of_suite(job_id)


def explain_test_na(job_id: int, test: str, most: int = 10) -> dict[str, Any]:
    """Why a suite has no job for one test of its build, host by host; see scheduler.suites.explain. Raises NotFound."""
    with session() as here:
        return suites.explain(job_id, test, here.settings, most)


def list_suites(
    limit: int = api_arguments.PAGE, before: int | None = None, owner: str | None = None, status: str | None = None
) -> list[dict[str, Any]]:
    """Suites, newest first, below the id *before*; see scheduler.listing.suites."""
    with session():
        return listing.suites(limit, before, owner, status)


def suite_report(
    suite_names: Collection[str] = (),
    builds: Collection[str] = (),
    boards: Collection[str] = (),
    since: datetime.timedelta | None = None,
    test_na: bool = False,
    limit: int = api_arguments.PAGE,
) -> dict[str, Any]:
    """The latest result of each test by build and board, from the newest *limit* suites: *suites* (the jobs), *tables*
    (one for each suite's name; see results.build_report), *more* (whether older suites were left out)."""
    begin = None if since is None else database.utc_now() - since
    with session():
        return build_report.report(limit, suite_names, builds, boards, begin, test_na)


def find_suites(
    suite_names: Collection[str] = (),
    builds: Collection[str] = (),
    boards: Collection[str] = (),
    since: datetime.timedelta | None = None,
    limit: int = api_arguments.PAGE,
) -> list[dict[str, Any]]:
    """The newest *limit* suites of these names, builds and boards (none given: any); see results.build_report.find."""
    begin = None if since is None else database.utc_now() - since
    with session():
        return build_report.find(limit, suite_names, builds, boards, begin)
