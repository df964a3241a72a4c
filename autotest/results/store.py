"""The store: one parsed folder becomes rows of the TKO tables, in one transaction, however often it is parsed."""

from __future__ import annotations

import logging
import re
from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from autotest.models import database, rows, tko
from autotest.models.prepared import Prepared
from autotest.results import retries, store_rows, store_samples
from autotest.results.parsing import kernels
from autotest.results.parsing.records import JobResult, KernelRecord, TestRecord
from autotest.results.store_rows import fit

log = logging.getLogger(__name__)

_TAG = re.compile(r"(\d+)-[^/]*/.*", re.DOTALL)

#: Characters kept of a reason (upstream's column); the whole stays in the folder's status log.
_LONGEST_REASON = 4096

_CHILDREN = (
    tko.TestLabelTest,
    tko.TestAttribute,
    tko.IterationAttribute,
    tko.IterationResult,
    tko.IterationPerfValue,
)

_M, _J, _R, _K = tko.Machine, tko.TkoJob, tko.TaskReference, tko.TkoJobKeyval
_T = tko.TestResult
_COMPARED = (
    _T.test_idx,
    _T.test,
    _T.subdir,
    _T.kernel,
    _T.status,
    _T.reason,
    _T.machine,
    _T.started_time,
    _T.finished_time,
)
_MACHINE = Prepared(lambda name: _M.select(_M.machine_idx, _M.machine_group, _M.owner).where(_M.hostname == name))
_NEW_MACHINE = Prepared(
    lambda name, group, owner: _M.insert(hostname=name, machine_group=group, owner=owner).on_conflict_ignore()
)
_JOB = Prepared(lambda tag: _J.select(_J.job_idx).where(_J.tag == tag))
_NEW_JOB = Prepared(lambda tag, machine: _J.insert(tag=tag, machine=machine).on_conflict_ignore())
_REFERENCES = Prepared(
    lambda job: _R.select(_R.id, _R.reference_type, _R.task_id, _R.parent_task_id).where(_R.tko_job == job)
)
_KEYVALS = Prepared(lambda job: _K.select(_K.id, _K.key, _K.value).where(_K.job == job))
_KERNELS = Prepared(
    lambda digest: (
        tko.Kernel.select(tko.Kernel.kernel_idx)
        .where(tko.Kernel.kernel_hash == digest)
        .order_by(tko.Kernel.kernel_idx)
        .limit(1)
    )
)
_STATUSES = Prepared(lambda: tko.Status.select(tko.Status.word, tko.Status.status_idx))
_TESTS = Prepared(lambda job: _T.select(*_COMPARED).where(_T.job == job).order_by(_T.test_idx))
_INDEXES = Prepared(lambda job: _T.select(_T.test_idx).where(_T.job == job).order_by(_T.test_idx))


@database.retried
def save(result: JobResult, tag: str) -> int:
    """Write a parsed folder under *tag* (``<id>-<owner>/<host>``) and return its job_idx (results-and-tko.md 5.6).

    Parsed before, its rows are matched by (name, subdir), equal ones by order: matched rows keep test_idx, labels,
    ``invalid`` and the attributes that people made; the others go. The same folder again changes no row. Texts are cut
    to their columns. All of it is one transaction. The caller has a connection open.
    """
    with database.transaction():
        machine_idx = _machine(result)
        job, is_new = _job(result, tag, machine_idx)
        _task_reference(job, is_new)
        _job_keyvals(job.job_idx, result.job.keyvals, is_new)
        stored = [] if is_new else list(_stored_tests(job.job_idx))
        indexes, known = _tests(job.job_idx, _wanted(result.tests, machine_idx), stored)
        store_samples.write(indexes, result.tests, known)
        retries.invalidate(job)
    log.info("stored %s: %d tests", tag, len(result.tests), extra={"action": "results_stored", "tag": tag})
    return job.job_idx


