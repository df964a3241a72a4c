"""API calls about single jobs and the queues they wait in."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from autotest import api_arguments, errors, settings
from autotest import celery as broker
from autotest.api_session import login, publish, session
from autotest.models import database
from autotest.scheduler import builds, entries, floor, jobs, listing, wakes
from autotest.scheduler.jobs import JobSpec
from autotest.states import ControlType, Priority

_log = logging.getLogger(__name__)


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
    with session() as here:
        if build:
            build = builds.newest(here.settings, build)
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
    publish(woken)
    return job_id


def abort_jobs(ids: Iterable[int], by: str | None = None, reason: str = "") -> list[int]:
    """Abort these jobs and, for suites, their children. What has ended, or was aborted before, is left alone.

    Returns the ids of the entries that this call aborted. Raises NotFound, naming each unknown job; then none is.
    """
    who = by or login()
    with session():
        aborted, woken = entries.abort(
            listing.entry_ids(set(ids)), who, reason or f"aborted by {who}", database.utc_now()
        )
    publish(woken)
    return aborted


def abortable(ids: Iterable[int]) -> list[dict[str, Any]]:
    """The entries that abort_jobs would end: id, job_id, name, status, hostname. Raises NotFound for unknown jobs."""
    wanted = set(ids)
    with session():
        listing.entry_ids(wanted)
        return listing.unfinished(sorted(wanted))


def list_jobs(
    limit: int = api_arguments.PAGE,
    before: int | None = None,
    owner: str | None = None,
    status: str | None = None,
    parent: int | None = None,
) -> list[dict[str, Any]]:
    """Jobs that are not suites, newest first, below the id *before*; see scheduler.listing.jobs."""
    with session():
        return listing.jobs(limit, before, owner, status, parent)


def show_job(job_id: int) -> dict[str, Any]:
    """One job; each entry that waits says for what, and why it has no host yet. Raises NotFound."""
    with session() as here:
        return listing.job(job_id, database.utc_now(), here.dead_after, floor.reason(here.settings))


def list_queues() -> list[dict[str, Any]]:
    """Label queues that hold entries, and why one is not served; *depth* is how many messages the broker holds, None
    when it does not answer."""
    with session() as here:
        found = listing.queues(database.utc_now(), here.dead_after, floor.reason(here.settings))
    names = [wakes.label_queue(row["key"]) for row in found]
    depths: dict[str, int] = {}
    try:
        depths = broker.depths(names, here.celery) if names else {}
    except (errors.BrokerUnreachable, ValueError) as problem:
        address = settings.shown(str(here.celery.conf.broker_url))
        _log.warning("queue depths are not known, for the broker %s: %s", address, problem)
    return [{**row, "depth": depths.get(name)} for row, name in zip(found, names, strict=True)]


def prioritize_jobs(ids: Collection[int], priority: int | str) -> list[dict[str, Any]]:
    """Give these jobs, and the unfinished jobs of suites among them, another priority, by name or number.

    Returns the jobs that had not ended: id, name. Raises NotFound, naming each unknown job, and ValidationError; then
    nothing is changed.
    """
    number = api_arguments.priority_number(priority)
    with session():
        listing.entry_ids(set(ids))
        names = {row["job_id"]: row["name"] for row in listing.unfinished(sorted(set(ids)))}
        woken = [wake for job_id in sorted(names) for wake in jobs.reprioritize(job_id, number)]
    publish(woken)
    return [{"id": job_id, "name": name} for job_id, name in sorted(names.items())]
