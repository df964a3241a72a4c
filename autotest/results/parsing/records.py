"""What a parsed results folder holds: one job, its tests in the order in which the parser first met them."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping
from typing import NamedTuple

from autotest.states import Outcome

KeyvalValue = int | float | str


@dataclasses.dataclass(frozen=True)
class KernelRecord:
    """What the machine booted (results-and-tko.md section 8). *patches* are (spec, reference, hash)."""

    base: str = "UNKNOWN"
    kernel_hash: str = "UNKNOWN"
    patches: tuple[tuple[str, str, str], ...] = ()


@dataclasses.dataclass(frozen=True)
class Iteration:
    """One block of ``results/keyval`` (section 2.2). *index* counts from 1; an empty block is a gap.

    *text* is what a log of version 0 wrote, before numbers were made of it; empty for version 1.
    """

    index: int
    attr: Mapping[str, str]
    perf: Mapping[str, float]
    text: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class PerfValue:
    """One metric of a test, from its chart or its perf_measurements (sections 2.4 and 2.5).

    *value* is the mean of the *samples*, *stddev* their sample standard deviation, 0.0 for a single one.
    """

    description: str
    value: float
    stddev: float
    units: str | None
    higher_is_better: bool
    graph: str | None
    samples: int


class TestRecord(NamedTuple):
    """One test of one job. Times are aware and in UTC, None where the log gives none.

    An attribute is None only where version 0 knows of it and the test did not say it.
    """

    name: str
    subdir: str | None
    status: Outcome
    reason: str
    started_time: datetime.datetime | None
    finished_time: datetime.datetime | None
    kernel: KernelRecord
    attributes: Mapping[str, KeyvalValue | None]
    iterations: tuple[Iteration, ...] = ()
    perf_values: tuple[PerfValue, ...] = ()


@dataclasses.dataclass(frozen=True)
class JobRecord:
    """What the keyvals around a status log say of its job (section 5.1).

    *machine* may be empty (suite jobs). *exit_status* comes from ``.autoserv_execute`` alone. *keyvals* are the merged
    job keyvals, *host_attributes* the host keyval under ``host-`` names.
    """

    status_version: KeyvalValue
    user: str | None
    label: str | None
    machine: str
    machine_group: str
    owner: str | None
    queued_time: datetime.datetime | None
    started_time: datetime.datetime | None
    finished_time: datetime.datetime | None
    aborted_by: str | None
    aborted_on: datetime.datetime | None
    build: str | None
    build_version: str | None
    suite: str | None
    board: str | None
    exit_status: Outcome
    keyvals: Mapping[str, KeyvalValue]
    host_attributes: Mapping[str, KeyvalValue]


@dataclasses.dataclass(frozen=True)
class JobResult:
    """A parsed folder. *oddities* tell, one line each, what was skipped or guessed."""

    job: JobRecord
    kernel: KernelRecord
    tests: tuple[TestRecord, ...]
    oddities: tuple[str, ...] = ()
