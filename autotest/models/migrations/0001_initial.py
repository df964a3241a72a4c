"""The first schema: AFE, TKO and lab tables. A frozen copy of the models; later ones change it step by step."""

from peewee import (
    AutoField,
    BigAutoField,
    BooleanField,
    CharField,
    Check,
    CompositeKey,
    DoubleField,
    ForeignKeyField,
    IntegerField,
    Model,
    MySQLDatabase,
    SmallIntegerField,
)

from autotest.models.database import LongTextField, UTCDateTimeField

STATUS_WORDS = ("NOSTATUS", "ERROR", "ABORT", "FAIL", "WARN", "GOOD", "ALERT", "TEST_NA", "RUNNING")


def up(migrator, db):
    if isinstance(db, MySQLDatabase):
        take_texts_as_they_are(db)

    class Job(Model):
        owner = CharField(index=True, null=True)
        name = CharField(index=True, null=True)
        priority = IntegerField(default=40)
        control_file = LongTextField(null=True)
        control_type = IntegerField(null=True)
        created_on = UTCDateTimeField(index=True)
        synch_count = IntegerField(default=0)
        timeout_mins = IntegerField(default=1440)
        max_runtime_mins = IntegerField(default=1440)
        run_verify = BooleanField(default=True)
        run_reset = SmallIntegerField(default=0)
        email_list = CharField(max_length=250, default="")
        reboot_before = SmallIntegerField(default=0)
        reboot_after = SmallIntegerField(default=0)
        parse_failed_repair = BooleanField(default=False)
        parent_job = ForeignKeyField("self", null=True)
        require_ssp = BooleanField(null=True)

        class Meta:
            database = db
            table_name = "afe_jobs"

    db.create_tables([Job])

    class User(Model):
        login = CharField(unique=True)
        access_level = IntegerField(default=0)
        reboot_before = SmallIntegerField(default=1)
        reboot_after = SmallIntegerField(default=0)
        show_experimental = BooleanField(default=False)

        class Meta:
            database = db
            table_name = "afe_users"

    db.create_tables([User])

    class Lab(Model):
        name = CharField(unique=True, max_length=64)
        incarnation = IntegerField(default=0)
        seen_at = UTCDateTimeField(null=True)
        worker = CharField(default="")
        started_at = UTCDateTimeField(null=True)
        drained = BooleanField(default=False)
        drain_reason = CharField(default="")
        drained_by = CharField(default="")

        class Meta:
            database = db
            table_name = "labs"

    db.create_tables([Lab])

    class Host(Model):
        hostname = CharField(index=True)
        locked = BooleanField(default=False)
        status = CharField(default="Ready")
        invalid = BooleanField(default=False)
        protection = IntegerField(default=0)
        locked_by = ForeignKeyField(User, null=True)
        lock_time = UTCDateTimeField(null=True)
        lock_reason = CharField(default="")
        dirty = BooleanField(default=True)
        leased = BooleanField(default=False)
        lab = ForeignKeyField(Lab, null=True)
        status_reason = CharField(default="")

        class Meta:
            database = db
            table_name = "afe_hosts"
            indexes = ((("leased", "locked"), False),)

    db.create_tables([Host])

    class Label(Model):
        name = CharField(unique=True)
        kernel_config = CharField(null=True)
        platform = BooleanField(default=False)
        invalid = BooleanField(default=False)
        only_if_needed = BooleanField(default=False)

        class Meta:
            database = db
            table_name = "afe_labels"

    db.create_tables([Label])

    class HostQueueEntry(Model):
        job = ForeignKeyField(Job)
        host = ForeignKeyField(Host, null=True)
        status = CharField(max_length=32, default="Queued")
        meta_host = ForeignKeyField(Label, null=True, column_name="meta_host")
        active = BooleanField(default=False)
        complete = BooleanField(default=False)
        deleted = BooleanField(default=False)
        execution_subdir = CharField(default="")
        aborted = BooleanField(default=False)
        started_on = UTCDateTimeField(null=True)
        finished_on = UTCDateTimeField(null=True)
        queue_key = CharField(max_length=40, default="")
        priority = IntegerField(default=40)
        requeues = IntegerField(default=0)
        token = IntegerField(null=True)
        succeeded = BooleanField(default=False)
        due_at = UTCDateTimeField(null=True)
        parse_attempts = IntegerField(default=0)
        reason = CharField(max_length=1024, default="")

        class Meta:
            database = db
            table_name = "afe_host_queue_entries"
            constraints = (Check("active = 0 OR complete = 0"),)
            indexes = (
                (("job", "host"), True),
                (("status", "active", "queue_key", "priority", "id"), False),
                (("host", "active"), False),
                (("aborted", "complete"), False),
                (("complete", "job"), False),
            )

    db.create_tables([HostQueueEntry])

    class AbortedEntry(Model):
        queue_entry = ForeignKeyField(HostQueueEntry, primary_key=True)
        aborted_by = ForeignKeyField(User)
        aborted_on = UTCDateTimeField()

        class Meta:
            database = db
            table_name = "afe_aborted_host_queue_entries"

    db.create_tables([AbortedEntry])

    class AclGroup(Model):
        name = CharField(unique=True)
        description = CharField(default="")

        class Meta:
            database = db
            table_name = "afe_acl_groups"

    db.create_tables([AclGroup])

    class AclGroupHost(Model):
        aclgroup = ForeignKeyField(AclGroup)
        host = ForeignKeyField(Host)

        class Meta:
            database = db
            table_name = "afe_acl_groups_hosts"
            indexes = ((("aclgroup", "host"), True),)

    db.create_tables([AclGroupHost])

    class AclGroupUser(Model):
        aclgroup = ForeignKeyField(AclGroup)
        user = ForeignKeyField(User)

        class Meta:
            database = db
            table_name = "afe_acl_groups_users"
            indexes = ((("aclgroup", "user"), True),)

    db.create_tables([AclGroupUser])

    class Autotest(Model):
        name = CharField()
        test_class = CharField(default="")
        test_category = CharField(default="")
        description = LongTextField(default="")
        test_type = IntegerField()
        path = CharField(unique=True)
        author = CharField(default="")
        dependencies = CharField(default="")
        experimental = SmallIntegerField(default=0)
        run_verify = BooleanField(default=False)
        test_time = SmallIntegerField(default=1)
        sync_count = IntegerField(default=1)
        run_reset = BooleanField(default=True)

        class Meta:
            database = db
            table_name = "afe_autotests"

    db.create_tables([Autotest])

    class AutotestDependencyLabel(Model):
        test = ForeignKeyField(Autotest)
        label = ForeignKeyField(Label)

        class Meta:
            database = db
            table_name = "afe_autotests_dependency_labels"
            primary_key = CompositeKey("test", "label")

    db.create_tables([AutotestDependencyLabel])

    class HostAttribute(Model):
        host = ForeignKeyField(Host)
        attribute = CharField(max_length=90)
        value = CharField(max_length=1024)

        class Meta:
            database = db
            table_name = "afe_host_attributes"
            indexes = ((("host", "attribute"), True),)

    db.create_tables([HostAttribute])

    class HostLabel(Model):
        host = ForeignKeyField(Host)
        label = ForeignKeyField(Label)

        class Meta:
            database = db
            table_name = "afe_hosts_labels"
            indexes = ((("label", "host"), True),)

    db.create_tables([HostLabel])

    class IneligibleHostQueue(Model):
        job = ForeignKeyField(Job)
        host = ForeignKeyField(Host)

        class Meta:
            database = db
            table_name = "afe_ineligible_host_queues"
            indexes = ((("host", "job"), True),)

    db.create_tables([IneligibleHostQueue])

    class Machine(Model):
        machine_idx = AutoField()
        hostname = CharField(unique=True, null=True, max_length=700)
        machine_group = CharField(null=True)
        owner = CharField(null=True, max_length=80)

        class Meta:
            database = db
            table_name = "tko_machines"

    db.create_tables([Machine])

    class TkoJob(Model):
        job_idx = AutoField()
        tag = CharField(unique=True, null=True)
        label = CharField(index=True, null=True)
        username = CharField(index=True, null=True, max_length=80)
        machine = ForeignKeyField(Machine, column_name="machine_idx", on_delete="CASCADE")
        queued_time = UTCDateTimeField(index=True, null=True)
        started_time = UTCDateTimeField(index=True, null=True)
        finished_time = UTCDateTimeField(index=True, null=True)
        afe_job_id = IntegerField(index=True, null=True)
        afe_parent_job_id = IntegerField(index=True, null=True)
        build = CharField(index=True, null=True)
        build_version = CharField(null=True)
        suite = CharField(null=True)
        board = CharField(null=True)

        class Meta:
            database = db
            table_name = "tko_jobs"
            indexes = ((("build_version", "suite", "board"), False),)

    db.create_tables([TkoJob])

    class Kernel(Model):
        kernel_idx = AutoField()
        kernel_hash = CharField(index=True, null=True, max_length=35)
        base = CharField(null=True)
        printable = CharField(index=True, null=True)

        class Meta:
            database = db
            table_name = "tko_kernels"

    db.create_tables([Kernel])

    class Status(Model):
        status_idx = AutoField()
        word = CharField(unique=True, max_length=10)

        class Meta:
            database = db
            table_name = "tko_status"

    db.create_tables([Status])

    class TestResult(Model):
        test_idx = AutoField()
        job = ForeignKeyField(TkoJob, column_name="job_idx")
        test = CharField(index=True, null=True, max_length=300)
        subdir = CharField(index=True, null=True, max_length=300)
        kernel = ForeignKeyField(Kernel, column_name="kernel_idx", on_delete="CASCADE")
        status = ForeignKeyField(Status, column_name="status", on_delete="CASCADE")
        reason = LongTextField(null=True)
        machine = ForeignKeyField(Machine, column_name="machine_idx", on_delete="CASCADE")
        invalid = BooleanField(default=False)
        finished_time = UTCDateTimeField(index=True, null=True)
        started_time = UTCDateTimeField(index=True, null=True)
        invalidates_test = ForeignKeyField("self", null=True, column_name="invalidates_test_idx", on_delete="CASCADE")

        class Meta:
            database = db
            table_name = "tko_tests"

    db.create_tables([TestResult])

    class IterationAttribute(Model):
        test = ForeignKeyField(TestResult, column_name="test_idx", on_delete="CASCADE")
        iteration = IntegerField(null=True)
        attribute = CharField(null=True, max_length=256)
        value = LongTextField(null=True)

        class Meta:
            database = db
            table_name = "tko_iteration_attributes"
            primary_key = False

    db.create_tables([IterationAttribute])

    class IterationResult(Model):
        test = ForeignKeyField(TestResult, column_name="test_idx", on_delete="CASCADE")
        iteration = IntegerField(null=True)
        attribute = CharField(index=True, null=True, max_length=256)
        value = DoubleField(null=True)

        class Meta:
            database = db
            table_name = "tko_iteration_result"
            primary_key = False

    db.create_tables([IterationResult])

    class JobDependencyLabel(Model):
        job = ForeignKeyField(Job)
        label = ForeignKeyField(Label)

        class Meta:
            database = db
            table_name = "afe_jobs_dependency_labels"
            indexes = ((("job", "label"), True),)

    db.create_tables([JobDependencyLabel])

    class JobKeyval(Model):
        job = ForeignKeyField(Job)
        key = CharField(index=True, max_length=90)
        value = CharField(max_length=300)

        class Meta:
            database = db
            table_name = "afe_job_keyvals"

    db.create_tables([JobKeyval])

    class LabelQueue(Model):
        key = CharField(primary_key=True, max_length=40)
        labels = LongTextField()
        host_count = IntegerField(default=1)
        busy = BooleanField(index=True, default=True)
        host = ForeignKeyField(Host, null=True)

        class Meta:
            database = db
            table_name = "label_queues"

    db.create_tables([LabelQueue])

    class SpecialTask(Model):
        host = ForeignKeyField(Host)
        task = CharField(max_length=64)
        time_requested = UTCDateTimeField()
        is_active = BooleanField(default=False)
        is_complete = BooleanField(default=False)
        is_aborted = BooleanField(default=False)
        time_started = UTCDateTimeField(null=True)
        time_finished = UTCDateTimeField(null=True)
        queue_entry = ForeignKeyField(HostQueueEntry, null=True)
        success = BooleanField(default=False)
        requested_by = ForeignKeyField(User)

        class Meta:
            database = db
            table_name = "afe_special_tasks"
            indexes = ((("is_active", "is_complete"), False),)

    db.create_tables([SpecialTask])

    class Lease(Model):
        lab = ForeignKeyField(Lab)
        incarnation = IntegerField()
        step = CharField(max_length=16)
        due_at = UTCDateTimeField(null=True)
        pokes = IntegerField(default=0)
        beat = IntegerField(default=0)
        granted_at = UTCDateTimeField()
        released_at = UTCDateTimeField(null=True)
        release_reason = CharField(default="")
        host = ForeignKeyField(Host)
        entry = ForeignKeyField(HostQueueEntry, null=True)
        task = ForeignKeyField(SpecialTask, null=True)

        class Meta:
            database = db
            table_name = "leases"
            indexes = ((("released_at", "lab"), False),)

    db.create_tables([Lease])

    class Patch(Model):
        kernel = ForeignKeyField(Kernel, column_name="kernel_idx", on_delete="CASCADE")
        name = CharField(null=True, max_length=80)
        url = CharField(null=True, max_length=300)
        hash = CharField(null=True, max_length=35)

        class Meta:
            database = db
            table_name = "tko_patches"
            primary_key = False

    db.create_tables([Patch])

    class SavedQuery(Model):
        owner = CharField(max_length=80)
        name = CharField(max_length=100)
        url_token = LongTextField()

        class Meta:
            database = db
            table_name = "tko_saved_queries"

    db.create_tables([SavedQuery])

    class TaskReference(Model):
        reference_type = CharField(max_length=16)
        tko_job = ForeignKeyField(TkoJob, column_name="tko_job_idx", on_delete="CASCADE")
        task_id = CharField(null=True, max_length=20)
        parent_task_id = CharField(null=True, max_length=20)

        class Meta:
            database = db
            table_name = "tko_task_references"
            indexes = ((("reference_type", "task_id"), False), (("reference_type", "parent_task_id"), False))

    db.create_tables([TaskReference])

    class TestAttribute(Model):
        id = BigAutoField()
        test = ForeignKeyField(TestResult, column_name="test_idx", on_delete="CASCADE")
        attribute = CharField(index=True, null=True)
        value = LongTextField(null=True)
        user_created = BooleanField(default=False)

        class Meta:
            database = db
            table_name = "tko_test_attributes"

    db.create_tables([TestAttribute])

    class TestLabel(Model):
        name = CharField(unique=True, max_length=80)
        description = LongTextField(default="")

        class Meta:
            database = db
            table_name = "tko_test_labels"

    db.create_tables([TestLabel])

    class TestLabelTest(Model):
        testlabel = ForeignKeyField(TestLabel, on_delete="CASCADE")
        test = ForeignKeyField(TestResult, on_delete="CASCADE")

        class Meta:
            database = db
            table_name = "tko_test_labels_tests"
            indexes = ((("testlabel", "test"), True),)

    db.create_tables([TestLabelTest])

    class TkoJobKeyval(Model):
        job = ForeignKeyField(TkoJob, on_delete="CASCADE")
        key = CharField(index=True, max_length=90)
        value = CharField(max_length=300)

        class Meta:
            database = db
            table_name = "tko_job_keyvals"
            indexes = ((("job", "key"), True),)

    db.create_tables([TkoJobKeyval])

    one_open_lease(db, "host_id")
    one_open_lease(db, "entry_id")
    AclGroup.create(name="Everyone", description="")
    User.create(login="autotest_system", access_level=100)
    TestLabel.create(name="invalidated", description="")
    for word in STATUS_WORDS:
        Status.create(word=word)


