"""Tasks side by side, each with a log of its own that is merged in task order (test-api-and-hosts.md section 1.3)."""

import logging
import os
import sys
from typing import Any, NoReturn, Sequence

from autotest.client import error, process_tree, resume
from autotest.client.status_log import StatusLogger

_DEATH = "task of job.parallel died"


def run(logger: StatusLogger, tasks: Sequence[Sequence[Any]]) -> None:
    """Fork a process for each ``[function, arg...]`` and wait for all. Raises JobError when any of them failed."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    depth = logger.depth
    pids = []
    for number, task in enumerate(tasks):
        name = f"{logger.name}.{number}"
        open(os.path.join(logger.folder, name), "wb").close()
        pid = os.fork()
        if not pid:
            logger.name = name
            _be_task(task)
        pids.append(pid)
    failed = 0
    for number, pid in enumerate(pids):
        failed += process_tree.wait(pid) != 0
        resume.merge(logger, os.path.join(logger.folder, f"{logger.name}.{number}"), depth, _DEATH)
    if failed:
        raise error.JobError(f"{failed} task(s) failed in job.parallel")


def _be_task(task: Sequence[Any]) -> NoReturn:
    exit_code = 1
    try:
        task[0](*task[1:])
        exit_code = 0
    except BaseException:
        # job.quit() comes here too: a task cannot pause the whole run.
        logging.exception("task %r of job.parallel failed", task)
    finally:
        logging.shutdown()
        os._exit(exit_code)
