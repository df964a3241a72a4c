"""Jobs: checked and written down with their keyvals, labels and entries (afe-scheduler-and-rpc.md section 4.4)."""

from __future__ import annotations

import dataclasses
import datetime
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from autotest import errors
from autotest.models import bulk
from autotest.models.afe import (
    Host,
    HostQueueEntry,
    IneligibleHostQueue,
    Job,
    JobDependencyLabel,
    JobKeyval,
    Label,
)
from autotest.models.database import retried, transaction
from autotest.models.lab import Lease
from autotest.scheduler import entries, labels, quotas, users, wakes
from autotest.scheduler.wakes import Wake
from autotest.states import ControlType, EntryStatus, HostStatus, Priority

_KEY, _VALUE = JobKeyval.key.max_length, JobKeyval.value.max_length
_NAME, _LABEL = Job.name.max_length, Label.name.max_length
#: What a keyval file can hold as a key.
_KEYVAL_KEY = re.compile(rf"[A-Za-z0-9_.\-]{{1,{_KEY}}}")


@dataclasses.dataclass(frozen=True)
class JobSpec:
    """One job: where it runs is said by *hosts* (by name), *meta_hosts* (any host with that label, once each), or only
    *dependencies* (any host that carries them all). Limits in minutes.

    With *synch_count* above 1 so many hosts run it together; more hosts than that make several groups.
    """

    name: str
    control_file: str
    control_type: ControlType
    owner: str
    priority: int = int(Priority.DEFAULT)
    hosts: Sequence[str] = ()
    meta_hosts: Sequence[str] = ()
    dependencies: Sequence[str] = ()
    keyvals: Mapping[str, str] = dataclasses.field(default_factory=dict)
    timeout_mins: int = 1440
    max_runtime_mins: int = 1440
    run_verify: bool = True
    run_reset: bool = False
    reboot_before: int = 0
    require_ssp: bool | None = None
    synch_count: int = 0
    parent_job_id: int | None = None

    @property
    def together(self) -> int:
        """How many hosts run it at once."""
        return max(1, self.synch_count)


@retried
def create(spec: JobSpec, now: datetime.datetime) -> tuple[int, list[Wake]]:
    """Check *spec* and write the job. Returns its id and the wakes of its entries.

    Raises ValidationError (one message an argument), NotFound for unknown hosts, NoEligibleHost when no host of the
    inventory carries the labels, or not as many as run together.
    """
    with transaction():
        bound = _check(spec)
        job = insert(spec, now)
        made = insert_entries(job, spec, bound)
        _revive(bound)
        return job.id, [entries.queued_wake(entry) for entry in made]


def insert(spec: JobSpec, now: datetime.datetime) -> Job:
    """Write the job's own rows, without a check. Runs inside the caller's transaction."""
    users.named(spec.owner)
    job = Job.create(**_job_row(spec, now))
    if spec.keyvals:
        JobKeyval.insert_many(_keyval_rows(job.id, spec)).execute()
    needed = labels.rows_for(spec.dependencies)
    if needed:
        JobDependencyLabel.insert_many([{"job": job.id, "label": label} for label in needed.values()]).execute()
    return job


def _job_row(spec: JobSpec, now: datetime.datetime) -> dict[str, Any]:
    return {
        "owner": spec.owner,
        "name": spec.name,
        "priority": spec.priority,
        "control_file": spec.control_file,
        "control_type": int(spec.control_type),
        "created_on": now,
        "timeout_mins": spec.timeout_mins,
        "max_runtime_mins": spec.max_runtime_mins,
        "run_verify": spec.run_verify,
        "run_reset": int(spec.run_reset),
        "reboot_before": spec.reboot_before,
        "require_ssp": spec.require_ssp,
        "synch_count": spec.synch_count,
        "parent_job": spec.parent_job_id,
    }


def _keyval_rows(job_id: int, spec: JobSpec) -> list[dict[str, Any]]:
    return [{"job": job_id, "key": key, "value": str(value)} for key, value in spec.keyvals.items()]


def insert_entries(job: Job, spec: JobSpec, bound: Sequence[Host]) -> list[HostQueueEntry]:
    """One entry a bound host and one a metahost; a job with dependencies alone gets one for each host that runs it."""
    metahosts = list(spec.meta_hosts)
    if not metahosts and not bound:
        metahosts = sorted(labels.deciding(spec.dependencies))[:1] * spec.together
    suite = quotas.line_of(spec.parent_job_id)
    made = []
    for host in bound:
        if spec.together > 1:
            queue = labels.queue_of_group(spec.dependencies, [each.id for each in bound], spec.together)
        else:
            queue = labels.queue_of(spec.dependencies, host.id, suite_id=suite)
        labels.register(queue)
        made.append(HostQueueEntry.create(job=job, host=host, queue_key=queue.key, priority=job.priority))
        # So that no metahost entry of the same job takes the host as well.
        IneligibleHostQueue.create(job=job, host=host)
    ids = labels.rows_for(metahosts)
    for name in metahosts:
        queue = labels.queue_of({*spec.dependencies, name}, size=spec.together, suite_id=suite)
        labels.register(queue)
        made.append(HostQueueEntry.create(job=job, meta_host=ids[name], queue_key=queue.key, priority=job.priority))
    return made


