"""Results folders of attempts: written before a step, closed after it, and renamed to their place when accepted.

An attempt writes into ``<tag>/.runs/<token>/``, so that a stale child never writes into a live folder; the accepted
one becomes ``<tag>/<hostname>``.
"""

from __future__ import annotations

import datetime
import os
from pathlib import Path

from autotest.client import exit_file, keyval
from autotest.client.exit_file import ExitFile
from autotest.client.status_log import StatusEntry
from autotest.models.afe import AbortedEntry, HostQueueEntry, User
from autotest.models.lab import Lease
from autotest.models.rows import Joined
from autotest.results.parsing import job_folders
from autotest.scheduler import hosts, steps
from autotest.scheduler.steps import Work


def write(results_dir: Path, work: Work) -> Path:
    """Make the folder of an attempt: job.json and keyval. Raises FileExistsError when it is there."""
    folder = results_dir / work.folder
    folder.mkdir(parents=True)
    keyval.append(str(folder), {key: keyval.writable(value) for key, value in work.keyvals.items()})
    work.job_file.write(folder)
    return folder


def close(results_dir: Path, work: Work, now: datetime.datetime) -> None:
    """Note the end of the step, and who aborted it, in the folder's keyval."""
    folder = results_dir / work.folder
    pairs: dict[str, object] = {"job_finished": int(now.timestamp())}
    found = _ABORTED.row(work.token)
    if found is not None:
        aborted, by = found
        pairs["aborted_by"] = by.login
        pairs["aborted_on"] = int(aborted.aborted_on.timestamp())
    if folder.is_dir():
        keyval.append(str(folder), pairs)


def accept(results_dir: Path, entry: HostQueueEntry) -> Path:
    """Put the folder that counts to its place and return it; an entry that never ran gets one that says why.

    Repeated, it finds the folder in its place.
    """
    job = entry.job
    place = results_dir / job.tag / (entry.execution_subdir or "hostless")
    attempt = results_dir / steps.run_folder(job, entry.token) if entry.token is not None else None
    if attempt is not None and attempt.is_dir():
        if place.is_dir():
            place.rename(attempt.with_name(f"{attempt.name}.replaced"))
        attempt.rename(place)
    if not place.is_dir():
        _explain(place, entry)
    return place


def parsed(place: Path) -> list[Path]:
    """The folders that are jobs of their own in TKO: an accepted one, or those of the machines of a group, and the
    group's own if it has a status log (results-and-tko.md section 5.5)."""
    folders = [place / name for name in job_folders.machine_names(place) if hosts.is_hostname(name)]
    own = [folder for folder in folders if folder.is_dir() and not folder.is_symlink()]
    return own + ([place] if not own or job_folders.has_log(place) else [])


def _explain(place: Path, entry: HostQueueEntry) -> None:
    place.mkdir(parents=True)
    job = entry.job
    when = int(entry.finished_on.timestamp()) if entry.finished_on else int(job.created_on.timestamp())
    pairs = {
        "job_queued": int(job.created_on.timestamp()),
        "job_finished": when,
        "user": job.owner,
        "label": job.name,
        "hostname": entry.execution_subdir,
        "status_version": 1,
    }
    if job.parent_job_id is not None:
        pairs["parent_job_id"] = job.parent_job_id
    keyval.append(str(place), {key: keyval.writable(value) for key, value in pairs.items()})
    reason = keyval.writable(entry.reason or "") or "it never ran"
    line = StatusEntry("INFO", message=reason, fields={"timestamp": str(when), "job_abort_reason": reason}).render()
    (place / "status.log").write_text(line, encoding="utf-8")
    (place / exit_file.NAME).write_text(ExitFile(os.getpid(), 256, 0).render(), encoding="ascii")


#: Who aborted the entry of a lease, and when.
_ABORTED = Joined(
    (AbortedEntry.queue_entry, AbortedEntry.aborted_on, User.id, User.login),
    lambda columns, token: (
        AbortedEntry.select(*columns)
        .join(User, on=(AbortedEntry.aborted_by == User.id))
        .join(Lease, on=(Lease.entry == AbortedEntry.queue_entry))
        .where(Lease.id == token)
    ),
)
