"""Steps: what a lease does now, and what follows when it is done (afe-scheduler-and-rpc.md sections 2.3 to 2.7).

This version goes Provision or Verify, then run_test, then parse; the tail of run_test is Gathering. A failed step is
followed by a Repair of the host under the same lease, while the entry goes back to its queue.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from peewee import JOIN

from autotest import plurals, states
from autotest.host_info import HostInfo
from autotest.job_file import JobFile, StepOutcome
from autotest.models import rows
from autotest.models.afe import SYSTEM_USER, Host, HostQueueEntry, Job, JobKeyval, SpecialTask, User
from autotest.models.database import retried, transaction
from autotest.models.lab import Lab, Lease
from autotest.models.prepared import Prepared
from autotest.models.rows import Joined
from autotest.scheduler import builds, entries, groups, hosts, labels, leases, retreat, suite_request
from autotest.scheduler.groups import Member
from autotest.scheduler.wakes import Wake
from autotest.settings import Settings
from autotest.states import ControlType, EntryStatus, HostStatus, Protection, Step, TaskKind


@dataclasses.dataclass(frozen=True)
class Work:
    """One step that may begin: *folder* (below the results root) gets *job_file* and *keyvals*; the tests of *build*,
    if it names one, have to be here first."""

    token: int
    step: Step
    folder: Path
    job_file: JobFile
    keyvals: dict[str, str | int]
    build: str = ""


class Ended(NamedTuple):
    """How the child of a step ended: *cause* is ended, deadline, killed or lost; *outcome* is what it left."""

    cause: str
    outcome: StepOutcome | None

    @classmethod
    def not_begun(cls, reason: str) -> Ended:
        """No child could be started, for a reason that another attempt would meet as well."""
        return cls("ended", StepOutcome(ok=False, reason=reason))

    @property
    def ok(self) -> bool:
        return self.cause == "ended" and self.outcome is not None and self.outcome.ok

    @property
    def vanished(self) -> bool:
        """Whether the child went away without a verdict, so that the test may not be blamed."""
        return self.cause in ("lost", "killed") or (self.cause == "ended" and self.outcome is None)

    def reason(self, hostname: str) -> str:
        """One line for people; '' when all went well."""
        if self.cause == "deadline":
            return f"outran its time limit on {hostname}"
        if self.vanished:
            return f"the runner for {hostname} was killed"
        return self.outcome.reason if self.outcome is not None else ""


class _Scene(NamedTuple):
    """What a step is about; *task*, who *asked* for it, *entry* and *job* where there are such."""

    lease: Lease
    host: Host
    lab: Lab
    task: SpecialTask | None
    asked: User | None
    entry: HostQueueEntry | None
    job: Job | None


@retried
def begin(
    lab: Lab, token: int, step: Step, settings: Settings, now: datetime.datetime
) -> tuple[Work | None, list[Wake]]:
    """Begin the step that the lease of this incarnation of *lab* waits for. No Work: the lease is gone or a newer
    worker's, or somebody began before, or an abort came.

    Raises nothing for a stale token; the wakes are what an abort made ready.
    """
    with transaction():
        # Compare and set: of all deliveries of the message, one begins the step.
        if not _BEGIN.changed(token, step.value, lab.id, lab.incarnation):
            return None, []
        scene = _scene(token)
        if scene.entry is not None and scene.entry.aborted:
            return None, _give_up(scene.lease, scene.entry, scene.host, now)
        info = hosts.info(scene.host)
        if step is Step.RUN_TEST:
            return _begin_run(scene, info, settings, now), []
        return _begin_task(scene, info, settings, now), []


@retried
def end(token: int, step: Step, ended: Ended, settings: Settings, now: datetime.datetime) -> list[Wake]:
    """Write down how the step ended and what follows. A lease that was taken back meanwhile changes nothing."""
    with transaction():
        if step is Step.HOLD or not _hold(token, step):
            return []
        scene = _scene(token)
        if step is Step.RUN_TEST:
            return _end_run(scene, ended, settings, now)
        if step is Step.REPAIR:
            return _end_repair(scene, ended, settings, now)
        return _end_pre_job(scene, ended, settings, now)


@retried
def give_up(token: int, step: Step, now: datetime.datetime) -> list[Wake]:
    """End the aborted entry of a lease whose step has not begun. Does nothing when somebody began it meanwhile."""
    with transaction():
        lease = rows.held(Lease, token)
        entry = rows.held(HostQueueEntry, lease.entry_id) if lease is not None else None
        if entry is None or not entry.aborted or entry.status == EntryStatus.RUNNING.value:
            return []
        if not (_hold(token, step) if step is Step.HOLD else _TAKE.changed(token, step.value)):
            return []
        return _give_up(lease, entry, rows.get(Host, lease.host_id), now)


def _scene(token: int) -> _Scene:
    """What the step of this lease is about. The entry stays as it is until the caller's transaction ends."""
    lease, host, lab, task, asked, job = _SCENE.row(token) or ()
    entry = rows.held(HostQueueEntry, lease.entry_id)
    if entry is not None:
        entry.job = job
    return _Scene(lease, host, lab, task, asked, entry, job)


