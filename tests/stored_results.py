"""Results of builds, written as the store writes them: each in a job of its own, retries in the place of originals."""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from autotest.models.tko import (
    IterationResult,
    Kernel,
    Machine,
    Status,
    TestAttribute,
    TestResult,
    TkoJob,
    TkoJobKeyval,
)
from autotest.results import retries

NOW = datetime.datetime(2026, 11, 21, 12, 0, tzinfo=datetime.timezone.utc)


class StoredResults:
    """Writes results; every job begins a minute after the one before."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._words = {row.word: row.status_idx for row in Status.select()}
        self._kernel = Kernel.create(printable="UNKNOWN")

    def add(
        self,
        build: str | None,
        test: str = "ping",
        status: str = "GOOD",
        *,
        board: str | None = "eve",
        suite: str = "bvt",
        host: str = "h1",
        retry_of: int | None = None,
        perf: Mapping[str, Sequence[float | None]] | None = None,
        attributes: Mapping[str, str] | None = None,
        **columns: Any,
    ) -> int:
        """A result of *build*; *retry_of* is the job that it retries. Returns the number of its job."""
        number = next(self._numbers)
        machine, _ = Machine.get_or_create(hostname=host)
        job = TkoJob.create(
            machine=machine,
            tag=f"{number}-ann/{host}",
            afe_job_id=number,
            build=build and f"{board}-release/{build}",
            build_version=build,
            suite=suite,
            board=board,
            started_time=NOW - datetime.timedelta(days=2) + datetime.timedelta(minutes=number),
        )
        values = {"subdir": test, "reason": "" if status == "GOOD" else "it broke", **columns}
        result = TestResult.create(
            test=test, job=job, machine=machine, kernel=self._kernel, status=self._words[status], **values
        )
        if retry_of is not None:
            TkoJobKeyval.create(job=job, key=retries.KEY, value=str(retry_of))
            retries.invalidate(job)
        for key, value in (attributes or {}).items():
            TestAttribute.create(test=result, attribute=key, value=value)
        for key, samples in (perf or {}).items():
            for iteration, sample in enumerate(samples, 1):
                IterationResult.insert(test=result, iteration=iteration, attribute=key, value=sample).execute()
        return number
