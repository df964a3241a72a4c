"""The Python API: suites, jobs and hosts, for programs, the command line and the web.

Every call opens its own database connection, writes in one transaction, and wakes the workers after the commit. A
broker that does not answer then costs a warning, not the call: the sweep sends the wake again. Settings are read once,
at the first call (:func:`bind` chooses others). Lists and shows are JSON-ready dicts; times in them are UTC.
"""

from __future__ import annotations

import contextlib
import datetime
import getpass
import logging
import threading
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from celery import Celery

from autotest import api_arguments, errors, settings
from autotest import celery as broker
from autotest.api_arguments import SuiteRequest
from autotest.host_info import HostInfo
from autotest.models import database, schema
from autotest.results import build_report, summary
from autotest.results.summary import SuiteSummary
from autotest.scheduler import builds, entries, floor, hosts, jobs, labels, labs, listing, starving, suites, wakes
from autotest.scheduler.jobs import JobSpec
from autotest.scheduler.wakes import Wake
from autotest.settings import Settings
from autotest.states import ControlType, Priority, TaskKind

#: Seconds in which a database that does not answer is tried again.
PATIENCE = 5.0
#: A worker that was not seen for so many of its beats is taken for dead in lists.
_BEATS = 6
_PAGE = 50
#: Who waits for a suite pauses at least so many times as long as a look takes.
_IDLE = 9

_log = logging.getLogger(__name__)
_binding = threading.Lock()
_bound: _Installation | None = None


class _Installation(NamedTuple):
    """What the calls work on."""

    settings: Settings
    celery: Celery


def bind(config: Settings, celery: Celery | None = None) -> None:
    """Work on the installation *config* from here on, instead of the one that settings.load() finds.

    *celery* is the app that wakes are sent with, if it is not the one that *config* describes. Raises
    DatabaseUnreachable, and ConfigError when the database is not migrated.
    """
    global _bound
    with _binding:
        _bound = _installation(config, celery)


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

    What is tested: *build*, and further *builds* by the prefix of their labels (``{"fwrw-version": ...}``); an empty
    *board* is the one that the build's name begins with. The control files come from *test_source_build* (default: the
    device's build), with *run_prod_code* from the installation's own tree. *control_file* is the text of a suite file
    to use instead; *is_cloning* takes off what an earlier suite put before it.

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
    request = SuiteRequest(
        suite_name=suite_name,
        board=board,
        build=build,
        pool=pool,
        check_hosts=check_hosts,
        num=num,
        file_bugs=file_bugs,
        timeout=timeout,
        timeout_mins=timeout_mins,
        priority=priority,
        suite_args=suite_args,
        wait_for_results=wait_for_results,
        job_retry=job_retry,
        max_retries=max_retries,
        max_runtime_mins=max_runtime_mins,
        suite_min_duts=suite_min_duts,
        offload_failures_only=offload_failures_only,
        builds=builds,
        test_source_build=test_source_build,
        child_dependencies=child_dependencies,
        job_keyvals=job_keyvals,
        test_args=test_args,
        owner=owner or login(),
        control_file=control_file,
        run_prod_code=run_prod_code,
        delay_minutes=delay_minutes,
        is_cloning=is_cloning,
    )
    asked = api_arguments.asked(request)
    with _session() as here:
        job_id, woken = suites.create(asked, here.settings, database.utc_now())
    _publish(woken)
    return job_id


