"""Parsed folders as JSON: the form of the project's test vectors (tests/vectors/status_logs/README.md)."""

from __future__ import annotations

import dataclasses
import datetime
import math
from typing import Any

from autotest.results.parsing.records import Iteration, JobResult, KernelRecord, KeyvalValue, PerfValue, TestRecord

_JOB_KEYS = (
    "user",
    "label",
    "machine",
    "machine_group",
    "owner",
    "queued_time",
    "started_time",
    "finished_time",
    "aborted_by",
    "aborted_on",
)


def tests(result: JobResult) -> list[dict[str, Any]]:
    """One object a test, in order of first creation. Times are ``YYYY-MM-DD HH:MM:SS`` in UTC or None."""
    return [_test(test) for test in result.tests]


def full(result: JobResult) -> dict[str, Any]:
    """Tests, kernels and perf values (both parallel to the tests), the job record and what was odd."""
    return {
        "tests": tests(result),
        "kernels": [_kernel(test.kernel) for test in result.tests],
        "perf_values": [[_perf_value(value) for value in test.perf_values] for test in result.tests],
        "job": {key: _time_or_text(getattr(result.job, key)) for key in _JOB_KEYS},
        "oddities": list(result.oddities),
    }


def _test(test: TestRecord) -> dict[str, Any]:
    return {
        "testname": test.name,
        "subdir": test.subdir,
        "status": test.status.value,
        "reason": test.reason,
        "started_time": _time_or_text(test.started_time),
        "finished_time": _time_or_text(test.finished_time),
        "attributes": {key: _finite(value) for key, value in test.attributes.items()},
        "iterations": [_iteration(iteration) for iteration in test.iterations],
    }


def _iteration(iteration: Iteration) -> dict[str, Any]:
    if iteration.text:
        # The form shows what version 0 wrote as it was written.
        return {"index": iteration.index, "attr": {}, "perf": dict(iteration.text)}
    perf = {key: _finite(value) for key, value in iteration.perf.items()}
    return {"index": iteration.index, "attr": dict(iteration.attr), "perf": perf}


def _kernel(kernel: KernelRecord) -> dict[str, Any]:
    patches = [list(patch) for patch in kernel.patches]
    return {"base": kernel.base, "kernel_hash": kernel.kernel_hash, "patches": patches}


def _perf_value(value: PerfValue) -> dict[str, Any]:
    return {**dataclasses.asdict(value), "value": _finite(value.value), "stddev": _finite(value.stddev)}


def _time_or_text(value: datetime.datetime | str | None) -> str | None:
    if isinstance(value, datetime.datetime):
        return value.replace(tzinfo=None).isoformat(" ", "seconds")
    return value


def _finite(value: KeyvalValue | None) -> KeyvalValue | None:
    """JSON has no NaN and no infinities: they become the words ``NaN``, ``Infinity``, ``-Infinity``."""
    if not isinstance(value, float) or math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
