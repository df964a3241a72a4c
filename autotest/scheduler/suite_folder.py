"""The results folder of a suite: status.log, keyval and pidfile, written by the suite itself and parsed like any other.

Each write composes the whole file anew from ``scheduled.json`` and the rows of the children, so that a crash between
two writes, or a second delivery, leaves nothing twice.
"""

from __future__ import annotations

import dataclasses
import datetime
import hashlib
import json
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from peewee import chunked, fn

from autotest.client import exit_file, keyval
from autotest.client.exit_file import ExitFile
from autotest.client.status_log import StatusEntry
from autotest.models.afe import Job, JobKeyval
from autotest.models.suite import Bug, BugReport
from autotest.scheduler import suite_request, suite_results
from autotest.scheduler.suite_results import Result
from autotest.states import Outcome

_SCHEDULED = "scheduled.json"
_NO_KEY = re.compile(r"[^A-Za-z0-9_.\-]")
_ROWS = 500


class Skipped(NamedTuple):
    """A test without a job: TEST_NA, a control file that does not parse, or a suite that cannot be scheduled."""

    operation: str
    status: str
    reason: str


@dataclasses.dataclass(frozen=True)
class Scheduled:
    """What the suite decided when it ran; *children* are (test name, job id), *notes* are for people.

    *began* in epoch seconds. *read_at* is when the control files were read, as ``%Y-%m-%d %H:%M:%S`` in UTC.
    """

    suite: str
    began: int
    skipped: tuple[Skipped, ...]
    children: tuple[tuple[str, int], ...]
    notes: tuple[str, ...] = ()
    read_at: str = ""


def place(results_dir: Path, job: Job) -> Path:
    """Where the suite's results lie."""
    return results_dir / job.tag / "hostless"


def begin(folder: Path, job: Job, scheduled: Scheduled) -> None:
    """Write the folder as it is while the children run."""
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / _SCHEDULED, json.dumps(dataclasses.asdict(scheduled), indent=1))
    _write(folder / "control.srv", job.control_file or "")
    _compose(folder, job, scheduled, [], None)


def finish(folder: Path, job: Job, now: datetime.datetime, exit_status: int = 0) -> None:
    """Write the folder with every child's result, ready to be parsed. A folder that was lost is made from the rows."""
    try:
        scheduled = _scheduled(folder)
    except (OSError, ValueError, KeyError, TypeError) as problem:
        scheduled = _from_rows(job, now, f"{folder / _SCHEDULED} was lost: {problem}")
        begin(folder, job, scheduled)
    retries = [child for child in _children(job) if child not in scheduled.children]
    scheduled = dataclasses.replace(scheduled, children=(*scheduled.children, *retries))
    results = list(suite_results.of_jobs([job_id for _, job_id in scheduled.children]))
    _compose(folder, job, scheduled, results, int(now.timestamp()))
    _write(folder / exit_file.NAME, ExitFile(os.getpid(), exit_status << 8, 0).render())


def note_bugs(folder: Path, job: Job) -> None:
    """Add to a finished folder what the bug tracker called the bugs meanwhile."""
    if (folder / "keyval").is_file():
        known = keyval.read(str(folder), strict=False)
        found = _bugs([job_id for _, job_id in _children(job)])
        fresh = {key: value for key, value in found.items() if str(known.get(key)) != str(value)}
        keyval.append(str(folder), fresh)


def _scheduled(folder: Path) -> Scheduled:
    data = json.loads((folder / _SCHEDULED).read_text(encoding="utf-8"))
    return Scheduled(
        data["suite"],
        data["began"],
        tuple(Skipped(*each) for each in data["skipped"]),
        tuple((name, job_id) for name, job_id in data["children"]),
        tuple(data["notes"]),
        data["read_at"],
    )


def _from_rows(job: Job, now: datetime.datetime, reason: str) -> Scheduled:
    name = _suite_name(job)
    lost = Skipped(name, Outcome.WARN.value, reason)
    return Scheduled(name, int(now.timestamp()), (lost,), tuple(_children(job)))


def _suite_name(job: Job) -> str:
    spec = suite_request.spec_of(job.id)
    return spec.name if spec is not None else job.name or ""


def _children(job: Job) -> list[tuple[str, int]]:
    """(test name, job id) of every child, retries included, in order of creation."""
    before = f"/{_suite_name(job)}/"
    rows = Job.select(Job.name, Job.id).where(Job.parent_job == job.id).order_by(Job.id).tuples()
    return [((name or "").partition(before)[2] or name or "", job_id) for name, job_id in rows]


