"""Failed tasks: a special task that failed an entry for good leaves the results of its job (results-and-tko.md 1.1)."""

from __future__ import annotations

import shutil
from pathlib import Path

from autotest.client import keyval
from autotest.models.afe import HostQueueEntry, JobKeyval, SpecialTask
from autotest.results import special_tasks
from autotest.results.special_tasks import TaskFolder
from autotest.states import TaskKind


def take_over(results_dir: Path, entry: HostQueueEntry) -> None:
    """Put a copy of what the failed task left to the place of the entry's own results, with the keyvals of its job.

    Does nothing for an entry that ran, for one that ended for another reason, and where something is in place.
    Raises OSError.
    """
    place = results_dir / entry.job.tag / (entry.execution_subdir or "hostless")
    task = None if entry.token is not None or place.exists() else _that_failed(entry)
    if task is None:
        return
    source = special_tasks.folder_of(results_dir, task.host.hostname, TaskFolder(task.id, TaskKind(task.task)))
    if not source.is_dir():
        return
    # Made beside its place, so that a parser that dies in between leaves nothing half.
    made = results_dir / entry.job.tag / ".runs" / f"task{task.id}"
    shutil.rmtree(made, ignore_errors=True)
    special_tasks.adopt(source, made)
    finished = int(entry.finished_on.timestamp())
    reason = keyval.writable(entry.reason) or f"{task.task} of {task.host.hostname} failed"
    special_tasks.give_reason(made / "status.log", reason, finished)
    keyval.append(str(made), {key: keyval.writable(value) for key, value in _pairs(entry, finished).items()})
    made.rename(place)


def _that_failed(entry: HostQueueEntry) -> SpecialTask | None:
    """The last task for this entry, if that is what it failed over: on the host that it still has, with a verdict."""
    task: SpecialTask | None = (
        SpecialTask.select()
        .where(
            SpecialTask.queue_entry == entry.id,
            SpecialTask.host == entry.host_id,
            SpecialTask.is_complete,
            SpecialTask.time_finished <= entry.finished_on,
        )
        .order_by(SpecialTask.time_finished.desc(), SpecialTask.id.desc())
        .first()
    )
    return None if task is None or task.success or task.is_aborted else task


def _pairs(entry: HostQueueEntry, finished: int) -> dict[str, object]:
    """What the job's keyval file would say, had it run; of two lines of one key the last one counts."""
    job = entry.job
    keyvals = JobKeyval.select(JobKeyval.key, JobKeyval.value).where(JobKeyval.job == job.id)
    pairs: dict[str, object] = dict(keyvals.tuples())
    pairs |= {"job_queued": int(job.created_on.timestamp()), "job_finished": finished}
    pairs |= {"user": job.owner or "", "label": job.name or "", "status_version": 1}
    return pairs if job.parent_job_id is None else {**pairs, "parent_job_id": job.parent_job_id}