def take_texts_as_they_are(db):
    """Four-byte UTF-8, and texts that differ in case or in blanks at the end differ: as in SQLite."""
    (version,) = db.execute_sql("SELECT VERSION()").fetchone()
    collation = "utf8mb4_nopad_bin" if "mariadb" in version.lower() else "utf8mb4_0900_bin"
    db.execute_sql(f"ALTER DATABASE CHARACTER SET utf8mb4 COLLATE {collation}")


def one_open_lease(db, column):
    """A unique index that ignores released leases: partial in SQLite, over a generated column elsewhere."""
    name = f"one_open_lease_{column.removesuffix('_id')}"
    if isinstance(db, MySQLDatabase):
        db.execute_sql(
            f"ALTER TABLE leases ADD COLUMN open_{column} INT AS (IF(released_at IS NULL, {column}, NULL)) STORED, "
            f"ADD UNIQUE INDEX {name} (open_{column})"
        )
    else:
        db.execute_sql(f"CREATE UNIQUE INDEX {name} ON leases ({column}) WHERE released_at IS NULL")


def down(migrator, db):
    migrator.migrate(migrator.drop_table("tko_job_keyvals"))
    migrator.migrate(migrator.drop_table("tko_test_labels_tests"))
    migrator.migrate(migrator.drop_table("tko_test_labels"))
    migrator.migrate(migrator.drop_table("tko_test_attributes"))
    migrator.migrate(migrator.drop_table("tko_task_references"))
    migrator.migrate(migrator.drop_table("tko_saved_queries"))
    migrator.migrate(migrator.drop_table("tko_patches"))
    migrator.migrate(migrator.drop_table("leases"))
    migrator.migrate(migrator.drop_table("afe_special_tasks"))
    migrator.migrate(migrator.drop_table("label_queues"))
    migrator.migrate(migrator.drop_table("afe_job_keyvals"))
    migrator.migrate(migrator.drop_table("afe_jobs_dependency_labels"))
    migrator.migrate(migrator.drop_table("tko_iteration_result"))
    migrator.migrate(migrator.drop_table("tko_iteration_attributes"))
    migrator.migrate(migrator.drop_table("tko_tests"))
    migrator.migrate(migrator.drop_table("tko_status"))
    migrator.migrate(migrator.drop_table("tko_kernels"))
    migrator.migrate(migrator.drop_table("tko_jobs"))
    migrator.migrate(migrator.drop_table("tko_machines"))
    migrator.migrate(migrator.drop_table("afe_ineligible_host_queues"))
    migrator.migrate(migrator.drop_table("afe_hosts_labels"))
    migrator.migrate(migrator.drop_table("afe_host_attributes"))
    migrator.migrate(migrator.drop_table("afe_autotests_dependency_labels"))
    migrator.migrate(migrator.drop_table("afe_autotests"))
    migrator.migrate(migrator.drop_table("afe_acl_groups_users"))
    migrator.migrate(migrator.drop_table("afe_acl_groups_hosts"))
    migrator.migrate(migrator.drop_table("afe_acl_groups"))
    migrator.migrate(migrator.drop_table("afe_aborted_host_queue_entries"))
    migrator.migrate(migrator.drop_table("afe_host_queue_entries"))
    migrator.migrate(migrator.drop_table("afe_labels"))
    migrator.migrate(migrator.drop_table("afe_hosts"))
    migrator.migrate(migrator.drop_table("labs"))
    migrator.migrate(migrator.drop_table("afe_users"))
    migrator.migrate(migrator.drop_table("afe_jobs"))
