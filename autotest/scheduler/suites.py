"""Suites: a job without a host, whose children are found in the build's control files when it runs.

The suite's entry goes Queued, Starting, Running when its children are created (one transaction), and Parsing when the
last of them ended (one conditional UPDATE decides who says so) or the suite's time is over.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import difflib
import logging
from pathlib import Path
from typing import Any, NamedTuple

import peewee

from autotest import errors, plurals
from autotest.models.afe import HostQueueEntry, Job, JobKeyval
from autotest.models.database import retried, transaction, utc_now
from autotest.scheduler import (
    builds,
    entries,
    jobs,
    suite_children,
    suite_folder,
    suite_hosts,
    suite_request,
    suite_retries,
    users,
    wakes,
)
from autotest.scheduler.jobs import JobSpec
from autotest.scheduler.suite_folder import Scheduled, Skipped
from autotest.scheduler.suite_request import Asked
from autotest.scheduler.wakes import Wake
from autotest.settings import Settings
from autotest.states import ControlType, EntryStatus, Outcome
from autotest.suite import runner
from autotest.suite.runner import Decision
from autotest.suite.spec import SuiteSpec

#: How times stand in keyvals (results-and-tko.md section 7).
_TIME = "%Y-%m-%d %H:%M:%S"
_NEAR = 10

logger = logging.getLogger(__name__)


def create(asked: Asked, settings: Settings, now: datetime.datetime) -> tuple[int, list[Wake]]:
    """Check what is asked for and write the suite job with its keyvals. Returns its id and its wake; one that begins
    later has none, and is found by upkeep when it is due.

    Raises StageBuildFailure, NoControlFileList, ControlFileNotFound, ControlFileEmpty, ControlFileMalformed,
    ValidationError, and NoEligibleHost when check_hosts finds too few live hosts of the suite's labels.
    """
    spec = _with_newest_builds(asked.spec, settings)
    if not spec.name or "/" in spec.name:
        raise errors.ValidationError({"suite_name": f"{spec.name!r} is not the name of a suite"})
    started = utc_now()
    tree = _tree(spec, settings)
    keyvals = _keyvals(spec)
    if not spec.run_prod_code:
        keyvals["download_started_time"] = f"{started:{_TIME}}"
        keyvals["payload_finished_time"] = f"{utc_now():{_TIME}}"
    text = asked.control_file or builds.suite_control(*tree, spec.name)
    name = f"{spec.build}-test_suites/control.{spec.name}"
    of_job = {"job_keyvals": jobs.check_keyvals(keyvals), "suite_name": jobs.check_name(name)}
    problems = {
        **{argument: "; ".join(found.values()) for argument, found in of_job.items() if found},
        **users.check_login(spec.owner),
        **_limits(spec),
    }
    if problems:
        raise errors.ValidationError(problems)
    suite_children.check_keyvals(spec)
    if spec.check_hosts:
        suite_hosts.inventory().check(spec.place, max(1, spec.suite_min_duts))
    job = JobSpec(
        name=name,
        control_file=text,
        control_type=ControlType.SERVER,
        owner=spec.owner,
        priority=spec.priority,
        keyvals=keyvals,
        timeout_mins=spec.timeout_mins,
        max_runtime_mins=spec.max_runtime_mins,
    )
    return _write(job, dataclasses.replace(asked, spec=spec), settings, now)


@retried
def _write(spec: JobSpec, asked: Asked, settings: Settings, now: datetime.datetime) -> tuple[int, list[Wake]]:
    delay = datetime.timedelta(minutes=asked.spec.delay_minutes)
    begins_at = now + delay if delay else None
    with transaction():
        job = jobs.insert(spec, now)
        suite_request.keep(job, asked, begins_at)
        due_at = begins_at or now + _due(settings)
        HostQueueEntry.create(job=job, priority=job.priority, execution_subdir="hostless", due_at=due_at)
        return job.id, [] if delay else [jobs.suite_wake(job)]


@retried
def fan_out(job_id: int, settings: Settings, now: datetime.datetime) -> list[Wake]:
    """Create the children of a queued suite, or write down why there are none. Returns the wakes of the children.

    Does nothing before the suite's delay is over. Delivered twice, the second does nothing.
    """
    entry = HostQueueEntry.get_or_none(HostQueueEntry.job == job_id)
    if entry is None or entry.status != EntryStatus.QUEUED.value or entry.aborted:
        return []
    begins_at = suite_request.begins_at(job_id)
    if begins_at is not None and now < begins_at:
        return []
    job = entry.job
    plan = _plan(job, settings)
    if isinstance(plan, str):
        return _cannot_schedule(entry, plan, settings, now)
    spec = plan.decision.spec
    folder = suite_folder.place(settings.results_dir, job)
    with transaction():
        if not _begun(entry, now):
            return []
        suite_request.decide(job.id, spec)
        _overrule(job, spec)
        made = suite_children.make(job, spec, plan.decision.members, now)
        suite_retries.watch(spec, [(child.job_id, child.test.job_retries) for child in made.children])
        skipped = [*made.skipped, *(Skipped(bad.path, Outcome.WARN.value, bad.reason) for bad in plan.shelf.unreadable)]
        scheduled = Scheduled(
            spec.name,
            int(now.timestamp()),
            tuple(skipped),
            tuple((child.name, child.job_id) for child in made.children),
            tuple(plan.decision.notes),
            f"{now:{_TIME}}",
        )
        suite_folder.begin(folder, job, scheduled)
    if not spec.wait_for_results or not made.children:
        made.wakes.append(wakes.suite_ended(job.id, f"end of suite job {job.id}"))
    return made.wakes


@retried
def finish(job_id: int, settings: Settings, now: datetime.datetime) -> list[Wake]:
    """Write the suite's folder once its last child ended, it does not wait for them, or its time is over; and send it
    to the parser.

    Delivered twice, the second does nothing.
    """
    entry = HostQueueEntry.get_or_none(HostQueueEntry.job == job_id)
    if entry is None or entry.status != EntryStatus.RUNNING.value:
        return []
    job = entry.job
    spec = suite_request.spec_of(job_id)
    waits = (spec is None or spec.wait_for_results) and not (entry.aborted and _over(job, now))
    if waits and entries.children_left(job_id):
        return []
    folder = suite_folder.place(settings.results_dir, job)
    with transaction():
        moved = entries.advance(
            entry.id,
            EntryStatus.RUNNING,
            EntryStatus.PARSING,
            finished_on=now,
            due_at=now + _due(settings),
            succeeded=True,
        )
        if not moved:
            return []
        suite_folder.finish(folder, job, now)
    return [wakes.parse_due(None, entry.id, f"suite {job.name}, job {job.id}")]


def explain(job_id: int, test: str, settings: Settings, most: int) -> dict[str, Any]:
    """Why the suite has no job for the test called *test*, host by host: *needs* (labels), *sync_count* (machines),
    *reason* ('' when hosts could run it now), *hosts* (the *most* nearest ones: *hostname*, *lacks*).

    Raises NotFound for a job that is no suite, or whose build has no such test, with near names.
    """
    spec = suite_request.spec_of(job_id)
    if spec is None:
        raise errors.NotFound(f"job {job_id} is no suite, or an older version made it; see: autotest suite list")
    known = {each.name or each.path: each for each in _shelf(spec, settings).tests}
    if test not in known:
        near = ", ".join(difflib.get_close_matches(test, known, n=_NEAR, cutoff=0.4)) or "none"
        raise errors.NotFound(f"build {spec.build} has no test {test!r}; nearest: {near}")
    needs, sync_count = spec.needs(known[test]), known[test].sync_count
    inventory = suite_hosts.inventory()
    return {
        "test": test,
        "needs": needs,
        "sync_count": sync_count,
        "reason": suite_children.unsupported(spec, known[test], inventory),
        "hosts": [{"hostname": lack.hostname, "lacks": list(lack.labels)} for lack in inventory.lacks(needs)[:most]],
    }


class _Plan(NamedTuple):
    """What a suite is going to do: its spec and members, and what else was found beside them."""

    decision: Decision
    shelf: builds.Shelf


def _plan(job: Job, settings: Settings) -> _Plan | str:
    """The children that the suite's file decides on, or why there are none. Raises only what passes by itself."""
    try:
        asked = suite_request.asked(job.id)
        shelf = _shelf(asked.spec, settings)
        path = f"test_suites/control.{asked.spec.name}"
        decision = runner.decide(job.control_file or "", path, asked.spec.arguments(asked.suite_args), shelf.tests)
        decision = decision._replace(spec=_with_newest_builds(decision.spec, settings))
    except (errors.LabError, peewee.PeeweeException):
        raise
    except errors.AutotestError as problem:
        return str(problem)
    except Exception as problem:
        logger.exception("suite job %s cannot be scheduled", job.id)
        return f"{type(problem).__name__}: {problem}"
    if not decision.members:
        count = plurals.counted(len(shelf.unreadable), "control file does not parse", "control files do not parse")
        broken = f"; {count}" if shelf.unreadable else ""
        # The last of the notes says why.
        return decision.notes[-1] + broken
    return _Plan(decision, shelf)


