"""One folder: parsed, and stored unless that is only tried out. It runs in a process of its own."""

from __future__ import annotations

import dataclasses
import enum
import logging
from pathlib import Path

from autotest import errors
from autotest.models import database
from autotest.models.afe import Job
from autotest.models.tko import TkoJob
from autotest.results import parser, retries, store
from autotest.results.importing import fingerprint
from autotest.results.parsing import parse_log
from autotest.results.parsing.records import JobResult

log = logging.getLogger(__name__)

#: Job keyvals that hold an AFE id, which means nothing here once a tag has a prefix.
_IDS = ("parent_job_id", retries.KEY)

_MOST_ODDITIES = 20


class Fate(str, enum.Enum):
    """What became of a folder."""

    IMPORTED = "imported"
    WOULD_IMPORT = "would import"
    UNCHANGED = "unchanged"
    EMPTY = "without a log"
    REFUSED = "refused"
    FAILED = "failed"


@dataclasses.dataclass(frozen=True)
class Task:
    """A folder to import as *tag*. *known* is the fingerprint under which it was imported before, empty if never."""

    path: Path
    tag: str
    prefix: str = ""
    known: str = ""
    dry_run: bool = False


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of one folder. *fact* says why it was not imported; *odd* counts all oddities, which may be many."""

    path: Path
    tag: str
    fate: Fate
    tests: int = 0
    oddities: tuple[str, ...] = ()
    odd: int = 0
    fact: str = ""
    fingerprint: str = ""


def carry_out(task: Task) -> Outcome:
    """Import one folder. Raises DatabaseUnreachable; whatever else goes wrong is the folder's own outcome."""
    try:
        with database.connection():
            return _carry_out(task)
    except errors.DatabaseUnreachable:
        raise
    except errors.BadResultsFolder as problem:
        return Outcome(task.path, task.tag, Fate.FAILED, fact=str(problem))
    except Exception as problem:  # one folder must not cost the others (Q14)
        log.exception("%s could not be imported", task.path)
        return Outcome(task.path, task.tag, Fate.FAILED, fact=f"{type(problem).__name__}: {problem}"[:1000])


def _carry_out(task: Task) -> Outcome:
    native = _native(task)
    if native:
        return Outcome(task.path, task.tag, Fate.REFUSED, fact=native)
    now = fingerprint.of(task.path)
    if now == task.known and TkoJob.select().where(TkoJob.tag == task.tag).exists():
        return Outcome(task.path, task.tag, Fate.UNCHANGED, fingerprint=now)
    result = parser.read(task.path)
    if task.prefix:
        result = _without_ids(result, task.prefix)
    oddities = result.oddities
    if not task.dry_run:
        store.save(result, task.tag)
        if not parse_log.write(task.path, result, database.utc_now()):
            oddities = (*oddities, f"{parse_log.NAME} cannot be written into the folder")
    fate = Fate.WOULD_IMPORT if task.dry_run else Fate.IMPORTED
    return Outcome(
        task.path, task.tag, fate, len(result.tests), oddities[:_MOST_ODDITIES], len(oddities), fingerprint=now
    )


def _native(task: Task) -> str:
    """Why the tag would take the place of a job that this installation ran itself; empty if it would not."""
    job_id = None if task.prefix else retries.job_id_of(task.tag.partition("-")[0])
    if job_id is None or not Job.select().where(Job.id == job_id).exists():
        return ""
    return f"job {job_id} is one of this installation's own; import the tree under a name of its own with --prefix"


def _without_ids(result: JobResult, prefix: str) -> JobResult:
    keyvals = {f"{prefix}.{key}" if key in _IDS else key: value for key, value in result.job.keyvals.items()}
    return dataclasses.replace(result, job=dataclasses.replace(result.job, keyvals=keyvals))