_SCENE = Joined(
    (
        *(Lease.id, Lease.host, Lease.lab, Lease.entry, Lease.task, Lease.step, Lease.due_at),
        *(Host.id, Host.hostname, Host.status, Host.protection, Host.lab),
        *(Lab.id, Lab.name),
        *(SpecialTask.id, SpecialTask.task, SpecialTask.host, SpecialTask.queue_entry, SpecialTask.time_requested),
        *(User.id, User.login),
        *(Job.id, Job.name, Job.owner, Job.priority, Job.control_type, Job.created_on, Job.synch_count),
        *(Job.max_runtime_mins, Job.parent_job),
    ),
    lambda columns, token: (
        Lease.select(*columns)
        .join(Host, on=(Lease.host == Host.id))
        .join(Lab, on=(Lease.lab == Lab.id))
        .join(SpecialTask, JOIN.LEFT_OUTER, on=(Lease.task == SpecialTask.id))
        .join(User, JOIN.LEFT_OUTER, on=(SpecialTask.requested_by == User.id))
        .join(HostQueueEntry, JOIN.LEFT_OUTER, on=(Lease.entry == HostQueueEntry.id))
        .join(Job, JOIN.LEFT_OUTER, on=(HostQueueEntry.job == Job.id))
        .where(Lease.id == token)
    ),
)


def _give_up(lease: Lease, entry: HostQueueEntry, host: Host, now: datetime.datetime) -> list[Wake]:
    retreat.end_task(lease, success=False, now=now, aborted=True)
    woken = retreat.abort(entry, None, now) + retreat.free_host(lease, host, "aborted", now)
    return woken + retreat.part(entry, "aborted", now)


def _hold(token: int, step: Step) -> bool:
    """Whether this step still runs under an open lease. The row stays locked: nobody takes it back meanwhile."""
    return bool(_HOLD.changed(token, step.value))


def _open(token: Any, step: Any) -> Any:
    return (Lease.id == token) & (Lease.step == step) & Lease.released_at.is_null()


def _taken(token: Any, step: Any) -> Any:
    return Lease.update(due_at=None, beat=Lease.beat + 1).where(_open(token, step), Lease.due_at.is_null(False))


_BEGIN = Prepared(
    lambda token, step, lab, incarnation: _taken(token, step).where(Lease.lab == lab, Lease.incarnation == incarnation)
)
_TAKE = Prepared(_taken)
_HOLD = Prepared(
    lambda token, step: Lease.update(beat=Lease.beat + 1).where(_open(token, step), Lease.due_at.is_null())
)


