"""Suites: a job without a host, whose children are found in the build's control files when it runs.

The suite's entry goes Queued, Starting, Running when its children are created (one transaction), and Parsing when the
last of them ended (one conditional UPDATE decides who says so).
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping, Sequence

from autotest import errors
from autotest.control_file import ControlFile
from autotest.models.afe import Host, HostQueueEntry, Job, JobKeyval
from autotest.models.database import retried, transaction
from autotest.scheduler import builds, entries, jobs, labels, suite_folder, users, wakes
from autotest.scheduler.jobs import JobSpec
from autotest.scheduler.suite_folder import Scheduled, Skipped
from autotest.scheduler.wakes import Wake
from autotest.settings import Settings
from autotest.states import ControlType, EntryStatus, HostStatus, Outcome

_DEAD = (HostStatus.REPAIR_FAILED.value, HostStatus.REPAIRING.value, HostStatus.VERIFYING.value)


@dataclasses.dataclass(frozen=True)
class SuiteSpec:
    """One suite for one build on one board. Limits in minutes; *args* reach the suite's control file as data."""

    name: str
    board: str
    build: str
    owner: str
    priority: int
    pool: str = ""
    check_hosts: bool = True
    num: int | None = None
    file_bugs: bool = False
    timeout_mins: int = 1440
    max_runtime_mins: int = 1440
    wait_for_results: bool = True
    child_dependencies: Sequence[str] = ()
    keyvals: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def place(self) -> list[str]:
        """The labels that every child needs."""
        pool = [f"pool:{self.pool}"] if self.pool else []
        return [f"board:{self.board}", *pool, *self.child_dependencies]


@retried
def create(spec: SuiteSpec, settings: Settings, now: datetime.datetime) -> tuple[int, list[Wake]]:
    """Check *spec* and write the suite job with its keyvals. Returns its id and its wake.

    Raises StageBuildFailure, NoControlFileList, ControlFileNotFound, ControlFileEmpty, ControlFileMalformed,
    ValidationError, and NoEligibleHost when check_hosts finds no live host of the board and pool.
    """
    if not spec.name or "/" in spec.name:
        raise errors.ValidationError({"suite_name": f"{spec.name!r} is not the name of a suite"})
    text = builds.suite_control(settings.builds_dir, spec.build, spec.name)
    keyvals = {
        **spec.keyvals,
        "build": spec.build,
        "suite": spec.name,
        "board": spec.board,
        "pool": spec.pool,
        "child_dependencies": ",".join(spec.child_dependencies),
        "wait_for_results": str(spec.wait_for_results),
        "file_bugs": str(spec.file_bugs),
        **({"num": str(spec.num)} if spec.num is not None else {}),
    }
    name = f"{spec.build}-test_suites/control.{spec.name}"
    problems = {**jobs.check_keyvals(keyvals), **jobs.check_name(name), **users.check_login(spec.owner)}
    if min(spec.timeout_mins, spec.max_runtime_mins) < 1:
        problems["timeout_mins"] = "limits are at least one minute"
    if problems:
        raise errors.ValidationError(problems)
    with transaction():
        if spec.check_hosts:
            _check_hosts(spec)
        job = jobs.insert(
            JobSpec(
                name=name,
                control_file=text,
                control_type=ControlType.SERVER,
                owner=spec.owner,
                priority=spec.priority,
                keyvals=keyvals,
                timeout_mins=spec.timeout_mins,
                max_runtime_mins=spec.max_runtime_mins,
            ),
            now,
        )
        HostQueueEntry.create(job=job, priority=job.priority, execution_subdir="hostless", due_at=now + _due(settings))
        return job.id, [jobs.suite_wake(job)]


