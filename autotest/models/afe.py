"""AFE tables: users, hosts, labels, jobs and what is done to hosts (afe-scheduler-and-rpc.md section 1.1).

Table and column names are upstream's. What our mechanics add is marked ``ours``.
"""

from __future__ import annotations

from peewee import (
    BooleanField,
    CharField,
    Check,
    CompositeKey,
    ForeignKeyField,
    IntegerField,
    SmallIntegerField,
)

from autotest.models.database import BaseModel, LongTextField, UTCDateTimeField, utc_now
from autotest.models.lab import Lab
from autotest.states import EntryStatus, HostStatus, Priority

#: The user in whose name the system itself acts.
SYSTEM_USER = "autotest_system"
#: The ACL group that everybody is in; always row 1.
EVERYONE = "Everyone"


class User(BaseModel):
    """Who asks. Superuser means access_level >= 100."""

    login = CharField(max_length=255, unique=True)
    access_level = IntegerField(default=0)
    reboot_before = SmallIntegerField(default=1)
    reboot_after = SmallIntegerField(default=0)
    show_experimental = BooleanField(default=False)

    class Meta:
        table_name = "afe_users"


class AclGroup(BaseModel):
    """Who may use which hosts."""

    name = CharField(max_length=255, unique=True)
    description = CharField(max_length=255, default="")

    class Meta:
        table_name = "afe_acl_groups"


class Label(BaseModel):
    """A property of hosts that tests may need; board:x, pool:y, or plain."""

    name = CharField(max_length=255, unique=True)
    kernel_config = CharField(max_length=255, null=True)
    platform = BooleanField(default=False)
    invalid = BooleanField(default=False)
    only_if_needed = BooleanField(default=False)

    class Meta:
        table_name = "afe_labels"


class Host(BaseModel):
    """One DUT."""

    hostname = CharField(max_length=255, index=True)
    locked = BooleanField(default=False)
    status = CharField(max_length=255, default=HostStatus.READY)
    invalid = BooleanField(default=False)
    protection = IntegerField(default=0)
    locked_by = ForeignKeyField(User, null=True)
    lock_time = UTCDateTimeField(null=True)
    lock_reason = CharField(max_length=255, default="")
    dirty = BooleanField(default=True)
    #: Derived from the leases; only shown.
    leased = BooleanField(default=False)
    #: Ours: the lab whose worker reaches it.
    lab = ForeignKeyField(Lab, null=True)
    #: Ours: why it waits for a repair, for people.
    status_reason = CharField(max_length=255, default="")

    class Meta:
        table_name = "afe_hosts"
        indexes = ((("leased", "locked"), False),)


class HostLabel(BaseModel):
    """This host carries this label."""

    host = ForeignKeyField(Host)
    label = ForeignKeyField(Label)

    class Meta:
        table_name = "afe_hosts_labels"
        indexes = ((("label", "host"), True),)


class HostAttribute(BaseModel):
    """One attribute of a host: how to reach it, and what a lab notes down."""

    host = ForeignKeyField(Host)
    attribute = CharField(max_length=90)
    value = CharField(max_length=1024)

    class Meta:
        table_name = "afe_host_attributes"
        indexes = ((("host", "attribute"), True),)


class AclGroupUser(BaseModel):
    """This user is in this group."""

    aclgroup = ForeignKeyField(AclGroup)
    user = ForeignKeyField(User)

    class Meta:
        table_name = "afe_acl_groups_users"
        indexes = ((("aclgroup", "user"), True),)


class AclGroupHost(BaseModel):
    """This host is in this group."""

    aclgroup = ForeignKeyField(AclGroup)
    host = ForeignKeyField(Host)

    class Meta:
        table_name = "afe_acl_groups_hosts"
        indexes = ((("aclgroup", "host"), True),)


class Job(BaseModel):
    """One control file plus options; a suite is a job without a host whose children name it as parent."""

    owner = CharField(max_length=255, null=True, index=True)
    name = CharField(max_length=255, null=True, index=True)
    priority = IntegerField(default=int(Priority.DEFAULT))
    control_file = LongTextField(null=True)
    control_type = IntegerField(null=True)
    created_on = UTCDateTimeField(default=utc_now, index=True)
    synch_count = IntegerField(default=0)
    timeout_mins = IntegerField(default=1440)
    max_runtime_mins = IntegerField(default=1440)
    run_verify = BooleanField(default=True)
    run_reset = SmallIntegerField(default=0)
    email_list = CharField(max_length=250, default="")
    reboot_before = SmallIntegerField(default=0)
    reboot_after = SmallIntegerField(default=0)
    parse_failed_repair = BooleanField(default=False)
    parent_job = ForeignKeyField("self", null=True, column_name="parent_job_id")
    require_ssp = BooleanField(null=True)

    class Meta:
        table_name = "afe_jobs"

    @property
    def tag(self) -> str:
        """``<id>-<owner>``: the first folder of its results."""
        return f"{self.id}-{self.owner}"


