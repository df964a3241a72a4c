"""Results of special tasks: where they lie, and how one becomes the result of a job (results-and-tko.md 1.1)."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import NamedTuple

from autotest.client import encoding, status_log
from autotest.client.status_log import StatusEntry
from autotest.states import TaskKind

_HOSTS = "hosts"
#: Bytes at the end of a log that are looked at.
_LONGEST_LINE = 1 << 20
_KINDS = {kind.value.lower(): kind for kind in TaskKind}
_NAME = re.compile(r"(\d{1,18})-([a-z]+)")


class TaskFolder(NamedTuple):
    """The name of a special task's folder."""

    task_id: int
    kind: TaskKind

    def render(self) -> str:
        """``<task id>-<kind, lower case>``."""
        return f"{self.task_id}-{self.kind.value.lower()}"

    @classmethod
    def parse(cls, name: str) -> TaskFolder | None:
        """The inverse of :meth:`render`; None for any other name."""
        found = _NAME.fullmatch(name)
        if found is None or found[2] not in _KINDS or not found[1].isascii():
            return None
        return cls(int(found[1]), _KINDS[found[2]])


def folder_of(results_dir: Path, hostname: str, task: TaskFolder) -> Path:
    """Where a special task of a host writes. Such a folder is never parsed."""
    return results_dir / _HOSTS / hostname / task.render()


def is_folder(path: Path) -> bool:
    """Whether *path* is the folder of a special task; on a shard it lies one level deeper, below a time."""
    above = path.parts[-4:-1]
    return TaskFolder.parse(path.name) is not None and _HOSTS in above[:-1]


def adopt(task: Path, job: Path) -> None:
    """Copy what a failed task left into the folder *job*, which is then parsed like any other job's.

    Links that stay inside are copied as links; others, and what is neither file nor folder, are left out.
    Raises OSError if *job* is there or cannot be written.
    """
    job.mkdir(parents=True)
    for source, folders, files in os.walk(task):
        place = job / Path(source).relative_to(task)
        links = [name for name in folders if (Path(source) / name).is_symlink()]
        for name in folders:
            if name not in links:
                (place / name).mkdir()
        for name in (*files, *links):
            if _is_plain(Path(source) / name, task):
                shutil.copy2(Path(source) / name, place / name, follow_symlinks=False)


def give_reason(log: Path, reason: str, when: int) -> None:
    """Let the status log *log* of a task say why it failed: its last END has no reason of its own (test-api 3.3).

    *when* is the time of the line that tells the job's own record, in epoch seconds.
    """
    if log.is_symlink():
        # It may lead into the folder of the task, which stays as it is.
        log.unlink()
    fields = {"timestamp": str(when), "job_abort_reason": reason}
    told = StatusEntry("INFO", message=reason, fields=fields).render()
    with os.fdopen(os.open(log, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644), "r+b") as file:
        begin = max(0, file.seek(0, os.SEEK_END) - _LONGEST_LINE)
        file.seek(begin)
        tail = file.read()
        cut = tail.rstrip(b"\n").rfind(b"\n") + 1
        last = encoding.to_text(tail[cut:])
        ended = _failed_end(last)
        if ended is not None:
            file.seek(begin + cut)
            file.truncate()
            told = ended._replace(message=reason).render(status_log.depth_of(last)) + told
        elif tail and not tail.endswith(b"\n"):
            told = "\n" + told
        file.write(encoding.to_bytes(told))


def _failed_end(line: str) -> StatusEntry | None:
    try:
        entry = StatusEntry.parse(line)
    except ValueError:
        return None
    return entry if entry.is_end and entry.code != "END GOOD" and not entry.message else None


def _is_plain(path: Path, within: Path) -> bool:
    """A FIFO or a device would be read for ever."""
    return path.is_file() and path.resolve().is_relative_to(within.resolve())