def create_job(
    name: str,
    control_file: str,
    control_type: str = "client",
    hosts: Sequence[str] = (),
    meta_hosts: Sequence[str] = (),
    dependencies: Sequence[str] = (),
    priority: int | str = Priority.DEFAULT,
    timeout_mins: int | None = None,
    max_runtime_mins: int | None = None,
    run_verify: bool = True,
    keyvals: Mapping[str, str] | None = None,
    build: str = "",
    owner: str | None = None,
    synch_count: int = 0,
) -> int:
    """Create a job that runs the text *control_file* (``client`` or ``server`` side) once on each host of *hosts*, once
    on any host with each label of *meta_hosts*, or once on any host with all *dependencies*. Returns its id.

    With *synch_count* of two or more, so many of these hosts run it together, once. The tests that it calls come from
    the *build*, which is staged first. Raises ValidationError, NotFound for unknown hosts, NoEligibleHost when no host
    carries the labels, StageBuildFailure when the build cannot be staged.
    """
    side = str(control_type).upper()
    if side not in ControlType.__members__:
        raise errors.ValidationError({"control_type": f"{control_type!r} is neither client nor server"})
    with _session() as here:
        if build:
            builds.stage(here.settings, build)
        spec = JobSpec(
            name=api_arguments.job_name(name),
            control_file=control_file,
            control_type=ControlType[side],
            owner=owner or login(),
            priority=api_arguments.priority_number(priority),
            hosts=tuple(hosts),
            meta_hosts=tuple(meta_hosts),
            dependencies=tuple(dependencies),
            keyvals={**(keyvals or {}), **({"build": build} if build else {})},
            timeout_mins=here.settings.job_timeout_mins if timeout_mins is None else timeout_mins,
            max_runtime_mins=here.settings.job_max_runtime_mins if max_runtime_mins is None else max_runtime_mins,
            run_verify=run_verify,
            synch_count=synch_count,
        )
        job_id, woken = jobs.create(spec, database.utc_now())
    _publish(woken)
    return job_id


def abort_jobs(ids: Iterable[int], by: str | None = None, reason: str = "") -> list[int]:
    """Abort these jobs and, for suites, their children. What has ended, or was aborted before, is left alone.

    Returns the ids of the entries that this call aborted. Raises NotFound, naming each unknown job; then none is.
    """
    who = by or login()
    with _session():
        aborted, woken = entries.abort(
            listing.entry_ids(set(ids)), who, reason or f"aborted by {who}", database.utc_now()
        )
    _publish(woken)
    return aborted


def abortable(ids: Iterable[int]) -> list[dict[str, Any]]:
    """The entries that abort_jobs would end: id, job_id, name, status, hostname. Raises NotFound for unknown jobs."""
    wanted = set(ids)
    with _session():
        listing.entry_ids(wanted)
        return listing.unfinished(sorted(wanted))


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
    with _session():
        if not summary.is_suite(job_id):
            raise errors.NotFound(f"job {job_id} is not a suite; see: autotest job show {job_id}")
        return summary.of_suite(job_id)


def explain_test_na(job_id: int, test: str, most: int = 10) -> dict[str, Any]:
    """Why a suite has no job for one test of its build, host by host; see scheduler.suites.explain. Raises NotFound."""
    with _session() as here:
        return suites.explain(job_id, test, here.settings, most)


def list_suites(
    limit: int = _PAGE, before: int | None = None, owner: str | None = None, status: str | None = None
) -> list[dict[str, Any]]:
    """Suites, newest first, below the id *before*; see scheduler.listing.suites."""
    with _session():
        return listing.suites(limit, before, owner, status)


def list_jobs(
    limit: int = _PAGE,
    before: int | None = None,
    owner: str | None = None,
    status: str | None = None,
    parent: int | None = None,
) -> list[dict[str, Any]]:
    """Jobs that are not suites, newest first, below the id *before*; see scheduler.listing.jobs."""
    with _session():
        return listing.jobs(limit, before, owner, status, parent)


def show_job(job_id: int) -> dict[str, Any]:
    """One job; each entry that waits says for what, and why it has no host yet. Raises NotFound."""
    with _session() as here:
        return listing.job(job_id, database.utc_now(), _dead_after(here), floor.reason(here.settings))


def list_hosts(
    limit: int = 10_000,
    after: str | None = None,
    labels: Collection[str] = (),
    status: str | None = None,
    lab: str | None = None,
    locked: bool | None = None,
) -> list[dict[str, Any]]:
    """Hosts that carry all *labels*, in order of name, behind the name *after*; see scheduler.listing.host_list."""
    with _session() as here:
        return listing.host_list(database.utc_now(), _dead_after(here), limit, after, labels, status, lab, locked)