def _cannot_schedule(entry: HostQueueEntry, reason: str, settings: Settings, now: datetime.datetime) -> list[Wake]:
    folder = suite_folder.place(settings.results_dir, entry.job)
    suite = JobKeyval.get_or_none(JobKeyval.job == entry.job_id, JobKeyval.key == "suite")
    name = suite.value if suite is not None else entry.job.name
    with transaction():
        if not _begun(entry, now):
            return []
        skipped = (Skipped(name, Outcome.FAIL.value, f"Exception while scheduling suite: {reason}"),)
        suite_folder.begin(folder, entry.job, Scheduled(name, int(now.timestamp()), skipped, ()))
        suite_folder.finish(folder, entry.job, now, exit_status=1)
        due_at = now + _due(settings)
        entries.advance(
            entry.id, EntryStatus.RUNNING, EntryStatus.PARSING, finished_on=now, due_at=due_at, reason=reason
        )
    return [wakes.parse_due(None, entry.id, f"suite {entry.job.name}, job {entry.job_id}")]


def _begun(entry: HostQueueEntry, now: datetime.datetime) -> bool:
    """Compare and set: of all deliveries, one brings the suite to Running."""
    return entries.advance(entry.id, EntryStatus.QUEUED, EntryStatus.STARTING, started_on=now) and entries.advance(
        entry.id, EntryStatus.STARTING, EntryStatus.RUNNING
    )