def _begin_task(scene: _Scene, info: HostInfo, settings: Settings, now: datetime.datetime) -> Work:
    lease, host, entry, task = scene.lease, scene.host, scene.entry, scene.task
    assert task is not None
    assert scene.asked is not None
    kind = TaskKind(task.task)
    rows.change(SpecialTask, {"is_active": True, "time_started": now}, id=task.id)
    rows.change(Host, {"status": states.HOST_STATUS_OF[kind].value}, id=host.id)
    if entry is not None:
        entries.advance(entry.id, EntryStatus(entry.status), states.ENTRY_STATUS_OF[kind])
    job_labels = entries.wanted(entry) if entry is not None else set()
    if kind is TaskKind.PROVISION and entry is not None:
        # What the provisioner is about to overwrite is not on the host any more, however this ends.
        _replace_versions(host, labels.versions(job_labels), frozenset())
    limit = {
        TaskKind.VERIFY: settings.verify_limit,
        TaskKind.REPAIR: settings.repair_limit,
        TaskKind.PROVISION: settings.provision_limit,
    }[kind]
    job_file = JobFile(
        step=Step(lease.step),
        hosts=(info,),
        token=lease.id,
        job_labels=tuple(sorted(job_labels)),
        name=f"{kind.value} {host.hostname}",
        user=scene.asked.login,
        deadline_s=limit,
    )
    folder = Path("hosts", host.hostname, f"{task.id}-{kind.value.lower()}")
    return Work(lease.id, Step(lease.step), folder, job_file, {"job_queued": int(task.time_requested.timestamp())})


def _begin_run(scene: _Scene, info: HostInfo, settings: Settings, now: datetime.datetime) -> Work:
    lease, host, entry, job = scene.lease, scene.host, scene.entry, scene.job
    assert entry is not None
    assert job is not None
    group = _group(lease, entry, host)
    for mate in group:
        entries.advance(mate.entry.id, EntryStatus.STARTING, EntryStatus.RUNNING, started_on=now)
        rows.change(Host, {"status": HostStatus.RUNNING.value, "dirty": True}, id=mate.host.id)
    keyvals = dict(_KEYVALS.rows(job.id))
    test_args = suite_request.test_args(job)
    build = _build(keyvals)
    job_file = JobFile(
        step=Step.RUN_TEST,
        hosts=(info, *(hosts.info(mate.host) for mate in group[1:])),
        token=lease.id,
        tokens=tuple(mate.lease.id for mate in group) if len(group) > 1 else (),
        control_file=_control_file(job.id),
        control_name=entries.short_name(job.name),
        control_type="server" if job.control_type == ControlType.SERVER else "client",
        arguments=tuple(f"{key}={value}" for key, value in test_args.items()),
        args_dict=test_args,
        test_roots=_test_roots(keyvals, build, settings),
        job_labels=tuple(sorted(entries.wanted(entry))),
        name=job.name or "",
        user=job.owner or "",
        tag=f"{job.tag}/{entry.execution_subdir or host.hostname}",
        deadline_s=job.max_runtime_mins * 60.0,
    )
    written = {
        **keyvals,
        "job_queued": int(job.created_on.timestamp()),
        "job_started": int(now.timestamp()),
        "user": job.owner or "",
        "label": job.name or "",
        "hostname": ",".join(mate.host.hostname for mate in group),
        "status_version": 1,
        **({"parent_job_id": job.parent_job_id} if job.parent_job_id is not None else {}),
    }
    return Work(lease.id, Step.RUN_TEST, run_folder(job, lease.id), job_file, written, build)


def _control_file(job_id: int) -> str:
    row = _CONTROL_FILE.row(job_id)
    return (row[0] if row is not None else None) or ""


_CONTROL_FILE = Prepared(lambda job: Job.select(Job.control_file).where(Job.id == job))
_KEYVALS = Prepared(lambda job: JobKeyval.select(JobKeyval.key, JobKeyval.value).where(JobKeyval.job == job))


def _build(keyvals: Mapping[str, str]) -> str:
    """The staged build whose tests the control file calls; '' for those of the installation itself, and for none."""
    build = keyvals.get("test_source_build") or keyvals.get("build", "")
    return build if keyvals.get("run_prod_code") != "True" and builds.is_name(build) else ""


def _test_roots(keyvals: Mapping[str, str], build: str, settings: Settings) -> tuple[str, ...]:
    """Where the tests lie that the control file calls."""
    if keyvals.get("run_prod_code") == "True":
        return (str(Path(settings.prod_tree).expanduser().absolute() / "control"),)
    return (str(settings.builds_dir / build / "control"),) if build else ()


def _group(lease: Lease, entry: HostQueueEntry, host: Host) -> list[Member]:
    """The hosts that the test runs on, the lease's own first."""
    return groups.members(entry) if groups.is_grouped(entry) else [Member(entry, lease, host)]


