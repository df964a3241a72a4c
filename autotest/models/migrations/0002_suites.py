"""What suites remember beside their jobs: requests, retries, and bugs to report."""

from peewee import CharField, ForeignKeyField, IntegerField, Model

from autotest.models.database import LongTextField, UTCDateTimeField


def up(migrator, db):
    class Job(Model):
        class Meta:
            database = db
            table_name = "afe_jobs"

    class SuiteRequest(Model):
        job = ForeignKeyField(Job, primary_key=True)
        arguments = LongTextField()
        decided = LongTextField(null=True)
        begins_at = UTCDateTimeField(null=True)
        retries_left = IntegerField(null=True)

        class Meta:
            database = db
            table_name = "suite_requests"

    class SuiteRetry(Model):
        job = ForeignKeyField(Job, primary_key=True)
        attempts_left = IntegerField()
        state = CharField(max_length=16)

        class Meta:
            database = db
            table_name = "suite_retries"

    class Bug(Model):
        fingerprint = CharField(max_length=64, unique=True)
        tracker_id = CharField(default="")

        class Meta:
            database = db
            table_name = "bugs"

    class BugReport(Model):
        bug = ForeignKeyField(Bug)
        job = ForeignKeyField(Job)
        test = CharField(max_length=300)
        report = LongTextField()
        due_at = UTCDateTimeField(null=True, index=True)
        attempts = IntegerField(default=0)
        problem = CharField(max_length=1024, default="")

        class Meta:
            database = db
            table_name = "bug_reports"
            indexes = ((("job", "bug"), True),)

    db.create_tables([SuiteRequest, SuiteRetry, Bug, BugReport])


def down(migrator, db):
    for table in ("bug_reports", "bugs", "suite_retries", "suite_requests"):
        migrator.migrate(migrator.drop_table(table))