def _tree(spec: SuiteSpec, settings: Settings) -> tuple[Path, str]:
    """The folder that holds the suite's control files, staged, as builds root and build."""
    if not spec.run_prod_code:
        builds.stage(settings, spec.build)
        return settings.builds_dir, spec.build
    if not settings.prod_tree:
        raise errors.ValidationError({"run_prod_code": "this installation has no tests of its own; set prod_tree"})
    tree = Path(settings.prod_tree).expanduser().absolute()
    return tree.parent, tree.name


def _shelf(spec: SuiteSpec, settings: Settings) -> builds.Shelf:
    """The tests of the suite's build; what was read once is remembered where this process may write."""
    cache = settings.root_dir / "cache"
    with contextlib.suppress(OSError):
        cache.mkdir(parents=True, exist_ok=True)
    return builds.tests(*_tree(spec, settings), cache if cache.is_dir() else None)


def _with_newest_builds(spec: SuiteSpec, settings: Settings) -> SuiteSpec:
    """*spec* with a build's own name for each ``<target>/LATEST``, the same one wherever it stands."""
    names = {build: builds.newest(settings, build) for build in {*spec.builds.values(), spec.test_source_build}}
    return dataclasses.replace(
        spec,
        builds={prefix: names[build] for prefix, build in spec.builds.items()},
        test_source_build=names[spec.test_source_build],
    )


def _keyvals(spec: SuiteSpec) -> dict[str, str]:
    return {
        **{key: str(value) for key, value in spec.job_keyvals.items()},
        "build": spec.build,
        "suite": spec.name,
        "board": spec.board,
        "pool": spec.pool,
        "suite_min_duts": str(spec.suite_min_duts),
        **({"num": str(spec.num)} if spec.num is not None else {}),
        **({"offload_failures_only": "True"} if spec.offload_failures_only else {}),
    }


def _overrule(job: Job, spec: SuiteSpec) -> None:
    """Let what the suite file says of machines go before what the caller asked for. Runs inside a transaction."""
    wanted = {"suite_min_duts": str(spec.suite_min_duts), **({"num": str(spec.num)} if spec.num is not None else {})}
    known = dict(JobKeyval.select(JobKeyval.key, JobKeyval.value).where(JobKeyval.job == job.id).tuples())
    for key, value in wanted.items():
        if known.get(key) != value:
            JobKeyval.delete().where(JobKeyval.job == job.id, JobKeyval.key == key).execute()
            JobKeyval.create(job=job, key=key, value=value)


def _limits(spec: SuiteSpec) -> dict[str, str]:
    if min(spec.timeout_mins, spec.max_runtime_mins) < 1:
        return {"timeout_mins": "limits are at least one minute"}
    if spec.delay_minutes >= spec.timeout_mins:
        return {"delay_minutes": f"the suite would be over before it begins, after {spec.timeout_mins} minutes"}
    if spec.num is not None and spec.num < spec.suite_min_duts:
        most = plurals.counted(spec.num, "machine at most is", "machines at most are")
        return {"num": f"{most} fewer than suite_min_duts, {spec.suite_min_duts}"}
    return {}


def _over(job: Job, now: datetime.datetime) -> bool:
    created: datetime.datetime = job.created_on
    return now >= created + datetime.timedelta(minutes=job.timeout_mins)


def _due(settings: Settings) -> datetime.timedelta:
    return datetime.timedelta(seconds=settings.step_due)
