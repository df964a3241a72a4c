"""Reading: the stored results that somebody exports, page by page, so that memory does not grow with their number."""

from __future__ import annotations

import datetime
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from peewee import chunked

from autotest import errors
from autotest.models.afe import Job
from autotest.models.tko import IterationResult, TestAttribute, TestResult, TkoJob, TkoJobKeyval
from autotest.results import retries
from autotest.results.export.base import Record
from autotest.results.query import fields
from autotest.results.query.fields import Place
from autotest.results.query.questions import Question
from autotest.results.query.selection import Selection

#: Jobs a statement, and results a page: a result may have some thousand values.
_JOBS, _PAGE = 200, 200
_COLUMNS = fields.several("image,board,suite,test,status,reason,host,job_id,job,tag,subdir,started,finished")


def of_job(what: str) -> Any:
    """The results of one job, by its number or by the tag of one folder (``17-ann/host1``). Raises NotFound."""
    if what.isascii() and what.isdigit():
        job_id = retries.job_id_of(what)
        if job_id is None or not _exists(TkoJob.afe_job_id == job_id):
            raise errors.NotFound(f"no results of a job {what} are stored")
        return TkoJob.afe_job_id == job_id
    if not _exists(TkoJob.tag == what):
        raise errors.NotFound(f"no results are stored under {what!r}; a job id, or a tag like 17-ann/host1, is needed")
    return TkoJob.tag == what


def of_suite(suite_id: int) -> Any:
    """The results of a suite job and of all its children. Raises NotFound."""
    condition = (TkoJob.afe_job_id == suite_id) | (TkoJob.afe_parent_job_id == suite_id)
    if not _exists(condition) and not Job.select().where(Job.id == suite_id).exists():
        raise errors.NotFound(f"there is no suite job {suite_id}, and no results of one are stored")
    return condition


def of_build(build: str) -> Any:
    """The results of a build, by version (``R1-1.0.0``) or whole name (``eve-release/R1-1.0.0``). Raises NotFound."""
    condition = TkoJob.build == build if "/" in build else TkoJob.build_version == build
    if not _exists(condition):
        raise errors.NotFound(f"no results of a build {build!r} are stored; `autotest results builds` lists the last")
    return condition


def records(condition: Any, question: Question, now: datetime.datetime) -> Iterator[Record]:
    """The results of the jobs that *condition* (see above) means and *question* does not leave out, oldest job first.

    Raises BadCondition, NotFound (labels). The caller has a connection open.
    """
    selection = Selection(question, now)
    selection.narrowed(Place.JOB, condition)
    jobs = selection.query((), TestResult.job).distinct().order_by(TestResult.job)
    found = [job_idx for (job_idx,) in jobs.tuples()]
    for some in chunked(found, _JOBS):
        last = 0
        while page := _page(selection, some, last):
            yield from _records(selection, page)
            last = page[-1][-1]


def _exists(condition: Any) -> bool:
    return bool(TkoJob.select().where(condition).exists())


def _page(selection: Selection, jobs: Sequence[int], last: int) -> list[Any]:
    query = selection.query(_COLUMNS, TestResult.job, TestResult.test_idx)
    query = query.where(TestResult.job.in_(jobs), TestResult.test_idx > last)
    return list(query.order_by(TestResult.test_idx).limit(_PAGE).tuples())


def _records(selection: Selection, page: list[Any]) -> Iterator[Record]:
    tests = [row[-1] for row in page]
    attributes = _grouped(TestAttribute, TestAttribute.test, TestAttribute.attribute, tests, TestAttribute.id)
    order = IterationResult.iteration
    perf = _grouped(IterationResult, IterationResult.test, IterationResult.attribute, tests, order)
    keyvals = _grouped(TkoJobKeyval, TkoJobKeyval.job, TkoJobKeyval.key, {row[-2] for row in page}, TkoJobKeyval.id)
    for row in page:
        values = (selection.shown(ref, value) for ref, value in zip(_COLUMNS, row[:-2], strict=True))
        image, board, suite, test, status, reason, host, job_id, job, tag, subdir, started, finished = values
        yield Record(
            build=image,
            board=board,
            suite=suite,
            test=test,
            status=status,
            reason=reason or "",
            host=host,
            job_id=job_id,
            job=job,
            folder=(tag or "") + ("" if subdir in (None, "", "----") else f"/{subdir}"),
            started=started,
            finished=finished,
            attributes=attributes[row[-1]],
            keyvals={key: members[-1] for key, members in keyvals[row[-2]].items()},
            perf=perf[row[-1]],
        )


def _grouped(model: Any, owner: Any, name: Any, ids: Any, order: Any) -> dict[int, dict[str, list[Any]]]:
    """The values of each name, in order, by the owner's id."""
    found: dict[int, dict[str, list[Any]]] = defaultdict(dict)
    query = model.select(owner, name, model.value).where(owner.in_(list(ids)), name.is_null(False))
    for index, key, value in query.order_by(owner, order).tuples():
        found[index].setdefault(key, []).append(value)
    return found
