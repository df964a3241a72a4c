"""The store: one parsed folder becomes rows of the TKO tables, in one transaction, however often it is parsed."""

from __future__ import annotations

import logging
import re
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import peewee

from autotest.models import database, tko
from autotest.results import kernels, retries, store_rows, store_samples
from autotest.results.records import JobResult, KernelRecord, TestRecord
from autotest.results.store_rows import fit

log = logging.getLogger(__name__)

_TAG = re.compile(r"(\d+)-[^/]*/.*", re.DOTALL)

#: Characters kept of a reason (upstream's column); the whole stays in the folder's status log.
_LONGEST_REASON = 4096


@database.retried
def save(result: JobResult, tag: str) -> int:
    """Write a parsed folder under *tag* (``<id>-<owner>/<host>``) and return its job_idx (results-and-tko.md 5.6).

    Parsed before, its rows are matched by (name, subdir), equal ones by order: matched rows keep test_idx, labels,
    ``invalid`` and the attributes that people made; the others go. The same folder again changes no row. Texts are cut
    to their columns. All of it is one transaction. The caller has a connection open.
    """
    with database.transaction():
        machine_idx = _machine(result)
        job = _job(result, tag, machine_idx)
        _task_reference(job)
        _job_keyvals(job.job_idx, result.job.keyvals)
        kernel_of = _kernels(test.kernel for test in result.tests)
        indexes, known = _tests(job.job_idx, machine_idx, result.tests, kernel_of)
        store_samples.write(indexes, result.tests, known)
        retries.invalidate(job)
    log.info("stored %s: %d tests", tag, len(result.tests), extra={"action": "results_stored", "tag": tag})
    return job.job_idx


def _machine(result: JobResult) -> int:
    job = result.job
    hostname = fit(tko.Machine.hostname, job.machine)
    fallback = f"{job.owner}/{job.machine}" if job.owner else job.machine
    group = fit(tko.Machine.machine_group, job.machine_group or fallback)
    owner = fit(tko.Machine.owner, job.owner)
    values = {"machine_group": group, "owner": owner}
    tko.Machine.insert(hostname=hostname, **values).on_conflict_ignore().execute()
    if hostname:
        tko.Machine.update(values).where(tko.Machine.hostname == hostname).execute()
    return tko.Machine.get(tko.Machine.hostname == hostname).machine_idx


def _job(result: JobResult, tag: str, machine_idx: int) -> tko.TkoJob:
    job = result.job
    found = _TAG.fullmatch(tag)
    columns = tko.TkoJob
    values = {
        "label": fit(columns.label, job.label),
        "username": fit(columns.username, job.user),
        "machine": machine_idx,
        "queued_time": job.queued_time,
        "started_time": job.started_time,
        "finished_time": job.finished_time,
        "afe_job_id": retries.job_id_of(found[1] if found else None),
        "afe_parent_job_id": retries.job_id_of(job.keyvals.get("parent_job_id")),
        "build": fit(columns.build, job.build),
        "build_version": fit(columns.build_version, job.build_version),
        "suite": fit(columns.suite, job.suite),
        "board": fit(columns.board, job.board),
    }
    stored_tag = fit(columns.tag, tag)
    columns.insert(tag=stored_tag, machine=machine_idx).on_conflict_ignore().execute()
    # The update comes before every read of the job's rows: on MariaDB it is what keeps two parses of one tag apart.
    columns.update(values).where(columns.tag == stored_tag).execute()
    return columns.get(columns.tag == stored_tag)


def _task_reference(job: tko.TkoJob) -> None:
    if job.afe_job_id is None:
        return
    parent = None if job.afe_parent_job_id is None else str(job.afe_parent_job_id)
    values = {"reference_type": "afe", "task_id": str(job.afe_job_id), "parent_task_id": parent}
    changed = tko.TaskReference.update(values).where(tko.TaskReference.tko_job == job.job_idx).execute()
    if not changed and not tko.TaskReference.select().where(tko.TaskReference.tko_job == job.job_idx).exists():
        tko.TaskReference.create(tko_job=job.job_idx, **values)


