"""Runs a suite control file in a child process and says which tests it means; nothing it does can hurt the caller.

The child (:mod:`autotest.suite.child`) has limits of its own; here are the ones that hold whatever the file does: a
deadline, a process group that is killed, an output that is cut, and a check of every word that the child says.
"""

from __future__ import annotations

import ast
import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple, NoReturn

import autotest
from autotest import errors
from autotest.control_file import ControlFile
from autotest.suite import child, metadata, predicates, similarity
from autotest.suite.predicates import Listed
from autotest.suite.spec import SuiteSpec

# The child ends itself at its limit; if it cannot any more, we do it so much later.
_OVERTIME_S = 5.0
_LARGEST_ANSWER = 16 << 20
_MOST_NOTES = 100
_SHOWN_OUTPUT = 2000
# Isolated, a child finds only what is installed; the package may lie elsewhere, where this process found it.
_START = (
    "import sys; root = sys.argv[1]; sys.path.insert(0, root); import autotest; sys.path.remove(root); "
    "from autotest.suite import child; child.main(int(sys.argv[2]))"
)


class Decision(NamedTuple):
    """What a suite control file asks for.

    *members* are the tests to run, in the order in which they were given, EXPERIMENTAL ones among them if the spec has
    add_experimental. *notes* are for whoever asked: what had no effect, what the file printed, why there is no member.
    """

    spec: SuiteSpec
    members: list[ControlFile]
    notes: list[str]


def decide(
    text: str,
    path: str,
    arguments: Mapping[str, Any],
    tests: Sequence[ControlFile],
    time_limit_s: float = 60,
    memory_mb: int = 512,
) -> Decision:
    """Run the suite control file *text*, ``test_suites/control.<suite>`` at *path* below the build, over *tests*.

    *arguments* are those of :meth:`SuiteSpec.arguments`; the keys ``owner`` and ``job_tag`` are not the file's to
    change: it sees them as ``job.user`` and ``job.tag``. A file of assignments only is not run: it means the tests that
    carry the suite's name. *memory_mb* is address space; an interpreter with nothing in it needs about 60.

    Raises SuiteFileFailed, naming path, line and what: the file does not ask for exactly one suite, or it asks wrongly,
    raises, exits, starts a process, prints more than 1 MB, or outruns its time or memory.
    """
    given = dict(arguments)
    owner, tag = str(given.pop("owner", None) or ""), str(given.pop("job_tag", None) or "")
    suite = _suite_of(path)
    if not _has_body(text):
        spec, notes = _declared({"name": suite, **given}, path)
        chosen = None
    else:
        request = {
            "path": path,
            "text": text,
            "suite": suite,
            "arguments": given,
            "user": owner,
            "tag": tag,
            "time_limit_s": time_limit_s,
            "memory_mb": memory_mb,
        }
        with _Child(path, time_limit_s) as running:
            spec, notes, chosen = _understood(running.ask(request, tests), tests, path)
            notes += running.printed()
    wanted = spec.wanted
    members = [test for test in tests if wanted.holds(test)] if chosen is None else [tests[number] for number in chosen]
    if not members:
        notes.append(similarity.nothing_found(wanted, tests))
    left_out = [] if spec.add_experimental else [test for test in members if test.experimental]
    if left_out:
        members = [test for test in members if not test.experimental]
        notes.append(f"add_experimental=False leaves out {', '.join(test.name or test.path for test in left_out)}")
    return Decision(SuiteSpec.from_json({**spec.to_json(), "owner": owner}), members, notes)


def _suite_of(path: str) -> str:
    return path.rpartition("/")[2].partition(".")[2] or "suite"


def _has_body(text: str) -> bool:
    """Whether *text* does more than assign to names. What does not parse counts: the child says in which line."""
    try:
        statements = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return True
    return not all(_declares(statement) for statement in statements)


def _declares(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Expr):
        return isinstance(statement.value, ast.Constant)
    return isinstance(statement, ast.Assign) and all(isinstance(target, ast.Name) for target in statement.targets)


def _declared(arguments: Mapping[str, Any], path: str) -> tuple[SuiteSpec, list[str]]:
    try:
        return SuiteSpec.from_call(arguments)
    except errors.SuiteArgumentException as problem:
        raise errors.SuiteFileFailed(path, 0, str(problem)) from problem


def _understood(
    answer: Mapping[str, Any], tests: Sequence[ControlFile], path: str
) -> tuple[SuiteSpec, list[str], list[int] | None]:
    """The child's last message, checked: the spec, the notes, and the numbers of the chosen tests if it chose."""
    if "failed" in answer:
        line = answer.get("line")
        raise errors.SuiteFileFailed(path, line if isinstance(line, int) else 0, _cut(str(answer["failed"])))
    notes, chosen = answer.get("notes"), answer.get("chosen")
    try:
        spec = SuiteSpec.from_json(answer.get("spec"))
    except errors.SuiteArgumentException as problem:
        raise errors.SuiteFileFailed(path, 0, str(problem)) from problem
    if not isinstance(notes, list) or not all(isinstance(note, str) for note in notes):
        raise _nonsense(path)
    if chosen is not None:
        fits = isinstance(chosen, list) and all(type(number) is int for number in chosen)
        if not fits or any(not 0 <= number < len(tests) for number in chosen):
            raise _nonsense(path)
        chosen = sorted(set(chosen))
        if answer.get("by_code"):
            listed = Listed(frozenset(tests[number].path for number in chosen))
            spec = SuiteSpec.from_json({**spec.to_json(), "predicate": listed.to_json()})
    elif spec.predicate is not None and predicates.is_costly(spec.predicate):
        raise _nonsense(path)
    return spec, [_cut(note) for note in notes[:_MOST_NOTES]], chosen


