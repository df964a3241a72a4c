"""Finished jobs with results folders, and an archive beside them."""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner

from autotest import cli, settings
from autotest.models.afe import HostQueueEntry, Job, JobKeyval
from autotest.models.database import utc_now
from autotest.models.tko import Kernel, Machine, Status, TestLabel, TestLabelTest, TkoJob
from autotest.models.tko import TestResult as Result
from autotest.states import EntryStatus

LOG = "status.log"


class Shelf:
    """shelf.job(...) makes a job with its folder; shelf.prune(...) and shelf.restore(...) are the commands."""

    def __init__(self, root: Path):
        self.root = root
        self.results = root / "results"
        self.archive = root / "archive"
        self.settings = settings.load()

    def job(
        self,
        days: float = 100,
        status: EntryStatus = EntryStatus.COMPLETED,
        parent: int | None = None,
        suite: str = "",
        files: Mapping[str, bytes] | None = None,
    ) -> str:
        """A job that ended so many days ago. Returns its tag; it begins with the number of the job."""
        ended = utc_now() - datetime.timedelta(days=days)
        job = Job.create(owner="ann", name="j", created_on=ended, parent_job=parent)
        complete = status is EntryStatus.COMPLETED
        states = {"status": status.value, "complete": complete, "active": not complete}
        HostQueueEntry.create(job=job, finished_on=ended if complete else None, **states)
        if suite:
            JobKeyval.create(job=job, key="suite", value=suite)
        folder = self.results / job.tag / "h1"
        folder.mkdir(parents=True)
        (folder / LOG).write_bytes(b"GOOD\n" * 2000)
        for name, content in (files or {}).items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        return job.tag

    def stored(self, tag: str, status: str = "GOOD", only_failures: bool = False, invalid: bool = False) -> Result:
        """Store one more result of the job, which may have asked for failures only."""
        machine, _ = Machine.get_or_create(hostname="h1")
        job, _ = TkoJob.get_or_create(tag=f"{tag}/h1", defaults={"machine": machine, "afe_job_id": number(tag)})
        if only_failures:
            JobKeyval.create(job=number(tag), key="offload_failures_only", value="True")
        columns = {"kernel": Kernel.create(printable="UNKNOWN"), "status": Status.get(Status.word == status)}
        return Result.create(test="t", job=job, machine=machine, invalid=invalid, **columns)

    def keep(self, tag: str, label: str = "keep") -> None:
        """Put a label on a result of the job."""
        result = self.stored(tag)
        mark, _ = TestLabel.get_or_create(name=label)
        TestLabelTest.create(testlabel=mark, test=result)

    def on_disk(self) -> set[str]:
        """The folders of jobs that are there."""
        return {path.name for path in self.results.iterdir() if not path.name.startswith(".")}

    def prune(self, *arguments: object, code: int = 0, archive: bool = True) -> dict:
        """What the command told."""
        address = ["--archive", self.archive] if archive else []
        done = self.run("prune", *address, "--json", *arguments)
        assert done.exit_code == code, done.output
        return {**json.loads(done.stdout), "stderr": done.stderr}

    def run(self, *arguments: object):
        """`autotest results ...`."""
        return CliRunner().invoke(cli.main, ["results", *map(str, arguments)])


def number(tag: str) -> int:
    return int(tag.partition("-")[0])


@pytest.fixture
def shelf(db: str, monkeypatch, tmp_path) -> Shelf:
    monkeypatch.setenv("AUTOTEST_DATABASE", db)
    monkeypatch.setenv("AUTOTEST_ROOT", str(tmp_path))
    monkeypatch.setenv("AUTOTEST_RESULTS_FLOOR", "0")
    return Shelf(tmp_path)