class JobKeyval(BaseModel):
    """What a job knows from its creation: build, suite ..."""

    job = ForeignKeyField(Job)
    key = CharField(max_length=90, index=True)
    value = CharField(max_length=300)

    class Meta:
        table_name = "afe_job_keyvals"


class JobDependencyLabel(BaseModel):
    """This job needs this label."""

    job = ForeignKeyField(Job)
    label = ForeignKeyField(Label)

    class Meta:
        table_name = "afe_jobs_dependency_labels"
        indexes = ((("job", "label"), True),)


class HostQueueEntry(BaseModel):
    """One job on one host: the unit that waits, runs and ends."""

    job = ForeignKeyField(Job)
    host = ForeignKeyField(Host, null=True)
    status = CharField(max_length=32, default=EntryStatus.QUEUED)
    meta_host = ForeignKeyField(Label, null=True, column_name="meta_host")
    active = BooleanField(default=False)
    complete = BooleanField(default=False)
    deleted = BooleanField(default=False)
    execution_subdir = CharField(max_length=255, default="")
    aborted = BooleanField(default=False)
    started_on = UTCDateTimeField(null=True)
    finished_on = UTCDateTimeField(null=True)
    #: Ours: the label queue it waits in; '' for a suite entry.
    queue_key = CharField(max_length=40, default="")
    #: Ours: the job's priority, beside the key so that one index gives the next entry of a queue.
    priority = IntegerField(default=int(Priority.DEFAULT))
    #: Ours: how often a vanished worker, child or DUT sent it back to the queue.
    requeues = IntegerField(default=0)
    #: Ours: the lease whose results folder counts.
    token = IntegerField(null=True)
    #: Ours: the runner's own verdict, kept until parsing ends it.
    succeeded = BooleanField(default=False)
    #: Ours: when a step that no lease carries (suite, Parsing) is sent again.
    due_at = UTCDateTimeField(null=True)
    parse_attempts = IntegerField(default=0)
    #: Ours: one line for people: why it ended so, or why it is back in the queue.
    reason = CharField(max_length=1024, default="")

    class Meta:
        table_name = "afe_host_queue_entries"
        constraints = (Check("active = 0 OR complete = 0"),)
        indexes = (
            (("job", "host"), True),
            (("status", "active", "queue_key", "priority", "id"), False),
            (("host", "active"), False),
            (("aborted", "complete"), False),
            (("complete", "job"), False),
        )


class AbortedEntry(BaseModel):
    """Who aborted an entry, and when."""

    queue_entry = ForeignKeyField(HostQueueEntry, primary_key=True)
    aborted_by = ForeignKeyField(User)
    aborted_on = UTCDateTimeField(default=utc_now)

    class Meta:
        table_name = "afe_aborted_host_queue_entries"


class SpecialTask(BaseModel):
    """Verify, Cleanup, Reset, Repair or Provision of one host."""

    host = ForeignKeyField(Host)
    task = CharField(max_length=64)
    time_requested = UTCDateTimeField(default=utc_now)
    is_active = BooleanField(default=False)
    is_complete = BooleanField(default=False)
    is_aborted = BooleanField(default=False)
    time_started = UTCDateTimeField(null=True)
    time_finished = UTCDateTimeField(null=True)
    queue_entry = ForeignKeyField(HostQueueEntry, null=True)
    success = BooleanField(default=False)
    requested_by = ForeignKeyField(User)

    class Meta:
        table_name = "afe_special_tasks"
        indexes = ((("is_active", "is_complete"), False),)


class IneligibleHostQueue(BaseModel):
    """This job may not take this host again."""

    job = ForeignKeyField(Job)
    host = ForeignKeyField(Host)

    class Meta:
        table_name = "afe_ineligible_host_queues"
        indexes = ((("host", "job"), True),)


class Autotest(BaseModel):
    """A test that can be offered to people who make jobs by hand."""

    name = CharField(max_length=255)
    test_class = CharField(max_length=255, default="")
    test_category = CharField(max_length=255, default="")
    description = LongTextField(default="")
    test_type = IntegerField()
    path = CharField(max_length=255, unique=True)
    author = CharField(max_length=255, default="")
    dependencies = CharField(max_length=255, default="")
    experimental = SmallIntegerField(default=0)
    run_verify = BooleanField(default=False)
    test_time = SmallIntegerField(default=1)
    sync_count = IntegerField(default=1)
    run_reset = BooleanField(default=True)

    class Meta:
        table_name = "afe_autotests"


class AutotestDependencyLabel(BaseModel):
    """This test needs this label."""

    test = ForeignKeyField(Autotest)
    label = ForeignKeyField(Label)

    class Meta:
        table_name = "afe_autotests_dependency_labels"
        primary_key = CompositeKey("test", "label")


TABLES = (
    User,
    AclGroup,
    Label,
    Host,
    HostLabel,
    HostAttribute,
    AclGroupUser,
    AclGroupHost,
    Job,
    JobKeyval,
    JobDependencyLabel,
    HostQueueEntry,
    AbortedEntry,
    SpecialTask,
    IneligibleHostQueue,
    Autotest,
    AutotestDependencyLabel,
)
