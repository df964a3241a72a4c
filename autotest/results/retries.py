"""Retries: the results of a retry take the place of the original's (results-and-tko.md section 5.7)."""

from __future__ import annotations

import logging

from autotest.models import tko

log = logging.getLogger(__name__)

KEY = "retry_original_job_id"
_LARGEST_ID = 2**31 - 1


def job_id_of(value: object) -> int | None:
    """An AFE job id as keyvals and tags write it; None for anything else."""
    text = "" if value is None else str(value)
    if not (text.isascii() and text.isdigit()) or len(text) > 10:
        return None
    return int(text) if 0 < int(text) <= _LARGEST_ID else None


def invalidate(job: tko.TkoJob) -> None:
    """Let *job* take the place of the job it retries, and the retry of *job*, if that was stored first, take its place.

    A retry whose original left no results is told and otherwise changes nothing, and neither does one that was aborted
    before it came to its end: then the original's results are what is known.
    """
    keyval = tko.TkoJobKeyval
    own = keyval.get_or_none(keyval.job == job.job_idx, keyval.key == KEY)
    original = job_id_of(own.value) if own else None
    if original is not None and original != job.afe_job_id and not _was_aborted(job):
        replaced = list(tko.TkoJob.select().where(tko.TkoJob.afe_job_id == original))
        if not replaced:
            log.warning("%s retries job %d, which has no results; nothing is invalidated", job.tag, original)
        for old in replaced:
            _replace(old, job)
    if job.afe_job_id is not None:
        for later in (
            tko.TkoJob.select()
            .join(keyval)
            .where(keyval.key == KEY, keyval.value == str(job.afe_job_id), tko.TkoJob.job_idx != job.job_idx)
        ):
            if not _was_aborted(later):
                _replace(job, later)


def _was_aborted(job: tko.TkoJob) -> bool:
    keyval = tko.TkoJobKeyval
    return bool(keyval.select().where(keyval.job == job.job_idx, keyval.key == "aborted_by").exists())


def _replace(old: tko.TkoJob, new: tko.TkoJob) -> None:
    row = tko.TestResult
    row.update(invalid=True).where(row.job == old.job_idx).execute()
    partners: dict[tuple[str | None, str | None], int] = {}
    for test in row.select().where(row.job == old.job_idx).order_by(row.test_idx):
        partners.setdefault((test.test, test.subdir), test.test_idx)
    for test in row.select().where(row.job == new.job_idx):
        partner = partners.get((test.test, test.subdir))
        if partner is not None and test.invalidates_test_idx != partner:
            row.update(invalidates_test=partner).where(row.test_idx == test.test_idx).execute()
