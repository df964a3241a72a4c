"""Results of special tasks: where they lie, and how one becomes the result of a job (results-and-tko.md 1.1)."""

from __future__ import annotations

import datetime
import os
import re
import shutil
from pathlib import Path
from typing import NamedTuple

from autotest.client import keyval
from autotest.states import TaskKind

_HOSTS = "hosts"
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


def adopt(task: Path, job: Path, queued: datetime.datetime, finished: datetime.datetime) -> None:
    """Copy what a failed task left into the folder of its job, which is then parsed like any other.

    What the job's folder already holds stays, symlinks are copied as such, and ``job_queued`` and ``job_finished`` end
    its keyval. Repeated, it changes nothing but the end of the keyval. Raises OSError if *job* cannot be written.
    """
    job.mkdir(parents=True, exist_ok=True)
    for source, folders, files in os.walk(task):
        place = job / Path(source).relative_to(task)
        links = [name for name in folders if (Path(source) / name).is_symlink()]
        for name in folders:
            if name not in links:
                (place / name).mkdir(exist_ok=True)
        for name in (*files, *links):
            if not os.path.lexists(place / name) and _is_plain(Path(source) / name):
                shutil.copy2(Path(source) / name, place / name, follow_symlinks=False)
    keyval.append(str(job), {"job_queued": int(queued.timestamp()), "job_finished": int(finished.timestamp())})


def _is_plain(path: Path) -> bool:
    """A FIFO or a device would be read for ever."""
    return path.is_symlink() or path.is_file()