def run_folder(job: Job, token: int) -> Path:
    """Where the attempt of that lease writes, below the results root; the accepted one is renamed to its place."""
    return Path(job.tag, ".runs", str(token))


def _end_run(scene: _Scene, ended: Ended, settings: Settings, now: datetime.datetime) -> list[Wake]:
    lease, host, entry = scene.lease, scene.host, scene.entry
    assert entry is not None
    group = _group(lease, entry, host)
    reason = ended.reason(groups.names(mate.host.hostname for mate in group))
    woken: list[Wake] = []
    for mate in group:
        woken += _leave_run(lease, mate.entry, ended, reason, settings, now)
        if not ended.ok:
            # The host may be what failed: nobody gets it before it was verified.
            hosts.queue_verify(mate.host)
        woken += retreat.free_host(mate.lease, mate.host, reason or "done", now)
    return woken + retreat.part(entry, reason, now)


def _leave_run(
    lease: Lease, entry: HostQueueEntry, ended: Ended, reason: str, settings: Settings, now: datetime.datetime
) -> list[Wake]:
    if entry.aborted:
        return retreat.abort(entry, lease, now)
    if ended.cause == "deadline":
        # Section 3.3: a limit in time aborts, in the name of the system.
        limit = f"{reason} of {entry.job.max_runtime_mins} minutes (max_runtime_mins)"
        return retreat.abort_for(entry, lease, limit, now)
    if ended.vanished:
        return retreat.requeue_or_fail(entry, lease, reason, settings.max_requeues, now)
    return retreat.run_ended(entry, lease, ended.ok, reason, now)


def _end_pre_job(scene: _Scene, ended: Ended, settings: Settings, now: datetime.datetime) -> list[Wake]:
    lease, host, entry = scene.lease, scene.host, scene.entry
    aborted = entry is not None and entry.aborted
    retreat.end_task(lease, ended.ok, now, aborted or ended.vanished)
    if ended.ok and lease.step == Step.PROVISION.value and ended.outcome is not None:
        _note_versions(host, ended.outcome.found_labels)
    if entry is not None and entry.aborted:
        if lease.step == Step.PROVISION.value and not ended.ok:
            hosts.queue_task(host.id, TaskKind.REPAIR, SYSTEM_USER)
        woken = retreat.abort(entry, None, now) + retreat.free_host(lease, host, "aborted", now)
        return woken + retreat.part(entry, "aborted", now)
    # Section 2.6: a host that asks not to be verified takes the job whatever the task says.
    if ended.ok or (host.protection == Protection.DO_NOT_VERIFY and not ended.vanished):
        return _go_on(scene, settings, now)
    reason = ended.reason(host.hostname)
    if ended.vanished and entry is not None:
        woken = retreat.requeue_or_fail(entry, lease, reason, settings.max_requeues, now)
        if lease.step == Step.PROVISION.value:
            hosts.queue_verify(host)
        return woken + retreat.free_host(lease, host, reason, now) + retreat.part(entry, reason, now)
    if ended.vanished and hosts.queue_again(scene.task, settings.max_requeues):
        return retreat.free_host(lease, host, reason, now)
    return _repair(scene, reason, settings, now) + retreat.part(entry, reason, now)


def _go_on(scene: _Scene, settings: Settings, now: datetime.datetime) -> list[Wake]:
    lease, host, entry, job = scene.lease, scene.host, scene.entry, scene.job
    if entry is None or job is None:
        return retreat.free_host(lease, host, "done", now)
    entries.advance(entry.id, EntryStatus(entry.status), EntryStatus.PENDING)
    rows.change(Host, {"status": HostStatus.PENDING.value}, id=host.id)
    if groups.is_grouped(entry):
        rows.change(Lease, {"step": Step.HOLD.value, "task": None}, id=lease.id)
        return groups.start(entry, now + _due(settings), now)
    entries.advance(entry.id, EntryStatus.PENDING, EntryStatus.STARTING)
    leases.next_step(lease, Step.RUN_TEST, now + _due(settings), None)
    return [leases.entry_wake(scene.lab.name, lease.id, Step.RUN_TEST, job.id, job.name, host.hostname)]