def _compose(folder: Path, job: Job, scheduled: Scheduled, results: Sequence[Result], finished: int | None) -> None:
    lines = [_entry("INFO", "", f"Start {scheduled.suite}", "", scheduled.began).render()]
    lines += [_entry("INFO", "", "", note, scheduled.began).render() for note in scheduled.notes]
    for skipped in scheduled.skipped:
        lines += _triple("", skipped.operation, skipped.status, skipped.reason, scheduled.began, scheduled.began)
    for result in results:
        began = result.started or result.finished or scheduled.began
        lines += _triple(result.subdir, result.name, result.status, result.reason, began, result.finished or began)
    _write(folder / "status.log", "".join(lines))
    # The file is composed beside its place, since keyval.append only appends.
    scratch = folder / ".keyval.new"
    scratch.unlink(missing_ok=True)
    for pairs in _keyvals(job, scheduled, results, finished):
        keyval.append(str(scratch), pairs)
    scratch.replace(folder / "keyval")


def _keyvals(
    job: Job, scheduled: Scheduled, results: Sequence[Result], finished: int | None
) -> Iterable[dict[str, object]]:
    """The pairs of the keyval file, in the order in which they are written: later ones win."""
    pairs: dict[str, object] = dict(
        JobKeyval.select(JobKeyval.key, JobKeyval.value).where(JobKeyval.job == job.id).tuples()
    )
    pairs |= {
        "job_queued": int(job.created_on.timestamp()),
        "job_started": scheduled.began,
        "user": job.owner,
        "label": job.name,
        "status_version": 1,
        "scheduled_test_count": len(scheduled.children),
        "scheduled_test_names": repr([name for name, _ in scheduled.children]),
    }
    if scheduled.read_at:
        pairs["artifact_finished_time"] = scheduled.read_at
    if finished is not None:
        pairs["job_finished"] = finished
    yield {key: keyval.writable(value) for key, value in pairs.items()}
    yield {_hashed(name): f"{job_id}-{job.owner or ''}" for name, job_id in scheduled.children}
    yield {_hashed(result.name): result.job_tag for result in results if result.job_tag}
    if finished is not None:
        yield _bugs([job_id for _, job_id in scheduled.children])


def _bugs(job_ids: Sequence[int]) -> dict[str, object]:
    """``<job id>_<test>-Bug_Id`` and ``-Bug_Count`` of each result that a bug was reported for (section 4.5)."""
    found: dict[str, object] = {}
    for some in chunked(job_ids, _ROWS):
        reports = list(BugReport.select(BugReport, Bug).join(Bug).where(BugReport.job.in_(some)).order_by(BugReport.id))
        bugs = {report.bug_id for report in reports}
        counted = BugReport.select(BugReport.bug, fn.COUNT(BugReport.id)).where(BugReport.bug.in_(list(bugs)))
        count = dict(counted.group_by(BugReport.bug).tuples())
        for report in reports:
            key = _NO_KEY.sub("_", f"{report.job_id}_{report.test}")
            found[f"{key}-Bug_Count"] = count[report.bug_id]
            if report.bug.tracker_id:
                found[f"{key}-Bug_Id"] = keyval.writable(report.bug.tracker_id)
    return found


def _hashed(name: str) -> str:
    """The keyval key under which a test's job is found (section 4.5). Not for security."""
    return hashlib.md5(name.encode("utf-8", "surrogateescape"), usedforsecurity=False).hexdigest()


def _triple(subdir: str, operation: str, status: str, reason: str, began: int, finished: int) -> list[str]:
    return [
        _entry("START", subdir, operation, "", began).render(),
        _entry(status, subdir, operation, reason, finished).render(1),
        _entry(f"END {status}", subdir, operation, "", finished).render(),
    ]


def _entry(code: str, subdir: str, operation: str, message: str, when: int) -> StatusEntry:
    local = datetime.datetime.fromtimestamp(when, datetime.timezone.utc).strftime("%b %d %H:%M:%S")
    return StatusEntry(
        code, _one_line(subdir), _one_line(operation), message, {"timestamp": str(when), "localtime": local}
    )


def _one_line(value: object) -> str:
    """Control characters as blanks: the formats cannot hold them."""
    return "".join(char if char.isprintable() else " " for char in str(value))


def _write(path: Path, text: str) -> None:
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    scratch.write_text(text, encoding="utf-8", errors="surrogateescape", newline="\n")
    scratch.replace(path)