def show_host(hostname: str) -> dict[str, Any]:
    """One host with its lock, lease and tasks; see scheduler.listing.host. Raises NotFound."""
    with _session() as here:
        return listing.host(hostname, database.utc_now(), _dead_after(here))


def list_queues() -> list[dict[str, Any]]:
    """Label queues that hold entries, and why one is not served; *depth* is how many messages the broker holds, None
    when it does not answer."""
    with _session() as here:
        found = listing.queues(database.utc_now(), _dead_after(here), floor.reason(here.settings))
    names = [wakes.label_queue(row["key"]) for row in found]
    depths: dict[str, int] = {}
    try:
        depths = broker.depths(names, here.celery) if names else {}
    except (errors.BrokerUnreachable, ValueError) as problem:
        address = settings.shown(str(here.celery.conf.broker_url))
        _log.warning("queue depths are not known, for the broker %s: %s", address, problem)
    return [{**row, "depth": depths.get(name)} for row, name in zip(found, names, strict=True)]


def lock_host(hostname: str, reason: str, by: str | None = None) -> None:
    """Keep new work off a host; what runs there goes on. Raises NotFound, HostBusy if it is locked, ValidationError
    without a reason."""
    with _session():
        hosts.lock(hostname, by or login(), reason, database.utc_now())


def unlock_host(hostname: str) -> None:
    """Let a host take work again. Raises NotFound, ValidationError when it is not locked."""
    with _session():
        woken = hosts.unlock(hostname)
    _publish(woken)


def verify_host(hostname: str, by: str | None = None) -> int:
    """Ask for a Verify of a host as soon as it is free. Returns the task's id. Raises NotFound."""
    with _session():
        return hosts.request_task(hostname, TaskKind.VERIFY, by or login())


def repair_host(hostname: str, by: str | None = None) -> int:
    """Ask for a Repair of a host as soon as it is free. Returns the task's id. Raises NotFound."""
    with _session():
        return hosts.request_task(hostname, TaskKind.REPAIR, by or login())


def add_host(
    hostname: str,
    labels: Iterable[str] = (),
    attributes: Mapping[str, str] | None = None,
    platform: str | None = None,
    protection: int = 0,
    lab: str | None = None,
) -> None:
    """Put a host into the inventory; *lab* is the one whose worker reaches it, *attributes* say how (host_info.py).

    Raises ValidationError when the arguments do not fit or the host is there, NotFound for an unknown lab.
    """
    info = api_arguments.host_info(hostname, labels, attributes or {}, platform, protection)
    with _session(), database.transaction():
        row = labs.named(lab) if lab is not None else None
        if _is_there(info):
            raise errors.ValidationError(
                {"hostname": f"{hostname} is there already; see: autotest host show {hostname}"}
            )
        woken = hosts.freed([hosts.put(info, row).id])
    _publish(woken)


def list_labs() -> list[dict[str, Any]]:
    """Every lab, who serves it, and whether it is drained; see scheduler.labs.rows."""
    with _session() as here:
        return labs.rows(database.utc_now(), _dead_after(here))


def lab_work(name: str) -> list[dict[str, Any]]:
    """The hosts of a lab that are at work, and for which job; see scheduler.labs.work. Raises NotFound."""
    with _session():
        return labs.work(name)


def drain_lab(name: str, reason: str = "", by: str | None = None) -> None:
    """Keep new work off a whole lab; what runs there goes on. Raises NotFound, LabBusy if somebody else drained it."""
    with _session():
        labs.drain(name, by or login(), reason)


def undrain_lab(name: str) -> None:
    """Let a lab take work again. Raises NotFound, ValidationError when it is not drained."""
    with _session():
        woken = labs.undrain(name)
    _publish(woken)


def login() -> str:
    """The login name of whoever calls, for jobs and locks that name nobody."""
    try:
        return getpass.getuser()
    except (KeyError, OSError) as problem:
        raise errors.ValidationError({"owner": "this process has no login name; say who it acts for"}) from problem


