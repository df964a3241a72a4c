"""Facts: the jobs, entries and results that rows are made of, in a handful of queries however many there are."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from autotest.models import afe, tko
from autotest.models.suite import SuiteRequest
from autotest.results import retries
from autotest.results.suite_rows import Child, Entry, StoredTest, SuiteFacts

#: The keyval of a job whose test is on trial: it is told apart and does not decide about the suite.
EXPERIMENTAL = "experimental"


def suites(ids: Sequence[int]) -> dict[int, SuiteFacts]:
    """The suite jobs *ids* with their children, by id, in that order."""
    own = {job.job_id: job for job in jobs(afe.Job.id.in_(ids))}
    children: dict[int, list[Child]] = {job_id: [] for job_id in ids}
    for child in jobs(afe.Job.parent_job.in_(ids)):
        suite_id = child.parent_job_id or 0
        children[suite_id].append(child._replace(suite_name=own[suite_id].name))
    return {job_id: SuiteFacts(own[job_id], tuple(children[job_id])) for job_id in ids if job_id in own}


def jobs(which: Any) -> Iterator[Child]:
    """Jobs with their entries, results and keyvals, in order of id."""
    columns = (afe.Job.id, afe.Job.name, afe.Job.owner, afe.Job.max_runtime_mins, afe.Job.parent_job)
    found = list(afe.Job.select(*columns).where(which).order_by(afe.Job.id))
    ids = afe.Job.select(afe.Job.id).where(which)
    entries: dict[int, list[Entry]] = {job.id: [] for job in found}
    for job_id, entry in _entries(ids):
        entries[job_id].append(entry)
    results: dict[int, list[StoredTest]] = {job.id: [] for job in found}
    for test in tests(tko.TkoJob.afe_job_id.in_(ids)):
        results[test.job_id].append(test)
    originals = _originals(ids)
    aborted = _aborted_tags(ids)
    experimental = _experimental(ids)
    for job in found:
        yield Child(
            job.id,
            job.name or "",
            job.owner or "",
            job.max_runtime_mins,
            tuple(entries[job.id]),
            tuple(results[job.id]),
            aborted,
            _chain_length(job.id, originals),
            job.id in experimental,
            job.parent_job_id,
        )


def _entries(ids: Any) -> Iterator[tuple[int, Entry]]:
    entry = afe.HostQueueEntry
    columns = (entry.status, entry.complete, entry.aborted, entry.reason, entry.execution_subdir)
    times = (entry.started_on, entry.finished_on)
    query = entry.select(entry.job, afe.Host.hostname, *columns, *times).left_outer_join(afe.Host)
    for job_id, hostname, *rest in query.where(entry.job.in_(ids)).order_by(entry.id).tuples():
        yield job_id, Entry(hostname or "", *rest)


def num_required(job_id: int) -> int:
    """How many of its tests suite *job_id* needs to be fine, as its ``suite_args`` say; 0 for all."""
    request = SuiteRequest.get_or_none(SuiteRequest.job == job_id)
    wanted = json.loads(request.arguments)["suite_args"].get("num_required") if request is not None else 0
    return int(wanted) if isinstance(wanted, int) or str(wanted).isdecimal() else 0


def tests(which: Any) -> Iterator[StoredTest]:
    """The results that *which* selects among TKO jobs, in order of job and test."""
    test, job = tko.TestResult, tko.TkoJob
    query = (
        test.select(
            job.afe_job_id,
            job.tag,
            tko.Machine.hostname,
            job.started_time,
            job.finished_time,
            test.test,
            test.subdir,
            tko.Status.word,
            test.reason,
            test.started_time,
            test.finished_time,
            test.invalid,
        )
        .join(job)
        .switch(test)
        .join(tko.Status)
        .switch(test)
        .join(tko.Machine)
        .where(which)
        .order_by(job.job_idx, test.test_idx)
    )
    for columns in query.tuples():
        yield StoredTest(*columns)


def _originals(ids: Any) -> dict[int, int]:
    """Job id -> the id of the job it retries, for the jobs and all their forebears."""
    keyval = afe.JobKeyval
    found: dict[int, int] = {}
    wanted = ids
    while wanted:
        rows = keyval.select(keyval.job, keyval.value).where(keyval.key == retries.KEY, keyval.job.in_(wanted)).tuples()
        originals = {job_id: retries.job_id_of(value) for job_id, value in rows}
        fresh = {job_id: original for job_id, original in originals.items() if original and job_id not in found}
        found.update(fresh)
        wanted = list(set(fresh.values()) - found.keys())
    return found


def _chain_length(job_id: int, originals: Mapping[int, int]) -> int:
    seen = {job_id}
    while (job_id := originals.get(job_id, job_id)) not in seen:
        seen.add(job_id)
    return len(seen) - 1


def _aborted_tags(ids: Any) -> frozenset[str]:
    keyval, job = tko.TkoJobKeyval, tko.TkoJob
    query = keyval.select(job.tag).join(job).where(keyval.key == "aborted_by", job.afe_job_id.in_(ids))
    return frozenset(tag for (tag,) in query.tuples())


def _experimental(ids: Any) -> frozenset[int]:
    """Those of the jobs whose test is on trial."""
    keyval = afe.JobKeyval
    query = keyval.select(keyval.job).where(keyval.key == EXPERIMENTAL, keyval.value == "True", keyval.job.in_(ids))
    return frozenset(job_id for (job_id,) in query.tuples())