class _Child:
    """One child process; leaving the block kills it and its group."""

    def __init__(self, path: str, time_limit_s: float):
        self._path = path
        self._limit_s = time_limit_s
        self._deadline = time.monotonic() + time_limit_s + _OVERTIME_S
        self._everything = contextlib.ExitStack()

    def __enter__(self) -> _Child:
        with self._everything:
            self._output: IO[bytes] = self._everything.enter_context(tempfile.TemporaryFile())
            self._wire, theirs = socket.socketpair()
            self._everything.enter_context(self._wire)
            root = str(Path(autotest.__file__).parents[1])
            with theirs:
                self._process = subprocess.Popen(
                    [sys.executable, "-I", "-B", "-X", "utf8", "-c", _START, root, str(theirs.fileno())],
                    stdin=subprocess.DEVNULL,
                    stdout=self._output,
                    stderr=self._output,
                    pass_fds=[theirs.fileno()],
                    start_new_session=True,
                    cwd="/",
                    # Nothing of ours: there may be a broker's password in it.
                    env={"PATH": os.defpath, "LANG": "C.UTF-8"},
                )
            self._everything.callback(self._end)
            self._everything = self._everything.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._everything.close()

    def _end(self) -> int:
        """Kill the group while its number is still its own, and return how the child ended."""
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
        return self._process.wait()

    def ask(self, request: Mapping[str, Any], tests: Sequence[ControlFile]) -> dict[str, Any]:
        """Send *request*, and the metadata of *tests* if the child asks for it. Returns its last message."""
        self._send(request)
        answer = self._receive()
        if answer.get("asks") == "tests":
            self._send({"tests": [metadata.to_row(test) for test in tests]})
            answer = self._receive()
        return answer

    def printed(self) -> list[str]:
        """A note with the end of what the file printed, if it printed anything."""
        text = self._tail(_SHOWN_OUTPUT).strip()
        return [f"{self._path} printed: {text}"] if text else []

    def _send(self, message: Mapping[str, Any]) -> None:
        try:
            self._wire.settimeout(self._left())
            self._wire.sendall(json.dumps(message).encode() + b"\n")
        except TimeoutError:
            self._out_of_time()
        except OSError:
            self._gone()

    def _receive(self) -> dict[str, Any]:
        received = bytearray()
        while not received.endswith(b"\n"):
            try:
                self._wire.settimeout(self._left())
                data = self._wire.recv(1 << 16)
            except TimeoutError:
                self._out_of_time()
            except OSError:
                data = b""
            if not data:
                self._gone()
            received += data
            if len(received) > _LARGEST_ANSWER:
                raise _nonsense(self._path)
        try:
            message = json.loads(received)
        except (ValueError, RecursionError) as problem:
            raise _nonsense(self._path) from problem
        if not isinstance(message, dict):
            raise _nonsense(self._path)
        if "failed" not in message and self._size() >= child.LARGEST_OUTPUT:
            raise errors.SuiteFileFailed(self._path, 0, f"prints more than {child.LARGEST_OUTPUT >> 20} MB")
        return message

    def _left(self) -> float:
        # settimeout(0) would mean: do not wait.
        return max(self._deadline - time.monotonic(), 0.001)

    def _out_of_time(self) -> NoReturn:
        raise errors.SuiteFileFailed(self._path, self._last_line(), f"did not end within {self._limit_s:g} s")

    def _gone(self) -> NoReturn:
        """The child ended without an answer: say how."""
        status = self._end()
        line = self._last_line()
        if b"Timeout (" in self._raw(_SHOWN_OUTPUT * 4) or status == -signal.SIGXCPU:
            raise errors.SuiteFileFailed(self._path, line, f"did not end within {self._limit_s:g} s")
        how = f"exit code {status}" if status >= 0 else signal.Signals(-status).name
        said = "" if line else self._tail(_SHOWN_OUTPUT).strip().rpartition("\n")[2]
        raise errors.SuiteFileFailed(
            self._path, line, _cut(f"its process ended without an answer: {how}{f', {said}' if said else ''}")
        )

    def _last_line(self) -> int:
        """The line of the file at which faulthandler found it, if it did."""
        dump = self._tail(_SHOWN_OUTPUT * 4).rpartition("(most recent call first)")[2]
        seen = re.search(rf'File "{re.escape(self._path)}", line (\d{{1,7}})', dump)
        return int(seen[1]) if seen else 0

    def _size(self) -> int:
        return os.fstat(self._output.fileno()).st_size

    def _raw(self, length: int) -> bytes:
        return os.pread(self._output.fileno(), length, max(0, self._size() - length))

    def _tail(self, length: int) -> str:
        return self._raw(length).decode("utf-8", "replace")


def _nonsense(path: str) -> errors.SuiteFileFailed:
    return errors.SuiteFileFailed(path, 0, "its process answered something that is not an answer")


def _cut(text: str) -> str:
    return text if len(text) <= 1000 else text[:997] + "..."
