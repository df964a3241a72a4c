"""After an unexpected death: the groups that the status log left open are closed (test-api sections 1.4, 10 V25).

The log itself tells what was running; nothing else has to be remembered.
"""

import glob
import os
from typing import List

from autotest.client import encoding, status_log
from autotest.client.status_log import StatusEntry, StatusLogger

REASON = "unexpected reboot"


def reopen(folder: str) -> StatusLogger:
    """A logger that goes on where the log in *folder* ends, be it in the middle of a line."""
    logger = StatusLogger(folder)
    _mend(logger.path)
    logger.depth = len(open_groups(logger))
    return logger


def open_groups(logger: StatusLogger) -> List[StatusEntry]:
    """What the log of *logger* left open, outermost first."""
    return status_log.open_groups(status_log.read_file(logger.path))


def close_interrupted(logger: StatusLogger, keep: int, reason: str = REASON) -> None:
    """Close all groups below the outermost *keep*: a test as FAIL, any other group as ABORT."""
    for group in reversed(open_groups(logger)[keep:]):
        code = "FAIL" if group.subdir else "ABORT"
        logger.record(StatusEntry(code, group.subdir, group.operation, reason))
        logger.record(StatusEntry("END " + code, group.subdir, group.operation))


def merge_tasks(logger: StatusLogger, reason: str = REASON) -> None:
    """Bring home the logs of parallel tasks that nobody waited for, lowest task first."""
    keep = logger.depth
    for path in sorted(glob.glob(glob.escape(logger.path) + ".[0-9]*"), key=_task_number):
        if os.path.isfile(path):
            merge(logger, path, keep, reason)


def merge(logger: StatusLogger, path: str, keep: int, reason: str) -> None:
    """Append the task log at *path* to the log, close what the task left open, and remove the file."""
    _mend(path)
    with open(path, "rb") as task_log:
        data = task_log.read()
    with open(logger.path, "ab") as log:
        log.write(data)
    os.remove(path)
    logger.depth = keep + len(status_log.open_groups(status_log.read(encoding.to_text(data).split("\n")[:-1])))
    if logger.depth > keep:
        close_interrupted(logger, keep, reason)
    logger.depth = keep


def _task_number(path: str) -> List[int]:
    return [int(part) for part in os.path.basename(path).split(".") if part.isdigit()]


def _mend(path: str) -> None:
    """Cut off a last line that was not written to its end."""
    if not os.path.exists(path):
        return
    with open(path, "rb+") as log:
        data = log.read()
        log.truncate(data.rfind(b"\n") + 1)
