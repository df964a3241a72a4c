"""What a suite control file calls, once: ``reimage_and_run(**args_dict)``, or ``run_provision_suite(**args_dict)``.

It runs nothing itself: it checks and remembers what the file asks for, and :mod:`autotest.suite.child` hands that on.
See docs/how-to/suite.md.
"""

from __future__ import annotations

import contextlib
import dataclasses
import sys
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

from autotest import errors
from autotest.control_file import ControlFile
from autotest.suite import arguments
from autotest.suite.predicates import Named, Predicate
from autotest.suite.spec import SuiteSpec

#: The test that passes wherever the build is.
PROVISION = "provision"


@dataclasses.dataclass(frozen=True)
class Asked:
    """One call: its spec, a note for each keyword without effect, its line in the file, and the predicate if that was
    Python code."""

    spec: SuiteSpec
    notes: list[str]
    line: int
    chooser: Callable[[ControlFile], object] | None


@dataclasses.dataclass
class Recording:
    """The calls of the suite control file *path*; *suite* is the name that it has from its own file name."""

    suite: str
    path: str
    asked: list[Asked] = dataclasses.field(default_factory=list)
    calls: int = 0


_recording: Recording | None = None


@contextlib.contextmanager
def recording(record: Recording) -> Iterator[None]:
    """Take down the calls made in the block into *record*."""
    global _recording
    if _recording is not None:
        raise RuntimeError("a suite control file cannot run inside another one")
    _recording = record
    try:
        yield
    finally:
        _recording = None


def current() -> Recording:
    """What is being taken down. Raises SuiteArgumentException outside of a suite control file."""
    if _recording is None:
        raise errors.SuiteArgumentException("this runs in a suite control file only: see docs/how-to/suite.md")
    return _recording


def reimage_and_run(**args_dict: Any) -> None:
    """Ask for one suite. The keywords are the fields of :class:`autotest.suite.spec.SuiteSpec`; others have no effect.

    *predicate* says which tests are meant: one of :mod:`autotest.suite.library`, its JSON form, or a function that
    takes a ControlFile and returns something true for the tests that are meant; left out, it is those in suite *name*.

    Raises SuiteArgumentException for a second call, for a required keyword that is missing or empty, and for values
    that do not fit (control-files-and-suites.md section 3.2).
    """
    record = current()
    record.calls += 1
    if record.calls > 1:
        raise errors.SuiteArgumentException("reimage_and_run() is called a second time; a suite file calls it once")
    predicate = args_dict.get("predicate")
    chooser = predicate if callable(predicate) and not isinstance(predicate, Predicate) else None
    if chooser is not None:
        args_dict["predicate"] = None
    spec, notes = SuiteSpec.from_call(args_dict)
    record.asked.append(Asked(spec, notes, line_in(sys._getframe(), record.path), chooser))


def run_provision_suite(num_required: Any = None, num_max: Any = None, **args_dict: Any) -> None:
    """Ask for the suite that brings the builds onto hosts: the test ``provision`` on each live host of the suite's
    labels, on *num_max* at most. It is fine as soon as *num_required* of them passed, whatever became of the others.

    Both may be digits, as the command line gives them. Raises SuiteArgumentException as reimage_and_run() does.
    """
    if num_required is None:
        raise errors.SuiteArgumentException("run_provision_suite() needs num_required=int")
    arguments.count(1)("num_required", _number(num_required))
    which = {"predicate": Named(PROVISION), "each_host": True, "num_max": _number(num_max)}
    reimage_and_run(**{**args_dict, **which})


def _number(value: Any) -> Any:
    return int(value) if isinstance(value, str) and value.isdecimal() and len(value) < 10 else value


def line_in(frame: FrameType | None, path: str) -> int:
    """The innermost line of the file *path* that *frame* runs or was called from; 0 if there is none."""
    while frame is not None and frame.f_code.co_filename != path:
        frame = frame.f_back
    return frame.f_lineno if frame is not None else 0
