"""What the mechanics need beside upstream's tables: labs, leases and label queues."""

from __future__ import annotations

from peewee import BooleanField, CharField, DeferredForeignKey, ForeignKeyField, IntegerField

from autotest.models.database import BaseModel, LongTextField, UTCDateTimeField, utc_now


class Lab(BaseModel):
    """One lab, served by one worker at a time; every start of its worker is a new incarnation."""

    name = CharField(max_length=64, unique=True)
    incarnation = IntegerField(default=0)
    seen_at = UTCDateTimeField(null=True)
    #: Where its worker runs, ``<node>:<pid>``, for people.
    worker = CharField(max_length=255, default="")
    #: When this incarnation began.
    started_at = UTCDateTimeField(null=True)
    #: A drained lab takes no new work; what runs there goes on.
    drained = BooleanField(default=False)
    drain_reason = CharField(max_length=255, default="")
    drained_by = CharField(max_length=255, default="")

    class Meta:
        table_name = "labs"


class Lease(BaseModel):
    """Exclusive use of one host. The row id is the fencing token: it only rises, and leases are never deleted.

    The schema keeps promise 2: unique indexes that ignore released leases allow one open lease a host, and one an
    entry (migration 0001 adds them, since each database spells them in its own way).
    """

    host = DeferredForeignKey("Host")
    lab = ForeignKeyField(Lab)
    #: The incarnation of the lab that holds it.
    incarnation = IntegerField()
    entry = DeferredForeignKey("HostQueueEntry", null=True)
    #: The SpecialTask that the current step carries out, if any.
    task = DeferredForeignKey("SpecialTask", null=True)
    #: The step that runs, or is due next.
    step = CharField(max_length=16)
    #: When the step is sent again if nobody began it; NULL while it runs.
    due_at = UTCDateTimeField(null=True)
    #: How often it was sent again.
    pokes = IntegerField(default=0)
    #: Rises while a worker runs a step; who watches it stand still may take the lease back.
    beat = IntegerField(default=0)
    granted_at = UTCDateTimeField(default=utc_now)
    released_at = UTCDateTimeField(null=True)
    #: Why it ended, for people.
    release_reason = CharField(max_length=255, default="")

    class Meta:
        table_name = "leases"
        indexes = ((("released_at", "lab"), False),)

    @property
    def token(self) -> int:
        return self.id


class LabelQueue(BaseModel):
    """A label queue in readable form: what its key stands for."""

    key = CharField(max_length=40, primary_key=True)
    #: JSON list of label names, sorted.
    labels = LongTextField()
    host = DeferredForeignKey("Host", null=True)
    host_count = IntegerField(default=1)
    #: Whether it had entries when somebody last looked; the worker reads only those.
    busy = BooleanField(default=True, index=True)

    class Meta:
        table_name = "label_queues"


TABLES = (Lab, Lease, LabelQueue)
