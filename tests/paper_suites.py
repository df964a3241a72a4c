"""Suites on paper: created, fanned out and closed as the suites worker does, with results of children made of words."""

from __future__ import annotations

from typing import Any

from autotest.models.afe import Host, HostQueueEntry, Job, JobDependencyLabel, JobKeyval, Label
from autotest.models.tko import Kernel, Machine, Status, TestResult, TkoJob, TkoJobKeyval
from autotest.results import parser, retries
from autotest.scheduler import suite_folder, suites
from autotest.scheduler.suite_request import Asked
from autotest.scheduler.wakes import Wake
from autotest.suite.spec import SuiteSpec

BUILD = "R7-1"


def spec(**fields: Any) -> SuiteSpec:
    """Suite smoke of BUILD on board pi4; *fields* say otherwise, *build* stands for builds and test source build."""
    build = fields.pop("build", BUILD)
    defaults = {"name": "smoke", "board": "pi4", "builds": {"version": build}, "owner": "alice"}
    return SuiteSpec(**{**defaults, "test_source_build": build, **fields})


class PaperSuites:
    """Suites of one lab on paper."""

    def __init__(self, lab: Any):
        self.lab = lab

    def create(self, suite_args: dict[str, Any] | None = None, **fields: Any) -> Job:
        """A queued suite job."""
        asked = Asked(spec(**fields), suite_args or {})
        job_id, _ = suites.create(asked, self.lab.settings, self.lab.now)
        return Job.get_by_id(job_id)

    def fan_out(self, job: Job) -> list[Wake]:
        """Create its children."""
        return suites.fan_out(job.id, self.lab.settings, self.lab.now)

    def running(self, **fields: Any) -> Job:
        """A suite whose children are created."""
        job = self.create(**fields)
        self.fan_out(job)
        return job

    def finish(self, job: Job) -> list[Wake]:
        """Close it, if its children ended."""
        return suites.finish(job.id, self.lab.settings, self.lab.now)

    def folder(self, job: Job) -> Any:
        """Where its results lie."""
        return suite_folder.place(self.lab.settings.results_dir, job)

    def status_log(self, job: Job) -> list[list[str]]:
        """The lines of its status log, in fields."""
        text = (self.folder(job) / "status.log").read_text(encoding="utf-8")
        return [line.split("\t") for line in text.splitlines()]

    def results(self, job: Job) -> list[tuple[str, str, str, str]]:
        """(subdir, name, status, reason) of each test as the parser reads the suite's own folder."""
        parsed = parser.read(self.folder(job))
        return [(test.subdir, test.name, test.status, test.reason) for test in parsed.tests]

    def skipped(self, job: Job, status: str = "TEST_NA") -> dict[str, str]:
        """Reasons of the tests that the status log has with this status, by name."""
        return {line[3]: line[-1] for line in self.status_log(job) if line[1] == status}

    def stored(
        self, job: Job, *tests: tuple[str, str], reason: str = "it broke", began: bool = True, aborted_by: str = ""
    ) -> None:
        """Results of *job* in the results database: (name, status) each; they began unless *began* is False."""
        machine, _ = Machine.get_or_create(hostname="h1")
        kernel, _ = Kernel.get_or_create(printable="UNKNOWN")
        row, _ = TkoJob.get_or_create(tag=f"{job.tag}/h1", machine=machine, afe_job_id=job.id)
        for name, status in tests:
            TestResult.create(
                job=row,
                test=name,
                subdir="----" if name.startswith("SERVER") else name,
                kernel=kernel,
                status=Status.get(Status.word == status),
                reason="" if status == "GOOD" else reason,
                machine=machine,
                started_time=self.lab.now if began else None,
                finished_time=self.lab.now,
            )
        pairs = keyvals(job)
        for key, value in {retries.KEY: pairs.get(retries.KEY), "aborted_by": aborted_by}.items():
            if value:
                TkoJobKeyval.create(job=row, key=key, value=value)
        retries.invalidate(row)

    def parsing(self, job: Job, **columns: Any) -> HostQueueEntry:
        """The entry of *job*, which ran and waits to be given its end."""
        columns = {"status": "Parsing", "active": False, "execution_subdir": "h1", **columns}
        HostQueueEntry.update(started_on=self.lab.now, **columns).where(HostQueueEntry.job == job.id).execute()
        return entry_of(job)


def entry_of(job: Job) -> HostQueueEntry:
    """The only entry of a job."""
    return HostQueueEntry.get(HostQueueEntry.job == job.id)


def children(job: Job) -> list[Job]:
    """The children of a suite, oldest first."""
    return list(Job.select().where(Job.parent_job == job.id).order_by(Job.id))


def keyvals(job: Job) -> dict[str, str]:
    """What the job knew at its creation."""
    return dict(JobKeyval.select(JobKeyval.key, JobKeyval.value).where(JobKeyval.job == job.id).tuples())


def needs(job: Job) -> set[str]:
    """The labels that the job depends on."""
    query = Label.select(Label.name).join(JobDependencyLabel).where(JobDependencyLabel.job == job.id)
    return {name for (name,) in query.tuples()}


def lock_all() -> None:
    """Lock every host."""
    Host.update(locked=True).execute()
