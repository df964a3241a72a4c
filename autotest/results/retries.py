"""Retries: the results of a retry take the place of the original's (results-and-tko.md section 5.7)."""

from __future__ import annotations

import logging

from autotest.models import tko
from autotest.models.prepared import Prepared

log = logging.getLogger(__name__)

KEY = "retry_original_job_id"
_LARGEST_ID = 2**31 - 1


def job_id_of(value: object) -> int | None:
    """An AFE job id as keyvals and tags write it; None for anything else."""
    text = "" if value is None else str(value)
    if not (text.isascii() and text.isdigit()) or len(text) > 10:
        return None
    return int(text) if 0 < int(text) <= _LARGEST_ID else None


_J, _K, _T = tko.TkoJob, tko.TkoJobKeyval, tko.TestResult
_VALUE = Prepared(lambda job, key: _K.select(_K.value).where(_K.job == job, _K.key == key))
_OF_AFE_JOB = Prepared(lambda job_id: _J.select(_J.job_idx).where(_J.afe_job_id == job_id))
_RETRIES = Prepared(
    lambda job_id, job: _J.select(_J.job_idx).join(_K).where(_K.key == KEY, _K.value == job_id, _J.job_idx != job)
)


def invalidate(job: tko.TkoJob) -> None:
    """Let *job* take the place of the job it retries, and the retry of *job*, if that was stored first, take its place.

    A retry whose original left no results is told and otherwise changes nothing, and neither does one that was aborted
    before it came to its end: then the original's results are what is known.
    """
    own = _VALUE.row(job.job_idx, KEY)
    original = job_id_of(own[0]) if own else None
    if original is not None and original != job.afe_job_id and not _was_aborted(job.job_idx):
        replaced = _OF_AFE_JOB.rows(original)
        if not replaced:
            log.warning("%s retries job %d, which has no results; nothing is invalidated", job.tag, original)
        for (old,) in replaced:
            _replace(old, job.job_idx)
    if job.afe_job_id is not None:
        for (later,) in _RETRIES.rows(str(job.afe_job_id), job.job_idx):
            if not _was_aborted(later):
                _replace(job.job_idx, later)


def _was_aborted(job_idx: int) -> bool:
    return _VALUE.row(job_idx, "aborted_by") is not None


def _replace(old: int, new: int) -> None:
    """The results of the job *new* take the place of those of *old* (job_idx)."""
    _T.update(invalid=True).where(_T.job == old).execute()
    partners: dict[tuple[str | None, str | None], int] = {}
    for test in _T.select().where(_T.job == old).order_by(_T.test_idx):
        partners.setdefault((test.test, test.subdir), test.test_idx)
    for test in _T.select().where(_T.job == new):
        partner = partners.get((test.test, test.subdir))
        if partner is not None and test.invalidates_test_idx != partner:
            _T.update(invalidates_test=partner).where(_T.test_idx == test.test_idx).execute()
