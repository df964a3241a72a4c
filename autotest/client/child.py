"""A test in a process of its own: its verdict comes back as JSON, its death as a TestError (test-api section 2.1)."""

import glob
import logging
import os
import shutil
import sys
from typing import Any, Callable, Dict, NoReturn, Optional

from autotest.client import durable, encoding, error, process_tree, typed_json

_GRACE_S = 2.0
_MOST_REPORT = 4 << 20


def run(function: Callable[[], None], reports: str, tmpdir: str, timeout_s: Optional[float] = None) -> None:
    """Call *function* in a child and raise here what it raised there.

    *reports* is the folder through which the verdict comes back; what the child left in *tmpdir* is removed.
    Raises TestError as well when the child dies, or has not ended after *timeout_s*.
    """
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    pid = os.fork()
    if not pid:
        _be_child(function, reports)
    status = process_tree.wait(pid) if timeout_s is None else process_tree.wait_for(pid, timeout_s)
    timed_out = status is None
    if status is None:
        status = process_tree.end_child(pid, _GRACE_S)
    for folder in glob.glob(os.path.join(glob.escape(tmpdir), f"test-{pid}-*")):
        shutil.rmtree(folder, ignore_errors=True)
    report = _take_report(_report_path(reports, pid))
    rc = os.WTERMSIG(status) if os.WIFSIGNALED(status) else status
    if timed_out:
        raise error.TestError(f"Test timeout expired, rc={rc}")
    if report is None or (report["ok"] and status):
        raise error.TestError(f"Test subprocess failed rc={rc}")
    if not report["ok"]:
        raise _revive(report)


def _be_child(function: Callable[[], None], reports: str) -> NoReturn:
    pid, exit_code = os.getpid(), 1
    try:
        report: Dict[str, Any] = {"ok": True}
        try:
            function()
        except BaseException as reason:
            report = _report(reason)
        # A test that forks may come back here twice; only the first is waited for.
        if os.getpid() == pid:
            durable.write(_report_path(reports, pid), typed_json.dumps(report))
        logging.shutdown()
        exit_code = 0
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
    finally:
        os._exit(exit_code)


def _report_path(reports: str, pid: int) -> str:
    return os.path.join(reports, f"error-{pid}")


def _report(reason: BaseException) -> Dict[str, Any]:
    if not isinstance(reason, (error.TestBaseException, error.JobError)):
        reason = error.UnhandledTestError(reason)
    context = error.exception_context(reason)
    report: Dict[str, Any] = {
        "ok": False,
        "classes": [kind.__name__ for kind in type(reason).__mro__],
        "text": error.describe(reason) + context,
        "args": None,
    }
    if not context and len(reason.args) > 1:
        report["args"] = _plain(reason.args)
    return report


def _plain(args: Any) -> Any:
    try:
        return args if len(typed_json.dumps(args)) < _MOST_REPORT // 4 else None
    except (TypeError, ValueError, RecursionError):
        return None


def _take_report(path: str) -> Optional[Dict[str, Any]]:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with open(handle, "rb") as file:
            report = typed_json.loads(encoding.to_text(file.read(_MOST_REPORT)))
        os.remove(path)
        return report if isinstance(report, dict) and isinstance(report.get("ok"), bool) else None
    except (OSError, ValueError):
        return None


def _revive(report: Dict[str, Any]) -> BaseException:
    """The exception again, as its nearest class of ours that is built from plain arguments."""
    text = str(report.get("text"))
    args = report["args"] if isinstance(report.get("args"), tuple) else (text,)
    known = {kind.__name__: kind for kind in error.PUBLIC}
    for name in report.get("classes") or ():
        kind = known.get(name)
        if kind is None or not issubclass(kind, (error.TestBaseException, error.JobError)):
            continue
        if issubclass(kind, error.Unhandled):
            return kind(text)
        if kind.__init__ is Exception.__init__:
            return kind(*args)
        # CmdError and its like are not made of plain arguments; their text is all that is needed here.
        args = (text,)
    return error.UnhandledTestError(text)