def results_dir() -> str:
    """Where the results folders of this installation lie."""
    return str(_installed().settings.results_dir)


def suite_report(
    suite_names: Collection[str] = (),
    builds: Collection[str] = (),
    boards: Collection[str] = (),
    since: datetime.timedelta | None = None,
    test_na: bool = False,
    limit: int = _PAGE,
) -> dict[str, Any]:
    """The latest result of each test by build and board, from the newest *limit* suites: *suites* (the jobs), *tables*
    (one for each suite's name; see results.build_report), *more* (whether older suites were left out)."""
    begin = None if since is None else database.utc_now() - since
    with _session():
        return build_report.report(limit, suite_names, builds, boards, begin, test_na)


def find_suites(
    suite_names: Collection[str] = (),
    builds: Collection[str] = (),
    boards: Collection[str] = (),
    since: datetime.timedelta | None = None,
    limit: int = _PAGE,
) -> list[dict[str, Any]]:
    """The newest *limit* suites of these names, builds and boards (none given: any); see results.build_report.find."""
    begin = None if since is None else database.utc_now() - since
    with _session():
        return build_report.find(limit, suite_names, builds, boards, begin)


def starvation(
    since: datetime.timedelta = datetime.timedelta(hours=24), patience: datetime.timedelta = datetime.timedelta(hours=1)
) -> dict[str, Any]:
    """What was tried in the last *since*, by label set, and what of it had no machine for *patience*; see
    scheduler.starving."""
    with _session() as here:
        return starving.report(database.utc_now(), since, patience, _dead_after(here))


def machines(needed: Collection[str]) -> list[dict[str, Any]]:
    """The hosts that could serve jobs which need these labels, as list_hosts shows them; labels that ask for an action
    or a version restrict nothing."""
    return list_hosts(labels=labels.deciding(needed))


def prioritize_jobs(ids: Collection[int], priority: int | str) -> list[dict[str, Any]]:
    """Give these jobs, and the unfinished jobs of suites among them, another priority, by name or number.

    Returns the jobs that had not ended: id, name. Raises NotFound, naming each unknown job, and ValidationError; then
    nothing is changed.
    """
    number = api_arguments.priority_number(priority)
    with _session():
        listing.entry_ids(set(ids))
        names = {row["job_id"]: row["name"] for row in listing.unfinished(sorted(set(ids)))}
        woken = [wake for job_id in sorted(names) for wake in jobs.reprioritize(job_id, number)]
    _publish(woken)
    return [{"id": job_id, "name": name} for job_id, name in sorted(names.items())]


def _is_there(info: HostInfo) -> bool:
    try:
        hosts.named(info.hostname)
    except errors.NotFound:
        return False
    return True


def _installed() -> _Installation:
    global _bound
    with _binding:
        if _bound is None:
            _bound = _installation(settings.load(), None)
        return _bound


def _installation(config: Settings, celery: Celery | None) -> _Installation:
    database.connect(config.database_url)
    database.wait_until_reachable(PATIENCE)
    with database.connection():
        schema.require_current()
    if celery is None:
        same = str(broker.app.conf.broker_url) == config.broker
        celery = broker.app if same else broker.make_app(config)
    return _Installation(config, celery)


@contextlib.contextmanager
def _session() -> Iterator[_Installation]:
    """A connection for one call; a database that does not answer at once is tried again for PATIENCE seconds."""
    here = _installed()
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(database.connection())
        except errors.DatabaseUnreachable:
            database.wait_until_reachable(PATIENCE)
            stack.enter_context(database.connection())
        yield here


def _publish(woken: Iterable[Wake]) -> None:
    try:
        broker.publish(woken, _installed().celery)
    except errors.BrokerUnreachable as problem:
        _log.warning("%s; what was asked is written down, and the sweep wakes the workers later", problem)


def _dead_after(here: _Installation) -> float:
    return _BEATS * here.settings.beat_every