@retried
def fan_out(job_id: int, settings: Settings, now: datetime.datetime) -> list[Wake]:
    """Create the children of a queued suite, or write down why there are none. Returns the wakes of the children.

    Delivered twice, the second does nothing.
    """
    entry = HostQueueEntry.get_or_none(HostQueueEntry.job == job_id)
    if entry is None or entry.status != EntryStatus.QUEUED.value or entry.aborted:
        return []
    job = entry.job
    spec = _spec_of(job)
    folder = suite_folder.place(settings.results_dir, job)
    try:
        shelf = builds.tests(settings.builds_dir, spec.build)
    except errors.RequestError as problem:
        return _cannot_schedule(entry, spec.name, str(problem), settings, now)
    members = [test for test in shelf.tests if spec.name in test.suite_tag_parts]
    if not members:
        return _cannot_schedule(entry, spec.name, _no_members(spec.name, shelf), settings, now)
    with transaction():
        moved = entries.advance(entry.id, EntryStatus.QUEUED, EntryStatus.STARTING, started_on=now) and entries.advance(
            entry.id, EntryStatus.STARTING, EntryStatus.RUNNING
        )
        if not moved:
            return []
        skipped, woken, children = _create_children(job, spec, members, now)
        skipped += [Skipped(bad.path, Outcome.WARN.value, bad.reason) for bad in shelf.unreadable]
        scheduled = Scheduled(spec.name, int(now.timestamp()), tuple(skipped), tuple(children))
        suite_folder.begin(folder, job, scheduled)
        if not spec.wait_for_results or not children:
            woken.append(wakes.suite_ended(job.id, f"end of suite job {job.id}"))
    return woken


@retried
def finish(job_id: int, settings: Settings, now: datetime.datetime) -> list[Wake]:
    """Write the suite's folder once its last child ended (or it does not wait for them), and send it to the parser.

    Delivered twice, the second does nothing.
    """
    entry = HostQueueEntry.get_or_none(HostQueueEntry.job == job_id)
    if entry is None or entry.status != EntryStatus.RUNNING.value:
        return []
    job = entry.job
    waits = _spec_of(job).wait_for_results
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


def _cannot_schedule(
    entry: HostQueueEntry, suite: str, reason: str, settings: Settings, now: datetime.datetime
) -> list[Wake]:
    folder = suite_folder.place(settings.results_dir, entry.job)
    with transaction():
        moved = entries.advance(entry.id, EntryStatus.QUEUED, EntryStatus.STARTING, started_on=now) and entries.advance(
            entry.id, EntryStatus.STARTING, EntryStatus.RUNNING
        )
        if not moved:
            return []
        skipped = (Skipped(suite, Outcome.FAIL.value, f"Exception while scheduling suite: {reason}"),)
        suite_folder.begin(folder, entry.job, Scheduled(suite, int(now.timestamp()), skipped, ()))
        suite_folder.finish(folder, entry.job, now, exit_status=1)
        due_at = now + _due(settings)
        entries.advance(
            entry.id, EntryStatus.RUNNING, EntryStatus.PARSING, finished_on=now, due_at=due_at, reason=reason
        )
    return [wakes.parse_due(None, entry.id, f"suite {entry.job.name}, job {entry.job_id}")]


def _create_children(
    job: Job, spec: SuiteSpec, members: list[ControlFile], now: datetime.datetime
) -> tuple[list[Skipped], list[Wake], list[tuple[str, int]]]:
    carried = list(set(labels.of_hosts().values()))
    skipped: list[Skipped] = []
    names: list[str] = []
    specs: list[JobSpec] = []
    for test in members:
        dependencies = sorted({*test.dependencies, *spec.place, f"version:{spec.build}"})
        name = test.name or test.path
        job_name = f"{spec.build}/{spec.name}/{name}"
        unfit = "; ".join(jobs.check_name(job_name).values())
        if unfit:
            skipped.append(Skipped(name, Outcome.WARN.value, unfit))
            continue
        reason = _not_supported(test, dependencies, carried, spec)
        if reason:
            skipped.append(Skipped(name, Outcome.TEST_NA.value, reason))
            continue
        names.append(name)
        specs.append(_child(job, spec, test, job_name, dependencies))
    made = jobs.insert_children(job, specs, now)
    children = [(name, child_id) for name, (child_id, _) in zip(names, made, strict=True)]
    return skipped, [wake for _, wake in made], children


