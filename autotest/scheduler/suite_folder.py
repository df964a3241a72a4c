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
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from autotest.client import keyval
from autotest.client.status_log import StatusEntry
from autotest.models.afe import HostQueueEntry, Job, JobKeyval
from autotest.models.tko import Status, TestResult, TkoJob
from autotest.states import Outcome

_SCHEDULED = "scheduled.json"


class Skipped(NamedTuple):
    """A test without a job: TEST_NA, a control file that does not parse, or a suite that cannot be scheduled."""

    operation: str
    status: str
    reason: str


@dataclasses.dataclass(frozen=True)
class Scheduled:
    """What the suite decided when it ran; *children* are (test name, job id). *began* in epoch seconds."""

    suite: str
    began: int
    skipped: tuple[Skipped, ...]
    children: tuple[tuple[str, int], ...]


class Result(NamedTuple):
    """One test of one child as TKO holds it. Times in epoch seconds."""

    name: str
    subdir: str
    status: str
    reason: str
    started: int | None
    finished: int | None
    job_tag: str


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
    results = list(_results(scheduled))
    _compose(folder, job, scheduled, results, int(now.timestamp()))
    _write(folder / ".autoserv_execute", f"{os.getpid()}\n{exit_status << 8}\n0\n")


def _scheduled(folder: Path) -> Scheduled:
    data = json.loads((folder / _SCHEDULED).read_text(encoding="utf-8"))
    return Scheduled(
        data["suite"],
        data["began"],
        tuple(Skipped(*each) for each in data["skipped"]),
        tuple((name, job_id) for name, job_id in data["children"]),
    )


def _from_rows(job: Job, now: datetime.datetime, reason: str) -> Scheduled:
    children = tuple(
        ((child.name or "").rsplit("/", 1)[-1], child.id) for child in Job.select().where(Job.parent_job == job.id)
    )
    suite = JobKeyval.get_or_none(JobKeyval.job == job.id, JobKeyval.key == "suite")
    name = suite.value if suite is not None else job.name or ""
    return Scheduled(name, int(now.timestamp()), (Skipped(name, Outcome.WARN.value, reason),), children)


def _compose(folder: Path, job: Job, scheduled: Scheduled, results: list[Result], finished: int | None) -> None:
    lines = [_entry("INFO", "", f"Start {scheduled.suite}", "", scheduled.began).render()]
    for skipped in scheduled.skipped:
        lines += _triple("", skipped.operation, skipped.status, skipped.reason, scheduled.began, scheduled.began)
    for result in results:
        began = result.started or result.finished or scheduled.began
        lines += _triple(result.subdir, result.name, result.status, result.reason, began, result.finished or began)
    _write(folder / "status.log", "".join(lines))
    # The file is composed beside its place, since keyval.append only appends.
    scratch = folder / ".keyval.new"
    scratch.unlink(missing_ok=True)
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
    if finished is not None:
        pairs["job_finished"] = finished
    keyval.append(str(scratch), {key: _one_line(value).replace("#", " ") for key, value in pairs.items()})
    owner = job.owner or ""
    keyval.append(str(scratch), {_hashed(name): f"{job_id}-{owner}" for name, job_id in scheduled.children})
    keyval.append(str(scratch), {_hashed(result.name): result.job_tag.partition("/")[0] for result in results})
    scratch.replace(folder / "keyval")


def _hashed(name: str) -> str:
    """The keyval key under which a test's job is found (section 4.5). Not for security."""
    return hashlib.md5(name.encode("utf-8", "surrogateescape"), usedforsecurity=False).hexdigest()


def _results(scheduled: Scheduled) -> Iterator[Result]:
    for name, job_id in scheduled.children:
        rows = [
            Result(
                row.test or "",
                row.subdir or "",
                row.status.word,
                row.reason or "",
                row.started_time and int(row.started_time.timestamp()),
                row.finished_time and int(row.finished_time.timestamp()),
                row.job.tag or "",
            )
            for row in TestResult.select(TestResult, Status, TkoJob)
            .join(Status)
            .switch(TestResult)
            .join(TkoJob)
            .where(TkoJob.afe_job_id == job_id, TestResult.invalid == False)  # noqa: E712 - an SQL expression
            .order_by(TestResult.test_idx)
        ]
        tests = [row for row in rows if not row.name.startswith(("SERVER_JOB", "CLIENT_JOB"))]
        yield from (row._replace(subdir="/".join(filter(None, (row.job_tag, row.subdir)))) for row in tests)
        if any(row.status != Outcome.GOOD.value for row in tests):
            continue
        jobs = [row for row in rows if row not in tests and row.status != Outcome.GOOD.value]
        yield from (row._replace(name=f"{name}_{row.name}", subdir=row.job_tag) for row in jobs)
        entry = HostQueueEntry.get(HostQueueEntry.job == job_id)
        if not rows and entry.complete:
            reason = entry.reason or "Timed out, did not run."
            yield Result(name, "", Outcome.ABORT.value, reason, None, None, f"{job_id}-{entry.job.owner}")


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
