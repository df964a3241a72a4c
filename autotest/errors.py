"""The exception tree, split by who must act.

AutotestError
 ├── LabError                 the lab misbehaved: blame a machine or a service, plan a repair
 │    ├── HostError           one DUT
 │    │    ├── HostUnreachable
 │    │    ├── HostKeyRejected
 │    │    ├── CommandFailed
 │    │    ├── CommandTimeout
 │    │    ├── OutputFlood
 │    │    ├── ClientProtocolError
 │    │    ├── VerifyFailed
 │    │    ├── RepairFailed
 │    │    ├── ProvisionFailed
 │    │    └── RebootFailed
 │    ├── PowerError          the outlet of a DUT
 │    ├── StaleLease          a newer lease holds the machine
 │    ├── HttpFailed          a dev server, or where builds come from
 │    ├── NoRoom              a disk or its quota is full
 │    ├── ArchiveFailed       where old results folders are kept
 │    ├── BugTrackerFailed
 │    ├── BrokerUnreachable
 │    └── DatabaseUnreachable
 ├── RequestError             the caller asked for something that cannot be done
 │    ├── NotFound
 │    ├── ValidationError     one message for each argument, by name
 │    │    └── NoEligibleHost
 │    ├── HostBusy
 │    ├── LabBusy
 │    ├── NotFinished
 │    ├── ConfigError         names file and key
 │    ├── PluginNotFound
 │    ├── BadResultsFolder
 │    ├── BadCondition        what somebody asked results by; names the position
 │    ├── TooManyRows         an answer that is too large; names what to narrow
 │    ├── FleetError
 │    ├── ControlFileError
 │    │    ├── ControlFileNotFound
 │    │    ├── NoControlFileList
 │    │    ├── ControlFileEmpty
 │    │    ├── ControlFileMalformed
 │    │    ├── SuiteControlFileException
 │    │    ├── SuiteFileFailed
 │    │    └── ControlVariableException
 │    ├── SuiteArgumentException
 │    ├── InvalidBugTemplate
 │    ├── ArchiveRefused      names the member
 │    └── StageBuildFailure
 ├── JobAborted               the control file, or what it ran, gave up
 └── IllegalMove              our own bug: a state that may not follow another
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from autotest.control_files.diagnosis import Diagnosis


class AutotestError(Exception):
    """The root: whatever this package raises on purpose."""


class LabError(AutotestError):
    """The lab misbehaved: blame a machine or a service, plan a repair."""


class HostError(LabError):
    """One DUT misbehaved. *hostname* says which."""

    def __init__(self, hostname: str, message: str):
        self.hostname = hostname
        super().__init__(message)


class HostUnreachable(HostError):
    """The DUT does not answer SSH."""


class HostKeyRejected(HostError):
    """The DUT shows another host key than the one that is pinned."""


class CommandFailed(HostError):
    """A command on the DUT ended with a status other than 0."""


class CommandTimeout(HostError):
    """A command on the DUT outran its wall-clock limit."""


class OutputFlood(HostError):
    """A command on the DUT wrote more than we are willing to keep."""


class ClientProtocolError(HostError):
    """The client on the DUT answered something that is not its protocol."""


class VerifyFailed(HostError):
    """The DUT is reachable and not fit for tests."""


class RepairFailed(HostError):
    """Every repair action was tried and the DUT is still not fit for tests."""


class ProvisionFailed(HostError):
    """The wanted version could not be put onto the DUT."""


class RebootFailed(HostError):
    """The DUT did not go down, or did not come back."""


class PowerError(LabError):
    """The power outlet of a DUT did not obey."""


class StaleLease(LabError):
    """A newer lease holds the machine; whoever sees this must stop touching it."""


class HttpFailed(LabError):
    """An HTTP server did not answer, or not as it should. *status* is its HTTP status; 0: there was none."""

    def __init__(self, fact: str, status: int = 0):
        self.status = status
        super().__init__(fact)


class NoRoom(LabError):
    """What is to be stored does not fit, even with everything evicted that nobody uses."""


class ArchiveFailed(LabError):
    """The store of old results folders did not take one, or does not give back what it took."""


class BugTrackerFailed(LabError):
    """The bug tracker did not take a report; it is sent again later."""


class BrokerUnreachable(LabError):
    """The Redis or Valkey server does not answer."""


class DatabaseUnreachable(LabError):
    """The database does not answer."""


class RequestError(AutotestError):
    """The caller asked for something that cannot be done."""


class NotFound(RequestError):
    """A job, host, suite or label of that name does not exist."""


class ValidationError(RequestError):
    """Arguments that cannot be accepted: *problems* holds one message for each argument name."""

    def __init__(self, problems: dict[str, str]):
        self.problems = problems
        super().__init__("; ".join(f"{name}: {text}" for name, text in problems.items()))


class NoEligibleHost(ValidationError):
    """No host of the inventory carries the labels."""


class HostBusy(RequestError):
    """The host is leased or locked by somebody else."""


class LabBusy(RequestError):
    """The lab is served by another worker, or drained by somebody else."""


class NotFinished(RequestError):
    """What the caller waited for did not end within the time that the caller gave it."""


class ConfigError(RequestError):
    """A settings or worker_configs file that cannot be used."""


class PluginNotFound(RequestError):
    """No plug-in of that name is installed."""


class BadResultsFolder(RequestError):
    """A results folder that cannot be used as asked."""


class BadCondition(RequestError):
    """A condition on results that cannot be read. *position* counts its characters from 1."""

    def __init__(self, position: int, what: str):
        self.position = position
        super().__init__(f"condition, character {position}: {what}")


class TooManyRows(RequestError):
    """A question whose answer is larger than anybody reads."""


class FleetError(RequestError):
    """The simulated fleet cannot do what was asked."""


class ControlFileError(RequestError):
    """A control file, or the lack of one."""


class ControlFileNotFound(ControlFileError):
    """The build has no control file of that name."""


class NoControlFileList(ControlFileError):
    """The control files of the build cannot be listed."""


class ControlFileEmpty(ControlFileError):
    """The control file holds no text."""


class ControlFileMalformed(ControlFileError):
    """The control file is not text that can be read."""


class SuiteControlFileException(ControlFileError):
    """The control files of a suite cannot be read in one piece."""


class SuiteFileFailed(ControlFileError):
    """A suite control file did not do its one duty. *path*, *line* (0: not known) and *what* say where and what."""

    def __init__(self, path: str, line: int, what: str):
        self.path, self.line, self.what = path, line, what
        super().__init__(f"{path}{f', line {line}' if line else ''}: {what}")


class SuiteArgumentException(RequestError):
    """An argument of a suite is missing, or cannot be what it is."""


class InvalidBugTemplate(RequestError):
    """A BUG_TEMPLATE with keys or values that no bug tracker understands."""


class ControlVariableException(ControlFileError):
    """The control file does not parse, or lacks a required variable.

    *diagnoses* are what is wrong with the file, in the order of its lines.
    """

    def __init__(self, message: str, diagnoses: tuple[Diagnosis, ...] = ()):
        self.diagnoses = diagnoses
        super().__init__(message)


class ArchiveRefused(RequestError):
    """An archive that is damaged, or holds what may not be unpacked."""


class StageBuildFailure(RequestError):
    """The build cannot be staged."""


class JobAborted(AutotestError):
    """The control file, or what it ran, gave up; the machine is not to blame."""


class IllegalMove(AutotestError):
    """Our own bug: the table in states.py does not allow this move."""
