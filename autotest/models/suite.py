"""What suites remember beside their jobs: what was asked for, which tests may run again, and bugs to report."""

from __future__ import annotations

from peewee import CharField, ForeignKeyField, IntegerField

from autotest.models.afe import Job
from autotest.models.database import BaseModel, LongTextField, UTCDateTimeField


class SuiteRequest(BaseModel):
    """A suite job as it was asked for, and as its suite file then decided it."""

    job = ForeignKeyField(Job, primary_key=True)
    #: JSON: the arguments of create_suite_job (scheduler/suite_request.py).
    arguments = LongTextField()
    #: JSON: the SuiteSpec that the suite file decided on; NULL until then.
    decided = LongTextField(null=True)
    #: The children are not made before.
    begins_at = UTCDateTimeField(null=True)
    #: How many retries its tests may have in all from here on; NULL is no limit.
    retries_left = IntegerField(null=True)

    class Meta:
        table_name = "suite_requests"


class SuiteRetry(BaseModel):
    """A child that may be run again if it fails (control-files-and-suites.md section 5.2)."""

    job = ForeignKeyField(Job, primary_key=True)
    #: How often its test may run again.
    attempts_left = IntegerField()
    #: A RetryState.
    state = CharField(max_length=16)

    class Meta:
        table_name = "suite_retries"


class Bug(BaseModel):
    """One fault as a bug tracker is told of it: one test, one status, one reason, whatever the build."""

    #: Hash of test, status and normalised reason.
    fingerprint = CharField(max_length=64, unique=True)
    #: What the tracker calls it; '' until it was filed.
    tracker_id = CharField(max_length=255, default="")

    class Meta:
        table_name = "bugs"


class BugReport(BaseModel):
    """One result that a bug tracker is to hear of. Kept until the tracker took it, and afterwards to count by."""

    bug = ForeignKeyField(Bug)
    #: The job whose result it is.
    job = ForeignKeyField(Job)
    test = CharField(max_length=300)
    #: JSON: what the tracker is told (results/notify/report.py).
    report = LongTextField()
    #: When it is sent (again); NULL once the tracker took it.
    due_at = UTCDateTimeField(null=True, index=True)
    attempts = IntegerField(default=0)
    #: Why the tracker did not take it, for people.
    problem = CharField(max_length=1024, default="")

    class Meta:
        table_name = "bug_reports"
        indexes = ((("job", "bug"), True),)


TABLES = (SuiteRequest, SuiteRetry, Bug, BugReport)