def insert_children(parent: Job, specs: Sequence[JobSpec], now: datetime.datetime) -> list[tuple[int, Wake]]:
    """Write many jobs of one parent, each with entries for one metahost, as often as it names it, in a few statements
    for all of them.

    The parent has no children yet. Returns the id and the wake of each, in the order of *specs*. Runs inside the
    caller's transaction.
    """
    bulk.insert(Job, [_job_row(spec, now) for spec in specs])
    # Within one statement, and so within the transaction, ids rise in the order of the rows.
    rows = Job.select(Job.id).where(Job.parent_job == parent.id).order_by(Job.id).tuples()
    ids = [job_id for (job_id,) in rows]
    of_label = labels.rows_for({name for spec in specs for name in (*spec.dependencies, *spec.meta_hosts)})
    suite = quotas.line_of(parent.id)
    wishes = [(frozenset({*spec.dependencies, *spec.meta_hosts}), spec.together) for spec in specs]
    queues = {wish: labels.queue_of(wish[0], size=wish[1], suite_id=suite) for wish in set(wishes)}
    for queue in queues.values():
        labels.register(queue)
    children = list(zip(ids, specs, [queues[wish] for wish in wishes], strict=True))
    bulk.insert(JobKeyval, [row for job_id, spec, _ in children for row in _keyval_rows(job_id, spec)])
    bulk.insert(
        JobDependencyLabel,
        [{"job": job_id, "label": of_label[name]} for job_id, spec, _ in children for name in set(spec.dependencies)],
    )
    bulk.insert(
        HostQueueEntry,
        [
            {"job": job_id, "meta_host": of_label[name], "queue_key": queue.key, "priority": spec.priority}
            for job_id, spec, queue in children
            for name in spec.meta_hosts
        ],
    )
    return [
        (job_id, wakes.entry_queued(queue.key, spec.priority, False, entries.shown(spec.name, job_id)))
        for job_id, spec, queue in children
    ]


def _revive(bound: Sequence[Host]) -> None:
    """Who names a dead host gives it another try (section 2.4), unless something is done to it now."""
    busy = Lease.select(Lease.host).where(Lease.released_at.is_null())
    Host.update(status=HostStatus.READY.value, status_reason="").where(
        Host.id.in_([host.id for host in bound]),
        Host.status == HostStatus.REPAIR_FAILED.value,
        Host.id.not_in(busy),
    ).execute()


def check_keyvals(keyvals: Mapping[str, str]) -> dict[str, str]:
    """The problems of *keyvals* that do not fit their table, by argument name."""
    for key, value in keyvals.items():
        if not _KEYVAL_KEY.fullmatch(key):
            return {"keyvals": f"{key[:40]!r} is not a key: up to {_KEY} letters, digits and _.-"}
        if len(str(value)) > _VALUE:
            return {"keyvals": f"the value of {key!r} has {len(str(value))} characters, of {_VALUE} at most"}
    return {}


def check_name(name: str) -> dict[str, str]:
    """The problem of a job's *name*, by argument name."""
    if not name.strip():
        return {"name": "a job needs a name"}
    if len(name) > _NAME:
        return {"name": f"the name has {len(name)} characters, of {_NAME} at most"}
    return {}