def tag_of(path: str) -> str:
    """The tag of a folder that lies at *path* below the results, as the database holds it."""
    return store_rows.text(path, _J.tag.max_length)


def _machine(result: JobResult) -> int:
    job = result.job
    hostname = fit(_M.hostname, job.machine)
    fallback = f"{job.owner}/{job.machine}" if job.owner else job.machine
    group = fit(_M.machine_group, job.machine_group or fallback)
    owner = fit(_M.owner, job.owner)
    found = _MACHINE.row(hostname)
    if found is None:
        _NEW_MACHINE.changed(hostname, group, owner)
        found = _MACHINE.row(hostname)
        assert found is not None
    if hostname and found[1:] != (group, owner):
        rows.change(_M, {"machine_group": group, "owner": owner}, machine_idx=found[0])
    return int(found[0])


def _job(result: JobResult, tag: str, machine_idx: int) -> tuple[tko.TkoJob, bool]:
    """The row of the job, locked until the transaction ends, and whether it is new, so that nothing hangs on it."""
    job = result.job
    found = _TAG.fullmatch(tag)
    values = {
        "label": fit(_J.label, job.label),
        "username": fit(_J.username, job.user),
        "machine": machine_idx,
        "queued_time": job.queued_time,
        "started_time": job.started_time,
        "finished_time": job.finished_time,
        "afe_job_id": retries.job_id_of(found[1] if found else None),
        "afe_parent_job_id": retries.job_id_of(job.keyvals.get("parent_job_id")),
        "build": fit(_J.build, job.build),
        "build_version": fit(_J.build_version, job.build_version),
        "suite": fit(_J.suite, job.suite),
        "board": fit(_J.board, job.board),
    }
    stored_tag = tag_of(tag)
    # The update comes before every read of the job's rows: on MariaDB it is what keeps two parses of one tag apart.
    is_new = False
    if not rows.change(_J, values, tag=stored_tag):
        is_new = bool(_NEW_JOB.changed(stored_tag, machine_idx))
        rows.change(_J, values, tag=stored_tag)
    index = _JOB.row(stored_tag)
    assert index is not None
    return _J(job_idx=index[0], tag=stored_tag, **values), is_new


def _task_reference(job: tko.TkoJob, is_new: bool) -> None:
    if job.afe_job_id is None:
        return
    parent = None if job.afe_parent_job_id is None else str(job.afe_parent_job_id)
    values = ("afe", str(job.afe_job_id), parent)
    stored = [] if is_new else _REFERENCES.rows(job.job_idx)
    if not stored:
        store_rows.insert((_R.tko_job, _R.reference_type, _R.task_id, _R.parent_task_id), [(job.job_idx, *values)])
    for index, *old in stored:
        if tuple(old) != values:
            columns = zip(("reference_type", "task_id", "parent_task_id"), values, strict=True)
            rows.change(_R, dict(columns), id=index)


def _job_keyvals(job_idx: int, pairs: Mapping[str, object], is_new: bool) -> None:
    wanted = {fit(_K.key, key): fit(_K.value, value) for key, value in pairs.items()}
    found = [] if is_new else _KEYVALS.rows(job_idx)
    stored = {key: (index, value) for index, key, value in found}
    for key, (index, value) in stored.items():
        if wanted.get(key, value) != value:
            rows.change(_K, {"value": wanted[key]}, id=index)
    store_rows.insert(
        (_K.job, _K.key, _K.value), [(job_idx, key, value) for key, value in wanted.items() if key not in stored]
    )


def _kernels(records: Iterable[KernelRecord]) -> dict[str, int]:
    """kernel_idx by hash; kernels seen for the first time are inserted with their patches."""
    indexes: dict[str, int] = {}
    for record in {record.kernel_hash: record for record in records}.values():
        found = _KERNELS.row(record.kernel_hash)
        indexes[record.kernel_hash] = found[0] if found else _new_kernel(record)
    return indexes


