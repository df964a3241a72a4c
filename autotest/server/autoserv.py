"""autoserv: one step of one job, from its results folder to its results folder (afe-scheduler-and-rpc.md section 7)."""

from __future__ import annotations

import logging
import os
import socket
import sys
import time
from pathlib import Path

from autotest import errors, plugins
from autotest.client import exit_file, host_keyval, machines_file
from autotest.client.exit_file import ExitFile
from autotest.job_file import JobFile, StepOutcome
from autotest.server import client_package, debug_log, interruption, job, steps
from autotest.states import Step

_TRACES = ("control.srv", job.STATUS_LOG, exit_file.NAME)
_ENDED_BY_SIGTERM = 256 + 15
_FAILED = 256
_PLUGIN_GROUPS = ("autotest.power", "autotest.provision", "autotest.repair")

logger = logging.getLogger(__name__)


def preload() -> None:
    """Load what every child will need. For the fork server, before it forks."""
    client_package.client()
    for group in _PLUGIN_GROUPS:
        for point in plugins.all_of(group):
            try:
                point.load()
            except Exception:
                # A broken plug-in concerns the hosts that name it, not the fork server.
                logger.exception("plug-in %s of %s does not load", point.name, group)


def run_folder(folder: Path, deadline_s: float | None = None) -> int:
    """Run the step of ``job.json`` in *folder*; returns the exit status: 0 when the step was done, else 1.

    Tests may have failed in a run_test step that was done. The limit is the shorter of *deadline_s* and the job file's.
    For a main thread: SIGTERM stops the DUT, closes the log and returns. A folder that was used before is refused and
    stays as it is.
    """
    try:
        for trace in _TRACES:
            if (folder / trace).exists():
                raise errors.BadResultsFolder(f"{folder} already holds {trace}; autoserv runs in a fresh folder only")
        job_file = JobFile.read(folder)
        _check_hostnames(job_file)
    except errors.BadResultsFolder as problem:
        print(f"autoserv: {problem}", file=sys.stderr)
        return 1
    limits = [limit for limit in (deadline_s, job_file.deadline_s) if limit is not None]
    with debug_log.kept_in(folder):
        return _run(folder, job_file, min(limits, default=None))


def _run(folder: Path, job_file: JobFile, deadline_s: float | None) -> int:
    server_job = job.ServerJob(folder, job_file)
    wait_status, outcome = _FAILED, StepOutcome(False, "autoserv ended before its step")
    pidfile = folder / exit_file.NAME
    pidfile.write_text(ExitFile(os.getpid()).render())
    try:
        with interruption.interruptible(deadline_s):
            _describe(server_job)
            outcome = steps.run(server_job)
        wait_status = 0
    except interruption.Interrupted as stop:
        wait_status = _ENDED_BY_SIGTERM
        reason = f"{job_file.step.value} on {_names(job_file)} ended early: {stop}"
        server_job.abort_open(reason)
        outcome = StepOutcome(False, reason, server_job.failed_tests)
    except errors.AutotestError as problem:
        logger.info("%s failed", job_file.step.value, exc_info=True)
        outcome = StepOutcome(False, str(problem), server_job.failed_tests)
    except Exception as problem:
        logger.exception("%s failed in a way that nobody foresaw", job_file.step.value)
        outcome = StepOutcome(False, f"{type(problem).__name__}: {problem}", server_job.failed_tests)
    finally:
        outcome.write(folder)
        pidfile.write_text(ExitFile(os.getpid(), wait_status, server_job.failed_tests).render())
    return 0 if wait_status == 0 else 1


def _describe(server_job: job.ServerJob) -> None:
    """Write what is known before the step begins: status.log, keyval, control, host_keyvals."""
    folder, job_file = server_job.folder, server_job.job_file
    (folder / job.STATUS_LOG).touch()
    server_job.keyvals(
        {
            "job_started": int(time.time()),
            "hostname": ",".join(info.hostname for info in job_file.hosts),
            "status_version": 1,
            "user": job_file.user,
            "label": job_file.name,
            "drone": socket.gethostname(),
        }
    )
    if job_file.step is Step.RUN_TEST:
        name = "control.srv" if job_file.control_type == "server" else "control"
        (folder / name).write_text(job_file.control_file, encoding="utf-8", errors="surrogateescape")
    if len(job_file.hosts) > 1:
        (folder / machines_file.NAME).write_bytes(machines_file.render(info.hostname for info in job_file.hosts))
    host_keyvals = folder / host_keyval.FOLDER
    host_keyvals.mkdir(exist_ok=True)
    for info in job_file.hosts:
        (host_keyvals / info.hostname).write_bytes(host_keyval.render(info.platform, info.labels))


def _check_hostnames(job_file: JobFile) -> None:
    for info in job_file.hosts:
        if not job.is_inside(info.hostname) or "/" in info.hostname or info.hostname.startswith("."):
            raise errors.BadResultsFolder(f"{info.hostname!r} is no hostname; it cannot name a file")


def _names(job_file: JobFile) -> str:
    return ",".join(info.hostname for info in job_file.hosts) or "no host"
