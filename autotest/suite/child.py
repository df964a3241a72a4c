"""The child process that runs one suite control file: limits first, then the file, then one answer.

The parent is :mod:`autotest.suite.runner`. Both write JSON lines into one socket:

    <- {"path", "text", "suite", "arguments", "user", "tag", "time_limit_s", "memory_mb"}
    -> {"asks": "tests"}                         only if the predicate is Python code, or costly
    <- {"tests": [rows of metadata.py]}
    -> {"spec": {...}, "notes": [...], "chosen": [numbers of tests] or null, "by_code": bool}
    or {"failed": "what", "line": 7}

The file is a stranger's code. What is here keeps honest mistakes from costing more than an error with a line number;
the parent believes no answer, and kills the process group whatever happens.
"""

from __future__ import annotations

import copy
import ctypes
import dataclasses
import errno
import faulthandler
import json
import math
import os
import resource
import signal
import socket
import sys
from types import FrameType
from typing import Any, NoReturn

from autotest.suite import dynamic_suite, metadata, predicates
from autotest.suite.dynamic_suite import Asked, Recording

#: Bytes that a file may print (it may write no larger file either).
LARGEST_OUTPUT = 1 << 20

_PR_SET_PDEATHSIG = 1
_OPEN_FILES = 64
_LONGEST = 1000
_REFUSED = frozenset(
    {
        "ctypes.dlopen",
        "os.exec",
        "os.fork",
        "os.forkpty",
        "os.kill",
        "os.killpg",
        "os.posix_spawn",
        "os.spawn",
        "os.system",
        "pty.spawn",
        "subprocess.Popen",
    }
)


@dataclasses.dataclass(frozen=True)
class SuiteJob:
    """What a suite control file knows as ``job``: who asked, and the tag of the suite's job, '' before it has one."""

    user: str
    tag: str
    resultdir: None = None


def main(wire_number: int) -> NoReturn:
    """Serve one request on the socket with that file number, and exit."""
    wire = _Wire(socket.socket(fileno=wire_number))
    request = wire.receive()
    record = Recording(request["suite"], request["path"])
    _set_alarms(wire, record, request["time_limit_s"])
    _set_limits(request["memory_mb"], request["time_limit_s"])
    sys.addaudithook(_refuse)
    try:
        answer = _answer(wire, request, record)
    except BaseException as problem:
        wire.end(failed=_what(problem), line=line_of(problem, record.path) or _line_of_call(record))
    wire.end(**answer)


class _Wire:
    """JSON lines over one socket."""

    def __init__(self, connection: socket.socket):
        self._connection = connection
        self._lines = connection.makefile("rb")

    def receive(self) -> Any:
        return json.loads(self._lines.readline())

    def send(self, **message: Any) -> None:
        self._connection.sendall(json.dumps(message).encode() + b"\n")

    def end(self, **message: Any) -> NoReturn:
        """Send the last message; what the file left behind, threads and exit handlers, gets no say."""
        self.send(**message)
        os._exit(0)


def _set_limits(memory_mb: int, time_limit_s: float) -> None:
    # The parent may die without a word; nobody would kill us then.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    seconds = math.ceil(time_limit_s) + 1
    for limit, soft, hard in (
        (resource.RLIMIT_AS, memory_mb << 20, memory_mb << 20),
        (resource.RLIMIT_CPU, seconds, seconds + 2),
        (resource.RLIMIT_FSIZE, LARGEST_OUTPUT, LARGEST_OUTPUT),
        (resource.RLIMIT_NOFILE, _OPEN_FILES, _OPEN_FILES),
        (resource.RLIMIT_CORE, 0, 0),
        # Root is above this one; the audit hook is not.
        (resource.RLIMIT_NPROC, 0, 0),
    ):
        ceiling = resource.getrlimit(limit)[1]
        if ceiling != resource.RLIM_INFINITY:
            soft, hard = min(soft, ceiling), min(hard, ceiling)
        resource.setrlimit(limit, (soft, hard))
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # both are text files in this process


def _set_alarms(wire: _Wire, record: Recording, time_limit_s: float) -> None:
    def ring(_signal: int, frame: FrameType | None) -> None:
        line = dynamic_suite.line_in(frame, record.path) or _line_of_call(record)
        wire.end(failed=f"did not end within {time_limit_s:g} s", line=line)

    signal.signal(signal.SIGALRM, ring)
    signal.signal(signal.SIGXCPU, ring)
    signal.setitimer(signal.ITIMER_REAL, time_limit_s)
    # A handler waits for the interpreter, and one operation can take for ever; this one does not wait.
    faulthandler.enable()
    faulthandler.dump_traceback_later(time_limit_s + 1, exit=True)


def _refuse(event: str, _arguments: tuple[Any, ...]) -> None:
    if event in _REFUSED:
        raise PermissionError(f"a suite control file starts and stops no process ({event})")


def _answer(wire: _Wire, request: dict[str, Any], record: Recording) -> dict[str, Any]:
    code = compile(request["text"], record.path, "exec", dont_inherit=True)
    arguments = request["arguments"]
    scope = {
        "args": [],
        **copy.deepcopy(arguments),
        "__name__": "__main__",
        "__file__": record.path,
        "job": SuiteJob(request["user"], request["tag"]),
        "args_dict": arguments,
    }
    with dynamic_suite.recording(record):
        exec(code, scope)
    asked = _only(record)
    chosen = None
    if asked.chooser is not None or predicates.is_costly(asked.spec.wanted):
        wire.send(asks="tests")
        holds = asked.chooser or asked.spec.wanted.holds
        tests = [metadata.from_row(row) for row in wire.receive()["tests"]]
        chosen = [number for number, test in enumerate(tests) if holds(test)]
    return {
        "spec": asked.spec.to_json(),
        "notes": asked.notes,
        "chosen": chosen,
        "by_code": asked.chooser is not None,
    }


class _Failed(Exception):
    """The file ran to its end, and not as it should."""


def _only(record: Recording) -> Asked:
    if record.calls > 1:
        raise _Failed(f"calls reimage_and_run() {record.calls} times; a suite control file calls it once")
    if not record.asked:
        raise _Failed("ends without a call of reimage_and_run() that was accepted: no suite is asked for")
    return record.asked[0]


def _line_of_call(record: Recording) -> int:
    return record.asked[0].line if record.asked else 0


def line_of(problem: BaseException, path: str) -> int:
    """The innermost line of the file *path* in the traceback of *problem*; 0 if it has none."""
    if isinstance(problem, SyntaxError) and problem.filename == path:
        return problem.lineno or 0
    line, traceback = 0, problem.__traceback__
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename == path:
            line = traceback.tb_lineno
        traceback = traceback.tb_next
    return line


def _what(problem: BaseException) -> str:
    if isinstance(problem, OSError) and problem.errno == errno.EFBIG:
        return f"prints or writes more than {LARGEST_OUTPUT >> 20} MB"
    if isinstance(problem, MemoryError):
        return "needs more memory than it may have"
    if isinstance(problem, SystemExit):
        return f"exits ({_text(problem.code)}) instead of coming to its end"
    if isinstance(problem, SyntaxError):
        return f"{type(problem).__name__}: {problem.msg[:_LONGEST]}"
    if isinstance(problem, _Failed):
        return _text(problem)
    return f"{type(problem).__name__}: {_text(problem)}"


def _text(value: object) -> str:
    try:
        return str(value)[:_LONGEST]
    except Exception:
        return "(it has no text)"
