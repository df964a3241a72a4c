"""Results made of the facts that a test is about, and a counter of queries."""

from __future__ import annotations

import contextlib
import datetime
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from autotest.models import database, tko
from autotest.models.tko import (
    IterationResult,
    Kernel,
    Machine,
    Status,
    TestAttribute,
    TestLabel,
    TestLabelTest,
    TestResult,
    TkoJob,
    TkoJobKeyval,
)

NOW = datetime.datetime(2026, 11, 21, 12, 0, tzinfo=datetime.timezone.utc)


class Results:
    """Writes results, each in a job of its own, and counts the queries of a block."""

    now = NOW

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._words = {row.word: row.status_idx for row in Status.select()}

    def add(
        self,
        test: str | None = "ping",
        status: str = "GOOD",
        *,
        host: str = "h1",
        platform: str | None = None,
        kernel: str = "UNKNOWN",
        labels: Sequence[str] = (),
        keyvals: Mapping[str, str] | None = None,
        attributes: Mapping[str, str] | None = None,
        perf: Mapping[str, Sequence[float | None]] | None = None,
        job: Mapping[str, Any] | None = None,
        **columns: Any,
    ) -> int:
        """A result; *job* holds columns of its job, *columns* its own. Returns its id."""
        number = next(self._numbers)
        machine, _ = Machine.get_or_create(hostname=host, defaults={"machine_group": platform})
        booted, _ = Kernel.get_or_create(printable=kernel)
        owner = TkoJob.create(machine=machine, **{"tag": f"{number}-ann/{host}", "afe_job_id": number, **(job or {})})
        values = {"subdir": test, "reason": "", "finished_time": NOW - datetime.timedelta(hours=100 - number)}
        values |= {"started_time": None, **columns}
        result = TestResult.create(
            test=test, job=owner, machine=machine, kernel=booted, status=self._words[status], **values
        )
        for name in labels:
            TestLabelTest.create(testlabel=TestLabel.get_or_create(name=name)[0], test=result)
        for key, value in (keyvals or {}).items():
            TkoJobKeyval.create(job=owner, key=key, value=value)
        for key, value in (attributes or {}).items():
            TestAttribute.create(test=result, attribute=key, value=value)
        for key, samples in (perf or {}).items():
            for iteration, sample in enumerate(samples, 1):
                IterationResult.insert(test=result, iteration=iteration, attribute=key, value=sample).execute()
        return int(result.test_idx)

    def build(self, version: str, *, suite: str = "bvt", board: str = "eve", age_h: int = 0) -> dict[str, Any]:
        """The columns of a job of that build, which began *age_h* hours ago."""
        return {
            "build": f"{board}-release/{version}",
            "build_version": version,
            "suite": suite,
            "board": board,
            "started_time": NOW - datetime.timedelta(hours=age_h),
        }

    def clear(self) -> None:
        """Delete every result."""
        for table in (TestLabelTest, TestAttribute, IterationResult, TestResult, TkoJobKeyval, TkoJob, Machine, Kernel):
            table.delete().execute()
        TestLabel.delete().where(TestLabel.name != "invalidated").execute()

    @contextlib.contextmanager
    def queries(self, at_most: int) -> Iterator[None]:
        """Fail when the block takes more queries."""
        handle = database.db.obj
        asked: list[str] = []
        real = handle.execute_sql

        def execute_sql(sql: str, params: Any = None) -> Any:
            asked.append(sql)
            return real(sql, params)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(handle, "execute_sql", execute_sql)
            yield
        assert len(asked) <= at_most, "\n".join(asked)


@pytest.fixture
def results(db: str) -> Results:
    """An empty database to write results into."""
    assert not tko.TestResult.select().exists()
    return Results()