def _repair(scene: _Scene, reason: str, settings: Settings, now: datetime.datetime) -> list[Wake]:
    """A pre-job task failed: the entry is requeued or failed, and the host repaired (section 2.6)."""
    lease, host, entry = scene.lease, scene.host, scene.entry
    woken: list[Wake] = []
    if entry is not None:
        made = SpecialTask.select().where(
            SpecialTask.queue_entry == entry.id, SpecialTask.task == TaskKind.PROVISION.value
        )
        repairs = _repairs(entry, host)
        provision_spent = lease.step == Step.PROVISION.value and made.count() > settings.max_provision_retries
        if provision_spent or (repairs >= settings.max_repair_limit and entry.meta_host_id is None):
            woken = retreat.fail(entry, None, f"{lease.step} of {host.hostname} failed: {reason}", now)
        else:
            woken = entries.requeue(entry, f"{lease.step} of {host.hostname} failed: {reason}", counted=False)
        if repairs >= settings.max_repair_limit:
            return woken + _repair_failed(
                lease, host, f"repaired {plurals.counted(repairs, 'time')} and still: {reason}", now
            )
    task = SpecialTask.create(
        host=host.id,
        task=TaskKind.REPAIR.value,
        queue_entry=entry.id if entry is not None else None,
        requested_by=scene.asked,
    )
    Lease.update(entry=None).where(Lease.id == lease.id).execute()
    leases.next_step(lease, Step.REPAIR, now + _due(settings), task.id)
    return [*woken, leases.step_wake(Lease.get_by_id(lease.id), scene.lab.name)]


def _repairs(entry: HostQueueEntry, host: Host) -> int:
    """Repairs of this host for this job so far, counted also when the entry has left the host."""
    return int(
        SpecialTask.select()
        .join(HostQueueEntry)
        .where(
            SpecialTask.host == host.id,
            SpecialTask.task == TaskKind.REPAIR.value,
            HostQueueEntry.job == entry.job_id,
        )
        .count()
    )


def _end_repair(scene: _Scene, ended: Ended, settings: Settings, now: datetime.datetime) -> list[Wake]:
    lease, host, task = scene.lease, scene.host, scene.task
    retreat.end_task(lease, ended.ok, now, ended.vanished)
    if ended.ok:
        return retreat.free_host(lease, host, "repaired", now)
    if ended.vanished and hosts.queue_again(task, settings.max_requeues):
        return retreat.free_host(lease, host, ended.reason(host.hostname), now)
    woken = _repair_failed(lease, host, ended.reason(host.hostname), now)
    entry = HostQueueEntry.get_or_none(HostQueueEntry.id == task.queue_entry_id) if task is not None else None
    if (
        entry is not None
        and entry.meta_host_id is None
        and entry.status == EntryStatus.QUEUED.value
        and not entry.active
    ):
        woken += retreat.fail(entry, None, f"repair of {host.hostname} failed: {ended.reason(host.hostname)}", now)
        woken += entries.stop_short(entry.job, now)
    return woken


def _repair_failed(lease: Lease, host: Host, reason: str, now: datetime.datetime) -> list[Wake]:
    if leases.release(lease, f"repair failed: {reason}", now):
        Host.update(status=HostStatus.REPAIR_FAILED.value, status_reason=reason[: Host.status_reason.max_length]).where(
            Host.id == host.id
        ).execute()
    return []


def _note_versions(host: Host, found: tuple[str, ...]) -> None:
    fresh = labels.versions(found)
    _replace_versions(host, fresh, fresh)


def _replace_versions(host: Host, replaced: frozenset[str], fresh: frozenset[str]) -> None:
    """Take off the host every version label whose key is among *replaced*, and put *fresh* onto it."""
    keys = {label.partition(":")[0] for label in replaced}
    carried = labels.of_hosts([host.id]).get(host.id, frozenset())
    kept = {label for label in carried if not (labels.is_version(label) and label.partition(":")[0] in keys)}
    hosts.set_labels(host.id, kept | fresh)


def _due(settings: Settings) -> datetime.timedelta:
    return datetime.timedelta(seconds=settings.step_due)