def _job_keyvals(job_idx: int, pairs: Mapping[str, object]) -> None:
    row = tko.TkoJobKeyval
    wanted = {fit(row.key, key): fit(row.value, value) for key, value in pairs.items()}
    stored = {old.key: old for old in row.select().where(row.job == job_idx)}
    for key, old in stored.items():
        if wanted.get(key, old.value) != old.value:
            row.update(value=wanted[key]).where(row.id == old.id).execute()
    fresh = ((job_idx, key, value) for key, value in wanted.items() if key not in stored)
    store_rows.insert((row.job, row.key, row.value), fresh)


def _kernels(records: Iterable[KernelRecord]) -> dict[str, int]:
    """kernel_idx by hash; kernels seen for the first time are inserted with their patches."""
    indexes: dict[str, int] = {}
    for record in {record.kernel_hash: record for record in records}.values():
        same = tko.Kernel.select().where(tko.Kernel.kernel_hash == record.kernel_hash)
        found = same.order_by(tko.Kernel.kernel_idx).first()
        indexes[record.kernel_hash] = found.kernel_idx if found else _new_kernel(record)
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


def _statuses() -> dict[str, int]:
    return {row.word: row.status_idx for row in tko.Status.select()}


def _tests(
    job_idx: int, machine_idx: int, tests: Sequence[TestRecord], kernel_of: Mapping[str, int]
) -> tuple[list[int], set[int]]:
    """Bring the test rows of a job to *tests*; returns their test_idx, parallel to *tests*, and which of them stay."""
    row = tko.TestResult
    statuses = _statuses()
    wanted: list[dict[str, Any]] = [
        {
            "test": fit(row.test, test.name),
            "subdir": fit(row.subdir, test.subdir),
            "kernel": kernel_of[test.kernel.kernel_hash],
            "status": statuses[test.status.value],
            "reason": store_rows.text(test.reason, _LONGEST_REASON),
            "machine": machine_idx,
            "started_time": test.started_time,
            "finished_time": test.finished_time,
        }
        for test in tests
    ]
    stored: dict[tuple[str | None, str | None], deque[dict[str, Any]]] = defaultdict(deque)
    for old in row.select().where(row.job == job_idx).order_by(row.test_idx).dicts():
        stored[old["test"], old["subdir"]].append(old)
    matched = [
        stored[values["test"], values["subdir"]].popleft() if stored[values["test"], values["subdir"]] else None
        for values in wanted
    ]
    for values, old in zip(wanted, matched, strict=True):
        if old and any(old[key] != value for key, value in values.items()):
            row.update(values).where(row.test_idx == old["test_idx"]).execute()
    fresh = _insert_tests(job_idx, [values for values, old in zip(wanted, matched, strict=True) if not old])
    # After the new ones came: SQLite would give them the numbers of those that go.
    _delete(job_idx, [old["test_idx"] for left in stored.values() for old in left])
    indexes = [old["test_idx"] if old else fresh.popleft() for old in matched]
    return indexes, {old["test_idx"] for old in matched if old}


def _insert_tests(job_idx: int, values: list[dict[str, Any]]) -> deque[int]:
    """Insert test rows and return their test_idx in the same order, which is the order of insertion everywhere."""
    row = tko.TestResult
    before = {index for (index,) in row.select(row.test_idx).where(row.job == job_idx).tuples()}
    fields = [getattr(row, name) for name in values[0]] if values else []
    store_rows.insert(
        (*fields, row.job, row.invalid),
        ((*(field.db_value(one[field.name]) for field in fields), job_idx, False) for one in values),
    )
    after = row.select(row.test_idx).where(row.job == job_idx).order_by(row.test_idx).tuples()
    return deque(index for (index,) in after if index not in before)


def _delete(job_idx: int, indexes: list[int]) -> None:
    row = tko.TestResult
    for some in peewee.chunked(indexes, store_rows.MOST):
        # A result that a retry invalidates may go; the retry's own row must not go with it.
        row.update(invalidates_test=None).where(row.invalidates_test.in_(some)).execute()
        for child in (tko.TestLabelTest, tko.TestAttribute, tko.IterationAttribute, tko.IterationResult):
            child.delete().where(child.test.in_(some)).execute()
        row.delete().where(row.test_idx.in_(some)).execute()
    if indexes:
        log.info("job_idx %d: %d results are no longer in the folder", job_idx, len(indexes))