def _child(job: Job, spec: SuiteSpec, test: ControlFile, job_name: str, dependencies: Sequence[str]) -> JobSpec:
    return JobSpec(
        name=job_name,
        control_file=test.text,
        control_type=ControlType.SERVER if test.is_server_side else ControlType.CLIENT,
        owner=job.owner or "",
        priority=job.priority,
        meta_hosts=[f"board:{spec.board}"],
        dependencies=dependencies,
        keyvals={
            "build": spec.build,
            "suite": spec.name,
            "experimental": str(test.experimental),
            "parent_job_id": str(job.id),
        },
        timeout_mins=spec.timeout_mins,
        max_runtime_mins=spec.max_runtime_mins,
        run_verify=test.run_verify,
        parent_job_id=job.id,
    )


def _not_supported(
    test: ControlFile, dependencies: Sequence[str], carried: Sequence[frozenset[str]], spec: SuiteSpec
) -> str:
    """Why no host of the inventory could ever run *test*; '' when one could. Status, locks and leases do not count."""
    if test.sync_count > 1:
        return f"Skipping: needs {test.sync_count} machines at once, and this version leases one"
    needed = labels.deciding(dependencies)
    if any(needed <= names for names in carried):
        return ""
    place = labels.deciding(spec.place)
    there = [names for names in carried if place <= names]
    missing = sorted(label for label in needed if not any(label in names for names in there))
    lacks = ", ".join(missing) or " and ".join(sorted(needed - place)) + " together"
    return f"Skipping: test not supported on this board/pool: no host of {', '.join(sorted(place))} carries {lacks}"


def _no_members(suite: str, shelf: builds.Shelf) -> str:
    known = sorted({part for test in shelf.tests for part in test.suite_tag_parts})
    broken = f"; {len(shelf.unreadable)} control files do not parse" if shelf.unreadable else ""
    return f"no control file is in suite {suite}; suites of this build: {', '.join(known) or 'none'}{broken}"


def _check_hosts(spec: SuiteSpec) -> None:
    carried = labels.of_hosts()
    place = labels.deciding(spec.place)
    fitting = [host_id for host_id, names in carried.items() if place <= names]
    if not fitting:
        known = {name for names in carried.values() for name in names}
        unknown = [name for name in sorted(place) if name not in known]
        near = {name: ", ".join(labels.nearest(name)) or "none" for name in unknown}
        problems = {
            "board" if name.startswith("board:") else "pool" if name.startswith("pool:") else "child_dependencies": (
                f'no host carries "{name}"; nearest: {close}'
            )
            for name, close in near.items()
        }
        raise errors.NoEligibleHost(problems or {"check_hosts": f"no host carries {', '.join(sorted(place))} together"})
    live = Host.select().where(
        Host.id.in_(fitting),
        Host.locked == False,  # noqa: E712 - an SQL expression
        Host.status.not_in(_DEAD),
    )
    if not live.exists():
        raise errors.NoEligibleHost(
            {
                "check_hosts": f"all {len(fitting)} hosts with {', '.join(sorted(place))} are locked or broken; "
                "see: autotest host list"
            }
        )


def _spec_of(job: Job) -> SuiteSpec:
    keyvals = dict(JobKeyval.select(JobKeyval.key, JobKeyval.value).where(JobKeyval.job == job.id).tuples())
    return SuiteSpec(
        name=keyvals.get("suite", ""),
        board=keyvals.get("board", ""),
        build=keyvals.get("build", ""),
        pool=keyvals.get("pool", ""),
        owner=job.owner or "",
        priority=job.priority,
        timeout_mins=job.timeout_mins,
        max_runtime_mins=job.max_runtime_mins,
        wait_for_results=keyvals.get("wait_for_results", "True") == "True",
        child_dependencies=tuple(filter(None, keyvals.get("child_dependencies", "").split(","))),
    )


def _due(settings: Settings) -> datetime.timedelta:
    return datetime.timedelta(seconds=settings.step_due)
