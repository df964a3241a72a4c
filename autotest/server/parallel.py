"""Parallel: the same work on several hosts of one job, one process a host (test-api-and-hosts.md section 3.2)."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

from autotest import errors
from autotest.host_info import HostInfo
from autotest.job_file import StepOutcome
from autotest.server import debug_log, interruption, job

_LAST_GRACE_S = 1.5

logger = logging.getLogger(__name__)


def on_each_host(server_job: job.ServerJob, work: Callable[[job.ServerJob, HostInfo], None]) -> None:
    """Do *work* on every host at once, each with its own results in ``<hostname>/``.

    To be called before this process has connections or threads. Raises JobAborted that names each failure.
    """
    children: dict[int, HostInfo] = {}
    failures: dict[str, str] = {}
    try:
        for info in server_job.job_file.hosts:
            children[_start(server_job, info, work)] = info
        for pid, info in list(children.items()):
            _, status = os.waitpid(pid, 0)
            del children[pid]
            outcome = StepOutcome.read(server_job.folder / info.hostname)
            server_job.failed_tests += outcome.failed_tests if outcome else 0
            if status:
                failures[info.hostname] = outcome.reason if outcome else f"its process ended with wait status {status}"
    except BaseException:
        _end(list(children))
        raise
    if failures:
        lines = "\n".join(f"{hostname}: {reason}" for hostname, reason in sorted(failures.items()))
        raise errors.JobAborted(f"One or more subcommands failed:\n{lines}")


def _start(server_job: job.ServerJob, info: HostInfo, work: Callable[[job.ServerJob, HostInfo], None]) -> int:
    folder = server_job.folder / info.hostname
    folder.mkdir()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            status = _work_alone(server_job, folder, info, work)
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            os._exit(status)
    return pid


def _work_alone(
    parent: job.ServerJob, folder: Path, info: HostInfo, work: Callable[[job.ServerJob, HostInfo], None]
) -> int:
    debug_log.move_to(folder)
    alone = job.ServerJob(folder, dataclasses.replace(parent.job_file, hosts=(info,)))
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


def _end(pids: list[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    limit = time.monotonic() + _LAST_GRACE_S
    while pids and time.monotonic() < limit:
        pids = [pid for pid in pids if os.waitpid(pid, os.WNOHANG) == (0, 0)]
        time.sleep(0.02)
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
