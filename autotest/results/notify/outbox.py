"""The outbox: reports are written down with the result they are about, and sent until the bug tracker took them."""

from __future__ import annotations

import datetime
import json
import logging
from collections.abc import Iterable, Mapping
from typing import Any

from peewee import fn

from autotest import control_file, errors, plugins
from autotest.models.afe import Job
from autotest.models.database import retried, transaction
from autotest.models.suite import Bug, BugReport
from autotest.results.notify import base, report
from autotest.results.notify.report import Fault, Report
from autotest.settings import Settings

GROUP = "autotest.bugs"
#: Whoever sends a report has so long; then another one may.
_SENDING = datetime.timedelta(minutes=2)
_FIRST_PAUSE, _LONGEST_PAUSE = datetime.timedelta(seconds=10), datetime.timedelta(hours=1)
#: Reports of one batch.
_BATCH = 100
_LONGEST_ID = Bug.tracker_id.max_length

log = logging.getLogger(__name__)


def note(job: Job, faults: Iterable[Fault], suite_template: Mapping[str, Any], now: datetime.datetime) -> bool:
    """Write down a report of each of the *faults* of *job*. Runs inside the caller's transaction, and noted twice a
    fault is one report. True when there is something to send."""
    found = list(faults)
    if not found:
        return False
    template = report.merged(_template_of(job), suite_template)
    for fault in found:
        Bug.insert(fingerprint=fault.fingerprint).on_conflict_ignore().execute()
        bug = Bug.get(Bug.fingerprint == fault.fingerprint)
        text = json.dumps(report.of(fault, template).to_json())
        test = fault.test[: BugReport.test.max_length]
        BugReport.insert(bug=bug, job=job, test=test, report=text, due_at=now).on_conflict_ignore().execute()
    return True


def is_waiting(now: datetime.datetime) -> bool:
    """Whether a report is due."""
    return bool(BugReport.select().where(BugReport.due_at <= now).exists())


def send(settings: Settings, now: datetime.datetime) -> list[int]:
    """Send reports that are due to the tracker of *settings*, one for each bug; what it does not take is due later.

    Returns the jobs whose results it took, so that the caller sends again until there is none. Runs outside of any
    transaction: a tracker may take its time.
    """
    sent: list[int] = []
    tracker: base.BugTracker | None = None
    for row in _due(now):
        if not _claimed(row, now):
            continue
        try:
            tracker = tracker or plugins.one_of(GROUP, settings.bug_tracker)(settings)
            _send(tracker, row)
        except Exception as problem:
            # A tracker of somebody else's may raise anything; a report is never lost by that.
            if not isinstance(problem, (errors.LabError, errors.RequestError)):
                log.exception("bug report %d: the tracker %s failed", row.id, settings.bug_tracker)
            _later(row, problem, now)
            if tracker is None or isinstance(problem, errors.BugTrackerFailed):
                # What comes next would meet the same.
                break
        else:
            sent.append(row.job_id)
    return sent


def _due(now: datetime.datetime) -> list[BugReport]:
    """The oldest first. Of those about one bug only the oldest one that is left, which may have to open it."""
    elder = BugReport.alias()
    left = elder.select().where(elder.bug == BugReport.bug, elder.id < BugReport.id, elder.due_at.is_null(False))
    first = BugReport.select().where(BugReport.due_at <= now, ~fn.EXISTS(left))
    return list(first.order_by(BugReport.id).limit(_BATCH))


@retried
def _claimed(row: BugReport, now: datetime.datetime) -> bool:
    """Compare and set: of all who send, one sends this one."""
    with transaction():
        mine = BugReport.update(due_at=now + _SENDING).where(BugReport.id == row.id, BugReport.due_at == row.due_at)
        return bool(mine.execute())


def _send(tracker: base.BugTracker, row: BugReport) -> None:
    told = Report.from_json(json.loads(row.report))
    bug = Bug.get_by_id(row.bug_id)
    tracker_id = bug.tracker_id
    if tracker_id:
        tracker.again(tracker_id, told)
    else:
        tracker_id = tracker.file(told)
        if not tracker_id or len(tracker_id) > _LONGEST_ID:
            raise errors.BugTrackerFailed(f"the tracker calls a bug {tracker_id[:40]!r}; 1 to {_LONGEST_ID} are needed")
    _done(row, tracker_id)


@retried
def _done(row: BugReport, tracker_id: str) -> None:
    with transaction():
        Bug.update(tracker_id=tracker_id).where(Bug.id == row.bug_id).execute()
        BugReport.update(due_at=None, problem="").where(BugReport.id == row.id).execute()


@retried
def _later(row: BugReport, problem: Exception, now: datetime.datetime) -> None:
    pause = min(_FIRST_PAUSE * 2 ** min(row.attempts, 20), _LONGEST_PAUSE)
    log.warning("bug report %d is sent again in %s: %s", row.id, pause, problem)
    with transaction():
        BugReport.update(
            due_at=now + pause, attempts=BugReport.attempts + 1, problem=str(problem)[: BugReport.problem.max_length]
        ).where(BugReport.id == row.id).execute()


def _template_of(job: Job) -> Mapping[str, Any] | None:
    """The BUG_TEMPLATE of the job's control file; None when it has none, or cannot be read any more."""
    try:
        return control_file.parse(job.control_file or "").bug_template
    except errors.ControlFileError:
        return None
