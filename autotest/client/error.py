"""What a test may raise, and the status each exception gives it (test-api-and-hosts.md section 7.2).

SystemExit
 JobContinue, JobComplete
Exception
 AutotestError             Unhandled (the root of the three Unhandled... below)
  JobError                 UnhandledJobError, BarrierError > BarrierAbortError, InstallError, HarnessError,
                           HostInstallTimeoutError, HostInstallProfileError, ProfilerNotPresentError
  TestBaseException        (never raised itself)
   TestError    ERROR      UnhandledTestError, CmdError > CmdTimeoutError, PackageError
   TestNAError  TEST_NA
   TestFail     FAIL       UnhandledTestFail
   TestBug      BUG
   TestWarn     WARN
  AutotestRunError, AutotestTimeoutError, NotAvailableError, StepError
"""

import contextlib
import functools
import traceback
from typing import Any, Callable, Iterator, List, TypeVar

_MOST_TEXT = 100000
_context: List[str] = []


class JobContinue(SystemExit):
    """The run pauses here and goes on with ``--continue``."""


class JobComplete(SystemExit):
    """The run ends here without a last status line."""


class AutotestError(Exception):
    """The root: whatever the client raises on purpose."""


def describe(exception: BaseException) -> str:
    """The text of *exception*, however ill-behaved: bounded in length, and never an exception itself."""
    try:
        text = str(exception)
    except Exception:
        text = "<no text: __str__ of the exception failed>"
    if len(text) > _MOST_TEXT:
        text = f"{text[:_MOST_TEXT]} ... ({len(text) - _MOST_TEXT} characters cut)"
    return text


def format_error() -> str:
    """The traceback of the exception being handled."""
    return traceback.format_exc()


class Unhandled(AutotestError):
    """Carries an exception nobody expected as text; a text given to it is taken as it is.

    One of the same class only hands on its text."""

    def __init__(self, unhandled: object):
        if isinstance(unhandled, type(self)):
            super().__init__(*unhandled.args)
        elif isinstance(unhandled, BaseException):
            lines = traceback.format_exception(type(unhandled), unhandled, unhandled.__traceback__)
            told = "".join(lines)[-_MOST_TEXT:].rstrip()
            super().__init__(f"Unhandled {type(unhandled).__name__}: {describe(unhandled)}\n{told}")
        else:
            super().__init__(unhandled)


class JobError(AutotestError):
    """The whole run ends; a second argument names the operation that failed."""


class UnhandledJobError(Unhandled, JobError):
    """An exception escaped the control file or a step."""


class BarrierError(JobError):
    """Machines that wait for each other did not meet."""


class BarrierAbortError(BarrierError):
    """One of the machines that wait for each other gave up."""


class InstallError(JobError):
    """Something could not be installed."""


class HarnessError(JobError):
    """The channel to the server is broken."""


class HostInstallTimeoutError(JobError):
    """A machine was not installed in time."""


class HostInstallProfileError(JobError):
    """There is no such installation profile."""


class ProfilerNotPresentError(JobError):
    """There is no such profiler."""


class TestBaseException(AutotestError):
    """The root of what ends one test. Raise one of its children."""

    exit_status = "ERROR"


class TestError(TestBaseException):
    """The test could not do its work."""

    exit_status = "ERROR"


class TestNAError(TestBaseException):
    """The test does not apply to this machine."""

    exit_status = "TEST_NA"


class TestFail(TestBaseException):
    """The test did its work, and the device failed it."""

    exit_status = "FAIL"


class TestBug(TestBaseException):
    """The test met a known bug."""

    exit_status = "BUG"


class TestWarn(TestBaseException):
    """The test passed, and something is odd."""

    exit_status = "WARN"


class UnhandledTestError(Unhandled, TestError):
    """An exception escaped the frame around a test."""


class UnhandledTestFail(Unhandled, TestFail):
    """An exception escaped the body of a test."""


class PackageError(TestError):
    """A package that the test needs is missing."""


class CmdError(TestError):
    """A command failed. *command* is its text, *result_obj* a :class:`autotest.client.process.CmdResult`."""

    def __init__(self, command: str, result_obj: Any, additional_text: str = ""):
        super().__init__(command, result_obj, additional_text)
        self.command = command
        self.result_obj = result_obj
        self.additional_text = additional_text

    def __str__(self) -> str:
        if self.result_obj.exit_status is None:
            text = f"Command <{self.command}> failed and is not responding to signals"
        else:
            text = f"Command <{self.command}> failed, rc={self.result_obj.exit_status}"
        if self.additional_text:
            text += ", " + self.additional_text
        return text + "\n" + repr(self.result_obj)


class CmdTimeoutError(CmdError):
    """A command outran its time limit."""


class AutotestRunError(AutotestError):
    """A command could not be run."""


class AutotestTimeoutError(AutotestError):
    """Something did not happen in time."""


class NotAvailableError(AutotestError):
    """A tool that is needed is not installed."""


class StepError(AutotestError):
    """A step that cannot be found again after a restart."""


_F = TypeVar("_F", bound=Callable[..., Any])


def context(text: str) -> None:
    """Say what the running :func:`context_aware` function is doing; "" says nothing."""
    if _context:
        _context[-1] = text


def get_context() -> str:
    """What the running context_aware functions are doing, outermost first."""
    return " --> ".join(text for text in _context if text)


@contextlib.contextmanager
def _new_context() -> Iterator[None]:
    _context.append("")
    try:
        yield
    except Exception as exception:
        _note_context(exception)
        raise
    finally:
        _context.pop()


def _note_context(exception: Exception) -> None:
    if get_context() and not hasattr(exception, "autotest_context"):
        exception.autotest_context = get_context()  # type: ignore[attr-defined]  # our own mark on any exception


def exception_context(exception: BaseException) -> str:
    """``    [context: a --> b]`` as it was when *exception* left the innermost context_aware function, or ""."""
    noted = getattr(exception, "autotest_context", "")
    return f"    [context: {noted}]" if noted else ""


def context_aware(function: _F) -> _F:
    """Add what :func:`context` said to the message of an exception that leaves *function*."""

    @functools.wraps(function)
    def in_context(*args: Any, **kwargs: Any) -> Any:
        with _new_context():
            return function(*args, **kwargs)

    return in_context  # type: ignore[return-value]  # wraps keeps the signature


PUBLIC = tuple(
    value for value in list(globals().values())
    if isinstance(value, type) and issubclass(value, BaseException) and not value.__name__.startswith("_")
)  # fmt: skip
__all__ = ["context", "context_aware", "describe", "exception_context", "format_error", "get_context"]
__all__ += [exception_class.__name__ for exception_class in PUBLIC]
