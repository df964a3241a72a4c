"""Parallel: the same work on several hosts of one job, one process a host (test-api-and-hosts.md section 3.2)."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from autotest import errors
from autotest.host_info import HostInfo
from autotest.job_file import StepOutcome
from autotest.server import debug_log, interruption, job

Work = Callable[[job.ServerJob, HostInfo], None]

_LAST_GRACE_S = 1.5
_LEAST_S = 1.0
_POLL_S = 0.02

logger = logging.getLogger(__name__)


def on_each_host(server_job: job.ServerJob, work: Work, timeout_s: float | None = None) -> None:
    """Do *work* on every host at once, each with its own results in ``<hostname>/``; who is not done after *timeout_s*
    (a second at least) is ended.

    To be called before this process has threads. Raises JobAborted that names each failure.
    """
    infos = server_job.job_file.hosts
    failures = _run_all(server_job, {info.hostname: _alone(server_job, info, work) for info in infos}, timeout_s)
    for info in infos:
        outcome = StepOutcome.read(server_job.folder / info.hostname)
        server_job.failed_tests += outcome.failed_tests if outcome else 0
        if info.hostname in failures and outcome is not None and outcome.reason:
            failures[info.hostname] = outcome.reason
    if failures:
        raise errors.JobAborted(_told(failures))


def simple(
    server_job: job.ServerJob,
    function: Callable[[Any], Any],
    machines: Sequence[Any],
    log: bool = True,
    timeout: float | None = None,
    return_results: bool = False,
) -> list[Any] | None:
    """``parallel_simple`` of control files: call *function* with each machine, in a process each.

    With *log* each has its results in ``<hostname>/``, and ``job`` means the job of that machine there. A single
    machine is served in this process. With *return_results* the list of what the calls returned (JSON values) or
    raised; else raises JobAborted that names each failure. *timeout* in seconds, for all together.
    """
    named = {str(machine): machine for machine in machines}
    if not named:
        logger.warning("parallel_simple was called without a machine")
        return [] if return_results else None
    if len(named) == 1:
        return _call_here(function, machines[0], return_results)
    with tempfile.TemporaryDirectory(prefix="parallel.") as scratch:
        returned = {name: Path(scratch, str(number)) for number, name in enumerate(named)}

        def work(alone: job.ServerJob, info: HostInfo) -> None:
            server_job.become(alone)
            _write(returned[info.hostname], function(named[info.hostname]))

        known = {info.hostname: info for info in server_job.job_file.hosts}
        infos = [known.get(name) or HostInfo(name) for name in named]
        acts = {info.hostname: (_alone if log else _here)(server_job, info, work) for info in infos}
        failures = _run_all(server_job, acts, timeout)
        for name in named if log else ():
            outcome = StepOutcome.read(server_job.folder / name)
            server_job.failed_tests += outcome.failed_tests if outcome else 0
            if name in failures and outcome is not None and outcome.reason:
                failures[name] = outcome.reason
        if return_results:
            return [
                errors.JobAborted(f"{name}: {failures[name]}") if name in failures else json.loads(place.read_text())
                for name, place in returned.items()
            ]
    if failures:
        raise errors.JobAborted(_told(failures))
    return None


def _call_here(function: Callable[[Any], Any], machine: Any, return_results: bool) -> list[Any] | None:
    if not return_results:
        function(machine)
        return None
    try:
        return [function(machine)]
    except Exception as problem:
        return [problem]


def _write(place: Path, value: Any) -> None:
    try:
        place.write_text(json.dumps(value))
    except (TypeError, ValueError) as problem:
        raise errors.JobAborted(f"what the call returned cannot be handed over: {problem}") from problem


def _told(failures: dict[str, str]) -> str:
    lines = "\n".join(f"{hostname}: {reason}" for hostname, reason in sorted(failures.items()))
    return f"One or more subcommands failed:\n{lines}"


def _run_all(server_job: job.ServerJob, acts: dict[str, Callable[[], int]], timeout_s: float | None) -> dict[str, str]:
    """Do each of *acts* in a process of its own. Returns why each failed that did."""
    for name in acts:
        if not job.is_inside(name) or "/" in name or name.startswith("."):
            raise ValueError(f"{name!r} is no hostname; it cannot name a folder")
    limit = None if timeout_s is None else time.monotonic() + max(_LEAST_S, timeout_s)
    children: dict[int, str] = {}
    failures: dict[str, str] = {}
    try:
        for name, act in acts.items():
            children[_fork(act)] = name
        while children:
            if limit is not None and time.monotonic() > limit:
                failures |= dict.fromkeys(children.values(), f"not done after {timeout_s:g} s")
                break
            pid, status = os.waitpid(next(iter(children)), 0 if limit is None else os.WNOHANG)
            if pid == 0:
                time.sleep(_POLL_S)
            elif status:
                failures[children.pop(pid)] = f"its process ended with wait status {status}"
            else:
                del children[pid]
    finally:
        _end(list(children))
    return failures


def _fork(act: Callable[[], int]) -> int:
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            status = act()
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            os._exit(status)
    return pid


def _alone(parent: job.ServerJob, info: HostInfo, work: Work) -> Callable[[], int]:
    """*work* in a results folder of the host's own; the outcome says how it went."""

    def act() -> int:
        folder = parent.folder / info.hostname
        folder.mkdir(exist_ok=True)
        debug_log.move_to(folder)
        alone = job.ServerJob(folder, parent.job_file.alone(info))
        alone.keyvals({"hostname": info.hostname, "status_version": 1})
        reason = ""
        try:
            work(alone, info)
        except interruption.Interrupted as stop:
            reason = str(stop)
            alone.abort_open(reason)
        except Exception as problem:
            logger.exception("%s", info.hostname)
            reason = str(problem) or type(problem).__name__
        StepOutcome(not reason, reason, alone.failed_tests).write(folder)
        return 1 if reason else 0

    return act


def _here(parent: job.ServerJob, info: HostInfo, work: Work) -> Callable[[], int]:
    """*work* in the results folder of the whole job."""

    def act() -> int:
        work(parent, info)
        return 0

    return act


def _end(pids: list[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    limit = time.monotonic() + _LAST_GRACE_S
    while pids and time.monotonic() < limit:
        pids = [pid for pid in pids if os.waitpid(pid, os.WNOHANG) == (0, 0)]
        time.sleep(_POLL_S)
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
