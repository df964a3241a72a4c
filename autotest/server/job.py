"""The server-side job: one results folder, its status log, its keyvals, and the groups that are open in it."""

from __future__ import annotations

import contextlib
import logging
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

from autotest import errors
from autotest.client import keyval, status_log
from autotest.job_file import JobFile
from autotest.server import interruption

Result = TypeVar("Result")
STATUS_LOG = "status.log"

logger = logging.getLogger(__name__)


class ServerJob:
    """What autoserv and server-side control files call ``job``."""

    def __init__(self, folder: Path, job_file: JobFile):
        self.folder = folder
        self.job_file = job_file
        self.failed_tests = 0
        self._log = status_log.StatusLogger(str(folder), STATUS_LOG)
        self._open: list[tuple[str, str]] = []

    def become(self, other: ServerJob) -> None:
        """From here on mean *other*: a process that was forked for one host has a job of its own."""
        self.__dict__ = other.__dict__

    @property
    def resultdir(self) -> str:
        """The results folder, as control files spell it."""
        return str(self.folder)

    @property
    def tag(self) -> str:
        """The execution tag."""
        return self.job_file.tag

    @property
    def depth(self) -> int:
        """How many groups are open."""
        return len(self._open)

    def record(
        self,
        code: str,
        subdir: str,
        operation: str,
        message: str = "",
        fields: Mapping[str, str] | None = None,
    ) -> None:
        """Append one entry to status.log, at the depth of the groups that are open.

        Raises ValueError for an entry that the log cannot hold, for a subdir outside the folder, and for an END
        without its START.
        """
        if subdir and not is_inside(subdir):
            raise ValueError(f"subdir {subdir!r} leads out of the results folder")
        entry = status_log.StatusEntry(code, subdir or "", operation or "", message, dict(fields or {}))
        if entry.is_end and not self._open:
            raise ValueError(f"{code} {operation!r} ends a group that was never begun")
        # Between the two, a run that is stopped would leave a group open for ever.
        with interruption.postponed():
            text = self._log.record(entry)
            if entry.is_start:
                self._open.append((entry.subdir, entry.operation))
            elif entry.is_end:
                ended_subdir, _ = self._open.pop()
                self._count(entry, subdir or ended_subdir)
        logger.info("%s", text.rstrip("\n"))

    def abort_open(self, reason: str, down_to: int = 0) -> None:
        """End the groups that are open, innermost first, with ABORT lines that carry *reason* (section 3.4).

        *down_to* groups stay open.
        """
        while self.depth > down_to:
            subdir, operation = self._open[-1]
            self.record("ABORT", subdir, operation, reason)
            self.record("END ABORT", subdir, operation, reason)

    @contextlib.contextmanager
    def group(
        self, operation: str, subdir: str = "", success: str = "", failure: str = "END FAIL", say_why: bool = True
    ) -> Iterator[None]:
        """START before the block; END GOOD with *success* after it, or *failure* (with the reason if *say_why*)."""
        self.record("START", subdir, operation)
        depth = self.depth
        try:
            yield
        except Exception as problem:
            self.abort_open(first_line(problem), depth)
            self.record(failure, subdir, operation, str(problem) if say_why else "")
            raise
        self.record("END GOOD", subdir, operation, success)

    def run_group(self, function: Callable[..., Result], tag: str | None = None, **arguments: Any) -> Result:
        """Call *function* inside a group named *tag*, or after the function."""
        with self.group(tag or function.__name__, failure="END ERROR"):
            return function(**arguments)

    def run_test(self, name: str, function: Callable[..., Any] | None = None, tag: str = "", **arguments: Any) -> bool:
        """Run a server test: *function*, as test *name*, in a folder of its own. True when it did not raise.

        TestNAError, TestError, TestFail and TestWarn of the client's error module end it with their status.
        """
        if function is None:
            raise errors.NotFound(f"server test {name!r} is not installed; pass the function that runs it")
        subdir = f"{name}.{tag}" if tag else name
        if not is_inside(subdir) or (self.folder / subdir).exists():
            raise ValueError(f"{subdir} already exists or is no folder name; a test needs a subdirectory of its own")
        (self.folder / subdir).mkdir(parents=True)
        self.record("START", subdir, subdir)
        depth = self.depth
        code, message = "GOOD", "completed successfully"
        try:
            function(**arguments)
        except Exception as problem:
            code = str(getattr(problem, "exit_status", "FAIL"))
            message = str(problem)
            if not hasattr(problem, "exit_status"):
                message = f"Unhandled {type(problem).__name__}: {problem}\n{traceback.format_exc()}"
        self.abort_open(first_line(message), depth)
        self.record(code, subdir, subdir, message)
        self.record(f"END {code}", subdir, subdir)
        return code == "GOOD"

    def keyvals(self, pairs: Mapping[str, object], replace: bool = False) -> None:
        """Append *pairs* to the job's keyval file; unless *replace*, those that it already has are left out."""
        known = {} if replace else keyval.read(str(self.folder), strict=False)
        (self.folder / "keyval").touch()
        keyval.append(str(self.folder), {key: value for key, value in pairs.items() if key not in known})

    def _count(self, entry: status_log.StatusEntry, subdir: str) -> None:
        if subdir and entry.code != "END GOOD":
            self.failed_tests += 1


def first_line(problem: object) -> str:
    """The first line of a message."""
    return (str(problem) or type(problem).__name__).split("\n", 1)[0]


def is_inside(subdir: str) -> bool:
    """Whether *subdir* is a relative path that stays below its folder."""
    path = PurePosixPath(subdir)
    return bool(path.parts) and not path.is_absolute() and ".." not in path.parts and "\0" not in subdir
