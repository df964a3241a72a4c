"""Every state of hosts, entries and tests, and which may follow which (afe-scheduler-and-rpc.md section 2)."""

from __future__ import annotations

import enum


class HostStatus(str, enum.Enum):
    """What a host is doing (section 2.1)."""

    READY = "Ready"
    VERIFYING = "Verifying"
    CLEANING = "Cleaning"
    RESETTING = "Resetting"
    PROVISIONING = "Provisioning"
    REPAIRING = "Repairing"
    PENDING = "Pending"
    RUNNING = "Running"
    REPAIR_FAILED = "Repair Failed"


class EntryStatus(str, enum.Enum):
    """Where a HostQueueEntry stands (section 2.2)."""

    QUEUED = "Queued"
    RESETTING = "Resetting"
    VERIFYING = "Verifying"
    CLEANING = "Cleaning"
    PROVISIONING = "Provisioning"
    PENDING = "Pending"
    STARTING = "Starting"
    RUNNING = "Running"
    GATHERING = "Gathering"
    PARSING = "Parsing"
    COMPLETED = "Completed"
    FAILED = "Failed"
    ABORTED = "Aborted"
    STOPPED = "Stopped"
    TEMPLATE = "Template"


PRE_JOB = frozenset({EntryStatus.RESETTING, EntryStatus.VERIFYING, EntryStatus.CLEANING, EntryStatus.PROVISIONING})

# Section 2.3. Ours beyond it: whatever a dead worker held (Pending ... Gathering) may go back to Queued, and an
# entry that was requeued too often fails through Parsing, so that its folder is read like everybody's.
MAY_FOLLOW: dict[EntryStatus, frozenset[EntryStatus]] = {
    EntryStatus.QUEUED: PRE_JOB
    | {EntryStatus.PENDING, EntryStatus.STARTING, EntryStatus.STOPPED, EntryStatus.PARSING, EntryStatus.ABORTED},
    **{
        status: (PRE_JOB - {status})
        | {EntryStatus.PENDING, EntryStatus.QUEUED, EntryStatus.PARSING, EntryStatus.ABORTED}
        for status in PRE_JOB
    },
    EntryStatus.PENDING: frozenset(
        {EntryStatus.STARTING, EntryStatus.STOPPED, EntryStatus.QUEUED, EntryStatus.PARSING, EntryStatus.ABORTED}
    ),
    EntryStatus.STARTING: frozenset(
        {EntryStatus.RUNNING, EntryStatus.QUEUED, EntryStatus.PARSING, EntryStatus.ABORTED}
    ),
    EntryStatus.RUNNING: frozenset({EntryStatus.GATHERING, EntryStatus.PARSING, EntryStatus.QUEUED}),
    EntryStatus.GATHERING: frozenset({EntryStatus.PARSING, EntryStatus.QUEUED}),
    EntryStatus.PARSING: frozenset({EntryStatus.COMPLETED, EntryStatus.FAILED, EntryStatus.ABORTED}),
}

#: Why a test has no result that its suite waited for in vain (control-files-and-suites.md section 4.9).
NEVER_RAN = "Timed out, did not run."
FINAL = frozenset(set(EntryStatus) - set(MAY_FOLLOW))

# Section 2.2: the columns active and complete are always derived from the status. (An assigned entry that is still
# Queued has active set by the claim.)
ACTIVE = PRE_JOB | {EntryStatus.PENDING, EntryStatus.STARTING, EntryStatus.RUNNING, EntryStatus.GATHERING}


class TaskKind(str, enum.Enum):
    """What is done to one host outside the test itself (SpecialTask)."""

    VERIFY = "Verify"
    CLEANUP = "Cleanup"
    RESET = "Reset"
    REPAIR = "Repair"
    PROVISION = "Provision"


HOST_STATUS_OF = {
    TaskKind.VERIFY: HostStatus.VERIFYING,
    TaskKind.CLEANUP: HostStatus.CLEANING,
    TaskKind.RESET: HostStatus.RESETTING,
    TaskKind.REPAIR: HostStatus.REPAIRING,
    TaskKind.PROVISION: HostStatus.PROVISIONING,
}
ENTRY_STATUS_OF = {
    TaskKind.VERIFY: EntryStatus.VERIFYING,
    TaskKind.CLEANUP: EntryStatus.CLEANING,
    TaskKind.RESET: EntryStatus.RESETTING,
    TaskKind.PROVISION: EntryStatus.PROVISIONING,
}


class Step(str, enum.Enum):
    """One autoserv child: what a lease does next, and the tail of the Celery task's name."""

    VERIFY = "verify"
    REPAIR = "repair"
    PROVISION = "provision"
    RUN_TEST = "run_test"
    #: No child of its own: the host is ready for a group, and another lease of the group runs the test on all of them.
    HOLD = "hold"


STEP_OF = {TaskKind.VERIFY: Step.VERIFY, TaskKind.REPAIR: Step.REPAIR, TaskKind.PROVISION: Step.PROVISION}


class Outcome(str, enum.Enum):
    """The status of one test, worst first (results-and-tko.md section 4)."""

    TEST_NA = "TEST_NA"
    ABORT = "ABORT"
    ERROR = "ERROR"
    FAIL = "FAIL"
    WARN = "WARN"
    GOOD = "GOOD"
    ALERT = "ALERT"
    RUNNING = "RUNNING"
    NOSTATUS = "NOSTATUS"


#: Worst first. TEST_NA has no place here: it says that nothing was judged, not how bad it was.
SEVERITY = tuple(outcome for outcome in Outcome if outcome is not Outcome.TEST_NA)


def is_worse(status: str, than: Outcome) -> bool:
    """Whether the outcome *status* is worse than another one; TEST_NA never is."""
    return status in SEVERITY and SEVERITY.index(Outcome(status)) < SEVERITY.index(than)


class Priority(enum.IntEnum):
    """Higher goes first; any other integer is legal (section 3.1)."""

    WEEKLY = 10
    DAILY = 20
    POSTBUILD = 30
    DEFAULT = 40
    BUILD = 50
    PFQ = 60
    CQ = 70
    SUPER = 80


class Protection(enum.IntEnum):
    """How far a repair may go (section 2.8)."""

    NO_PROTECTION = 0
    REPAIR_SOFTWARE_ONLY = 1
    REPAIR_FILESYSTEM_ONLY = 2
    DO_NOT_REPAIR = 3
    DO_NOT_VERIFY = 4


class ControlType(enum.IntEnum):
    """Where a control file runs."""

    SERVER = 1
    CLIENT = 2


def priority_of(value: str | int) -> int:
    """A priority by name (any case, blanks as underscores) or number.

    Raises ValueError for a name that is not on the ladder.
    """
    if isinstance(value, int):
        return int(value)
    text = value.strip()
    if text.lstrip("-").isdigit():
        return int(text)
    name = text.upper().replace(" ", "_")
    if name not in Priority.__members__:
        raise ValueError(f"priority {value!r} is neither a number nor one of {', '.join(Priority.__members__)}")
    return int(Priority[name])


def broker_step(priority: int) -> int:
    """The broker's priority step of a queued entry: 1 (>= 80) to 8 (< 20); 0 is kept for running entries."""
    return min(8, max(1, 9 - priority // 10))