def _new_kernel(record: KernelRecord) -> int:
    base = fit(tko.Kernel.base, record.base)
    kernel = tko.Kernel.create(kernel_hash=record.kernel_hash, base=base)
    kernel.printable = fit(tko.Kernel.printable, kernels.printable(record, kernel.kernel_idx))
    kernel.save()
    patch = tko.Patch
    store_rows.insert(
        (patch.kernel, patch.name, patch.url, patch.hash),
        (
            (kernel.kernel_idx, fit(patch.name, url.rpartition("/")[2]), fit(patch.url, url), fit(patch.hash, digest))
            for _spec, url, digest in record.patches
        ),
    )
    return kernel.kernel_idx


def _wanted(tests: Sequence[TestRecord], machine_idx: int) -> list[dict[str, Any]]:
    """The test rows as they should be, by column name."""
    kernel_of = _kernels(test.kernel for test in tests)
    statuses = dict(_STATUSES.rows())
    return [
        {
            "test": fit(_T.test, test.name),
            "subdir": fit(_T.subdir, test.subdir),
            "kernel": kernel_of[test.kernel.kernel_hash],
            "status": statuses[test.status.value],
            "reason": store_rows.text(test.reason, _LONGEST_REASON),
            "machine": machine_idx,
            "started_time": test.started_time,
            "finished_time": test.finished_time,
        }
        for test in tests
    ]


def _stored_tests(job_idx: int) -> Iterator[dict[str, Any]]:
    """The test rows of a job in order, by column name, with their test_idx."""
    for values in _TESTS.rows(job_idx):
        yield {field.name: field.python_value(value) for field, value in zip(_COMPARED, values, strict=True)}


def _tests(
    job_idx: int, wanted: Sequence[Mapping[str, Any]], stored: Sequence[Mapping[str, Any]]
) -> tuple[list[int], set[int]]:
    """Bring the rows *stored* to *wanted*; returns the test_idx, parallel to *wanted*, and which of them stay."""
    left: dict[tuple[str | None, str | None], deque[Mapping[str, Any]]] = defaultdict(deque)
    for row in stored:
        left[row["test"], row["subdir"]].append(row)
    matched = [same.popleft() if (same := left.get((values["test"], values["subdir"]))) else None for values in wanted]
    for values, old in zip(wanted, matched, strict=True):
        if old and any(old[key] != value for key, value in values.items()):
            rows.change(_T, dict(values), test_idx=old["test_idx"])
    before = {row["test_idx"] for row in stored}
    fresh = _insert_tests(job_idx, [values for values, old in zip(wanted, matched, strict=True) if not old], before)
    # After the new ones came: SQLite would give them the numbers of those that go.
    _delete(job_idx, [row["test_idx"] for rest in left.values() for row in rest])
    indexes = [old["test_idx"] if old else fresh.popleft() for old in matched]
    return indexes, {old["test_idx"] for old in matched if old}


def _insert_tests(job_idx: int, values: Sequence[Mapping[str, Any]], before: Collection[int]) -> deque[int]:
    """Insert test rows and return their test_idx in the same order, which is the order of insertion everywhere."""
    if not values:
        return deque()
    fields = [getattr(_T, name) for name in values[0]]
    store_rows.insert(
        (*fields, _T.job, _T.invalid),
        [(*(field.db_value(one[field.name]) for field in fields), job_idx, False) for one in values],
    )
    return deque(index for (index,) in _INDEXES.rows(job_idx) if index not in before)


def _delete(job_idx: int, indexes: list[int]) -> None:
    row = tko.TestResult
    for some in store_rows.chunks(indexes):
        # A result that a retry invalidates may go; the retry's own row must not go with it.
        row.update(invalidates_test=None).where(row.invalidates_test.in_(some)).execute()
        for child in _CHILDREN:
            child.delete().where(child.test.in_(some)).execute()
        row.delete().where(row.test_idx.in_(some)).execute()
    if indexes:
        log.info("job_idx %d: %d results are no longer in the folder", job_idx, len(indexes))
