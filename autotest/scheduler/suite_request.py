"""What a suite was asked for, kept as JSON beside its job, and what its suite file then decided."""

from __future__ import annotations

import dataclasses
import datetime
import json
from collections.abc import Mapping
from typing import Any

from autotest import errors
from autotest.models.afe import Job
from autotest.models.prepared import Prepared
from autotest.models.suite import SuiteRequest
from autotest.suite.spec import SuiteSpec


@dataclasses.dataclass(frozen=True)
class Asked:
    """A suite as the caller wants it. *suite_args* reach its suite file over all else; *control_file* is the text of
    that file, '' for the one in the build."""

    spec: SuiteSpec
    suite_args: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    control_file: str = ""


def keep(job: Job, asked: Asked, begins_at: datetime.datetime | None) -> None:
    """Write down what *job* was asked for. Runs inside the caller's transaction."""
    arguments = {"spec": asked.spec.to_json(), "suite_args": dict(asked.suite_args)}
    SuiteRequest.create(
        job=job, arguments=json.dumps(arguments), begins_at=begins_at, retries_left=asked.spec.max_retries
    )


def asked(job_id: int) -> Asked:
    """What the suite job was asked for. Raises NotFound for a suite that another version made."""
    row = SuiteRequest.get_or_none(SuiteRequest.job == job_id)
    if row is None:
        raise errors.NotFound(f"suite job {job_id} has no request: an older version made it; create it again")
    arguments = json.loads(row.arguments)
    return Asked(SuiteSpec.from_json(arguments["spec"]), arguments["suite_args"])


def decide(job_id: int, spec: SuiteSpec) -> None:
    """Write down what the suite file made of the request. Runs inside the caller's transaction."""
    SuiteRequest.update(decided=json.dumps(spec.to_json()), retries_left=spec.max_retries).where(
        SuiteRequest.job == job_id
    ).execute()


def spec_of(job_id: int | None) -> SuiteSpec | None:
    """The spec that the suite job runs by: decided, else asked for; None for a job that is no suite."""
    row = SuiteRequest.get_or_none(SuiteRequest.job == job_id)
    if row is None:
        return None
    return SuiteSpec.from_json(json.loads(row.decided) if row.decided else json.loads(row.arguments)["spec"])


def begins_at(job_id: int) -> datetime.datetime | None:
    """Before when the suite's children are not made; None when they may be made at once."""
    row = SuiteRequest.get_or_none(SuiteRequest.job == job_id)
    found: datetime.datetime | None = row.begins_at if row is not None else None
    return found


def test_args(job: Job) -> dict[str, Any]:
    """What the test of *job*, a child of a suite, is given as args_dict; {} for other jobs."""
    row = _SPECS.row(job.parent_job_id) if job.parent_job_id is not None else None
    if row is None:
        return {}
    decided, arguments = row
    spec = json.loads(decided) if decided else json.loads(arguments)["spec"]
    return dict(spec["test_args"])


_SPECS = Prepared(
    lambda job: SuiteRequest.select(SuiteRequest.decided, SuiteRequest.arguments).where(SuiteRequest.job == job)
)