def _check(spec: JobSpec) -> list[Host]:
    problems = {**check_keyvals(spec.keyvals), **check_name(spec.name), **users.check_login(spec.owner)}
    for argument, names in (("dependencies", spec.dependencies), ("meta_hosts", spec.meta_hosts)):
        if any(not name.strip() or len(name) > _LABEL for name in names):
            problems[argument] = f"a label has 1 to {_LABEL} characters"
    if not spec.control_file.strip():
        problems["control_file"] = "the control file is empty"
    if not (spec.hosts or spec.meta_hosts or labels.deciding(spec.dependencies)):
        problems["arguments"] = "name hosts, metahosts or dependencies to say where the job runs"
    if len(set(spec.hosts)) != len(spec.hosts):
        problems["hosts"] = "a host is named twice"
    if min(spec.timeout_mins, spec.max_runtime_mins) < 1:
        problems["timeout_mins"] = "limits are at least one minute"
    problems |= _check_group(spec)
    if problems:
        raise errors.ValidationError(problems)
    needed = labels.deciding(spec.dependencies)
    carried = labels.of_hosts()
    found = {
        host.hostname: host
        for host in Host.select().where(Host.hostname.in_(list(spec.hosts)), Host.invalid == False)  # noqa: E712
    }
    unknown = sorted(set(spec.hosts) - set(found))
    if unknown:
        raise errors.NotFound(f"The following hosts do not exist: {', '.join(unknown)}")
    unfit = sorted(name for name, host in found.items() if not needed <= carried.get(host.id, frozenset()))
    if unfit:
        raise errors.ValidationError(
            {"hosts": f"Host(s) failed to meet job dependencies ({', '.join(sorted(needed))}): {', '.join(unfit)}"}
        )
    forbidden = {host.id for host in found.values()} - users.may_use(spec.owner, [host.id for host in found.values()])
    if forbidden:
        names = sorted(host.hostname for host in found.values() if host.id in forbidden)
        raise errors.ValidationError({"hosts": f"{spec.owner} does not have access to {', '.join(names)}"})
    if spec.together > 1 and len({host.lab_id for host in found.values()}) > 1:
        raise errors.ValidationError({"hosts": "hosts of several labs cannot run one test together"})
    _check_metahosts(spec, needed, carried)
    return [found[name] for name in spec.hosts]


def _check_group(spec: JobSpec) -> dict[str, str]:
    """The problem of hosts that are to run together, by argument name."""
    if spec.synch_count < 0:
        return {"synch_count": f"{spec.synch_count} hosts cannot run together"}
    if spec.together == 1:
        return {}
    asked = len(spec.hosts) + len(spec.meta_hosts)
    if 0 < asked < spec.synch_count:
        return {"hosts": f"{spec.synch_count} hosts are to run together, and {asked} is asked for"}
    if len(set(spec.meta_hosts)) + (1 if spec.hosts else 0) > 1:
        return {"meta_hosts": "hosts that run together are all named, or all of one metahost"}
    return {}


def _check_metahosts(spec: JobSpec, needed: frozenset[str], carried: Mapping[int, frozenset[str]]) -> None:
    for name in spec.meta_hosts:
        if not Label.select().where(Label.name == name, Label.invalid == False).exists():  # noqa: E712
            close = ", ".join(labels.nearest(name)) or "none is close"
            raise errors.ValidationError({"meta_hosts": f'Label "{name}" not found; nearest: {close}'})
    for name in sorted(set(spec.meta_hosts)):
        _check_inventory(name, needed | labels.deciding([name]), needed, carried, spec.together)
    if not spec.meta_hosts and not spec.hosts:
        _check_inventory("the inventory", needed, needed, carried, spec.together)


def _check_inventory(
    within: str,
    all_needed: frozenset[str],
    needed: frozenset[str],
    carried: Mapping[int, frozenset[str]],
    together: int,
) -> None:
    fitting = [host_id for host_id, names in carried.items() if all_needed <= names]
    wish = f"satisfy {', '.join(sorted(needed))}" if needed else "are known"
    if not fitting:
        raise errors.NoEligibleHost({"meta_hosts": f"No hosts within {within} {wish}."})
    if together > 1:
        lab_of = dict(Host.select(Host.id, Host.lab).tuples())
        most = max(Counter(lab_of[host_id] for host_id in fitting).values())
        if most < together:
            number = "only 1 host of one lab" if most == 1 else f"only {most} hosts of one lab"
            raise errors.NoEligibleHost(
                {"meta_hosts": f"{together} hosts are to run together, and {number} within {within} {wish}."}
            )


@retried
def reprioritize(job_id: int, priority: int) -> list[Wake]:
    """Change the priority of a job's waiting entries; they are woken at the new step."""
    with transaction():
        Job.update(priority=priority).where(Job.id == job_id).execute()
        HostQueueEntry.update(priority=priority).where(
            HostQueueEntry.job == job_id,
            HostQueueEntry.complete == False,  # noqa: E712 - an SQL expression
        ).execute()
        waiting = HostQueueEntry.select().where(
            HostQueueEntry.job == job_id,
            HostQueueEntry.status == EntryStatus.QUEUED.value,
            HostQueueEntry.active == False,  # noqa: E712
        )
        return [entries.queued_wake(entry) for entry in waiting if entry.queue_key]


def suite_wake(job: Job) -> Wake:
    """The wake of a suite whose children are not created yet."""
    return wakes.suite_queued(job.id, job.priority, f"{job.name}, job {job.id}")
