"""TKO tables: what was seen when tests ran (results-and-tko.md section 6).

Table and column names are upstream's; values are double precision and texts may be wider, so that nothing is lost.
"""

from __future__ import annotations

from peewee import (
    AutoField,
    BigAutoField,
    BooleanField,
    CharField,
    DoubleField,
    ForeignKeyField,
    IntegerField,
)

from autotest.models.database import BaseModel, LongTextField, UTCDateTimeField


class Machine(BaseModel):
    """A machine that results came from; machine_group is the platform in the views."""

    machine_idx = AutoField()
    hostname = CharField(max_length=700, null=True, unique=True)
    machine_group = CharField(max_length=255, null=True)
    owner = CharField(max_length=80, null=True)

    class Meta:
        table_name = "tko_machines"


class Kernel(BaseModel):
    """What the machine booted."""

    kernel_idx = AutoField()
    kernel_hash = CharField(max_length=35, null=True, index=True)
    base = CharField(max_length=255, null=True)
    printable = CharField(max_length=255, null=True, index=True)

    class Meta:
        table_name = "tko_kernels"


class Patch(BaseModel):
    """A patch of a kernel."""

    kernel = ForeignKeyField(Kernel, column_name="kernel_idx", on_delete="CASCADE")
    name = CharField(max_length=80, null=True)
    url = CharField(max_length=300, null=True)
    hash = CharField(max_length=35, null=True)

    class Meta:
        table_name = "tko_patches"
        primary_key = False


class Status(BaseModel):
    """A status word; always looked up by word, the number says nothing about severity."""

    status_idx = AutoField()
    word = CharField(max_length=10, unique=True)

    class Meta:
        table_name = "tko_status"


class TkoJob(BaseModel):
    """One parsed results folder."""

    job_idx = AutoField()
    tag = CharField(max_length=255, null=True, unique=True)
    label = CharField(max_length=255, null=True, index=True)
    username = CharField(max_length=80, null=True, index=True)
    machine = ForeignKeyField(Machine, column_name="machine_idx", on_delete="CASCADE")
    queued_time = UTCDateTimeField(null=True, index=True)
    started_time = UTCDateTimeField(null=True, index=True)
    finished_time = UTCDateTimeField(null=True, index=True)
    afe_job_id = IntegerField(null=True, index=True)
    afe_parent_job_id = IntegerField(null=True, index=True)
    build = CharField(max_length=255, null=True, index=True)
    build_version = CharField(max_length=255, null=True)
    suite = CharField(max_length=255, null=True)
    board = CharField(max_length=255, null=True)

    class Meta:
        table_name = "tko_jobs"
        indexes = (
            (("build_version", "suite", "board"), False),
            (("build_version", "started_time"), False),
            (("suite", "build_version", "started_time"), False),
            (("board", "build_version", "started_time"), False),
            (("board", "suite", "build_version", "started_time"), False),
        )


class TaskReference(BaseModel):
    """Which AFE job a TKO job came from."""

    reference_type = CharField(max_length=16)
    tko_job = ForeignKeyField(TkoJob, column_name="tko_job_idx", on_delete="CASCADE")
    task_id = CharField(max_length=20, null=True)
    parent_task_id = CharField(max_length=20, null=True)

    class Meta:
        table_name = "tko_task_references"
        indexes = (
            (("reference_type", "task_id"), False),
            (("reference_type", "parent_task_id"), False),
        )


class TkoJobKeyval(BaseModel):
    """What the job's keyval file held in the end."""

    job = ForeignKeyField(TkoJob, column_name="job_id", on_delete="CASCADE")
    key = CharField(max_length=90, index=True)
    value = CharField(max_length=300)

    class Meta:
        table_name = "tko_job_keyvals"
        indexes = ((("job", "key"), True),)


