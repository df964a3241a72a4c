"""What a results worker does: turns the results folder of one entry into TestResults, and ends the entry."""

from __future__ import annotations

import datetime
import fcntl
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from autotest import settings
from autotest.celery import app, publish
from autotest.models import database
from autotest.models.afe import HostQueueEntry, Job
from autotest.models.database import held, retried, transaction, utc_now
from autotest.results import offload, parser, store
from autotest.results.notify import outbox
from autotest.results.notify.report import Fault
from autotest.results.parsing import job_folders, parse_log
from autotest.scheduler import entries, suite_folder, suite_request, suite_retries
from autotest.scheduler.suite_results import Result
from autotest.scheduler.wakes import SUITES_QUEUE, Wake
from autotest.settings import Settings
from autotest.states import EntryStatus, Outcome, is_worse
from autotest.suite.spec import SuiteSpec
from autotest.tasks import failed_tasks, run_folders

logger = logging.getLogger(__name__)


@app.task(name="autotest.parse")
def parse(entry_id: int) -> None:
    """Parse the folder of an entry in Parsing, store it, and give the entry its final state.

    A lock on the job's folder keeps a second parser out; it goes with its process, so a killed parser blocks nobody.
    """
    config = settings.load()
    with database.connection():
        entry = HostQueueEntry.get_or_none(HostQueueEntry.id == entry_id)
        if entry is None or entry.status != EntryStatus.PARSING.value:
            return
        # The entries of a group share a folder, and their token.
        with _only_parser(config.results_dir / entry.job.tag, entry.token or f"entry{entry_id}") as alone:
            if not alone:
                return
            stored = _store(config, entry)
        woken = _end(entry_id, utc_now()) if stored else []
    publish(woken)


@retried
def _end(entry_id: int, now: datetime.datetime) -> list[Wake]:
    """Give a parsed entry its final state. In the same transaction its test is sent to run again, or what it found is
    written down for the bug tracker, so that neither is lost or done twice."""
    with transaction():
        entry = held(HostQueueEntry, HostQueueEntry.id == entry_id)
        if entry.status != EntryStatus.PARSING.value:
            return []
        spec = suite_request.spec_of(entry.job.parent_job_id)
        if spec is None or not (spec.job_retry or spec.file_bugs):
            return entries.finish(entry_id)
        judged = suite_retries.judge(entry, now)
        woken = list(judged.wakes)
        if spec.file_bugs:
            woken += _faults_noted(spec, entry, judged.results, now)
        return woken + entries.finish(entry_id)


def _faults_noted(
    spec: SuiteSpec, entry: HostQueueEntry, results: Sequence[Result], now: datetime.datetime
) -> list[Wake]:
    """What was tried and is worse than GOOD is written down for the tracker (control-files-and-suites.md 5.3)."""
    found = [result for result in results if result.was_executed and is_worse(result.status, Outcome.GOOD)]
    job = entry.job
    faults = [
        Fault(
            test=result.name,
            status=result.status,
            reason=result.reason,
            suite=spec.name,
            board=spec.board,
            build=spec.device_build,
            hostname=entry.execution_subdir,
            job_id=job.id,
            suite_job_id=job.parent_job_id,
            folder=result.subdir,
        )
        for result in found
    ]
    return [bugs_due()] if outbox.note(job, faults, spec.bug_template, now) else []


def bugs_due() -> Wake:
    """Reports wait for the bug tracker."""
    return Wake(SUITES_QUEUE, "autotest.report_bugs", (), 8, "reports to the bug tracker", spare=True)


@app.task(name="autotest.report_bugs")
def report_bugs() -> None:
    """Send what is due to the bug tracker, and note in the suites' folders what it calls the bugs."""
    config = settings.load()
    with database.connection():
        while job_ids := outbox.send(config, utc_now()):
            parents = Job.select(Job.parent_job).where(Job.id.in_(job_ids), Job.parent_job.is_null(False)).distinct()
            for (suite_id,) in list(parents.tuples()):
                _note_bugs(config, HostQueueEntry.get(HostQueueEntry.job == suite_id))


def _note_bugs(config: Settings, suite: HostQueueEntry) -> None:
    """A suite that is over is told afterwards; one that runs looks itself when it ends."""
    if not suite.complete and suite.status != EntryStatus.PARSING.value:
        return
    job = suite.job
    folder = suite_folder.place(config.results_dir, job)
    suite_folder.note_bugs(folder, job)
    with _only_parser(config.results_dir / job.tag, f"entry{suite.id}") as alone:
        if alone and folder.is_dir():
            store.save(parser.read(folder), folder.relative_to(config.results_dir).as_posix())


def _store(config: Settings, entry: HostQueueEntry) -> bool:
    """True once the entry may end: its results are stored, or it was tried often enough and the entry says so."""
    try:
        failed_tasks.take_over(config.results_dir, entry)
        folder = run_folders.accept(config.results_dir, entry)
        for each in run_folders.parsed(folder):
            if not job_folders.has_log(each):
                logger.warning("entry %s: %s holds no status log; nothing of it is stored", entry.id, each)
                continue
            result = parser.read(each)
            parse_log.write(each, result, utc_now())
            offload.write(each, result)
            store.save(result, each.relative_to(config.results_dir).as_posix())
    except Exception as problem:
        attempts = entry.parse_attempts + 1
        logger.exception("entry %s: its results could not be stored (attempt %s)", entry.id, attempts)
        given_up = attempts >= config.max_parse_attempts
        columns = {"parse_attempts": attempts}
        if given_up:
            columns |= {"succeeded": False, "reason": f"results could not be stored: {problem}"[:1000]}
        with transaction():
            together = [each.id for each in entries.parsed_with(entry)]
            HostQueueEntry.update(columns).where(HostQueueEntry.id.in_(together)).execute()
        return given_up
    return True


@contextmanager
def _only_parser(folder: Path, attempt: int | str) -> Iterator[bool]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f".parse.{attempt}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