class TestResult(BaseModel):
    """One test of one job."""

    test_idx = AutoField()
    job = ForeignKeyField(TkoJob, column_name="job_idx")
    test = CharField(max_length=300, null=True)
    subdir = CharField(max_length=300, null=True, index=True)
    kernel = ForeignKeyField(Kernel, column_name="kernel_idx", on_delete="CASCADE")
    status = ForeignKeyField(Status, column_name="status", on_delete="CASCADE")
    reason = LongTextField(null=True)
    machine = ForeignKeyField(Machine, column_name="machine_idx", on_delete="CASCADE")
    invalid = BooleanField(default=False)
    finished_time = UTCDateTimeField(null=True, index=True)
    started_time = UTCDateTimeField(null=True, index=True)
    invalidates_test = ForeignKeyField("self", null=True, column_name="invalidates_test_idx", on_delete="CASCADE")

    class Meta:
        table_name = "tko_tests"
        indexes = ((("test", "finished_time"), False),)


class TestAttribute(BaseModel):
    """An attribute of one test; user_created ones survive a re-parse."""

    id = BigAutoField()
    test = ForeignKeyField(TestResult, column_name="test_idx", on_delete="CASCADE")
    attribute = CharField(max_length=255, null=True, index=True)
    value = LongTextField(null=True)
    user_created = BooleanField(default=False)

    class Meta:
        table_name = "tko_test_attributes"


class IterationAttribute(BaseModel):
    """A text that one iteration of a test wrote."""

    test = ForeignKeyField(TestResult, column_name="test_idx", on_delete="CASCADE")
    iteration = IntegerField(null=True)
    attribute = CharField(max_length=256, null=True)
    value = LongTextField(null=True)

    class Meta:
        table_name = "tko_iteration_attributes"
        primary_key = False


class IterationResult(BaseModel):
    """A number that one iteration of a test measured; NULL for NaN and infinity."""

    test = ForeignKeyField(TestResult, column_name="test_idx", on_delete="CASCADE")
    iteration = IntegerField(null=True)
    attribute = CharField(max_length=256, null=True, index=True)
    value = DoubleField(null=True)

    class Meta:
        table_name = "tko_iteration_result"
        primary_key = False


class IterationPerfValue(BaseModel):
    """A metric of a test, from its chart or its perf_measurements: the mean and the deviation of what was measured.

    *iteration* counts from 1 how often the test wrote that metric of that graph. NULL for NaN and infinity.
    """

    test = ForeignKeyField(TestResult, column_name="test_idx", on_delete="CASCADE")
    iteration = IntegerField(null=True)
    description = CharField(max_length=256, null=True, index=True)
    value = DoubleField(null=True)
    stddev = DoubleField(null=True)
    units = CharField(max_length=32, null=True)
    higher_is_better = BooleanField(default=True)
    graph = CharField(max_length=256, null=True)

    class Meta:
        table_name = "tko_iteration_perf_value"
        primary_key = False


class TestLabel(BaseModel):
    """A mark that people put on results; ``invalidated`` always exists."""

    name = CharField(max_length=80, unique=True)
    description = LongTextField(default="")

    class Meta:
        table_name = "tko_test_labels"


class TestLabelTest(BaseModel):
    """This result carries this mark."""

    testlabel = ForeignKeyField(TestLabel, on_delete="CASCADE")
    test = ForeignKeyField(TestResult, column_name="test_id", on_delete="CASCADE")

    class Meta:
        table_name = "tko_test_labels_tests"
        indexes = ((("testlabel", "test"), True),)


class SavedQuery(BaseModel):
    """A question that somebody keeps."""

    owner = CharField(max_length=80)
    name = CharField(max_length=100)
    url_token = LongTextField()

    class Meta:
        table_name = "tko_saved_queries"
        indexes = ((("owner", "name"), True),)


TABLES = (
    Machine,
    Kernel,
    Patch,
    Status,
    TkoJob,
    TaskReference,
    TkoJobKeyval,
    TestResult,
    TestAttribute,
    IterationAttribute,
    IterationResult,
    IterationPerfValue,
    TestLabel,
    TestLabelTest,
    SavedQuery,
)
