"""Which folders of a tree are to be parsed, and under which tag (results-and-tko.md sections 1.1, 1.4 and 5.5)."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from autotest.client import exit_file, host_keyval, machines_file
from autotest.results import special_tasks

_LOGS = ("status.log", "status")
_JOB = re.compile(r"\d+-[^/]+")
_LONGEST_MACHINES = 1 << 20

#: No job lies deeper below the folder that somebody named.
_DEEPEST = 16


class Found(NamedTuple):
    """A folder to parse, or one to tell of: *problem* says why it cannot be parsed, and is empty otherwise.

    *has_log* is False for the folder of a run that left no status log: there is nothing to store.
    """

    path: Path
    tag: str
    problem: str = ""
    has_log: bool = True


def of_tree(root: Path) -> Iterator[Found]:
    """Every job folder at or below *root*, in the order of names.

    A folder with a status log is one job; its subfolders are tests, but for the machines that ``.machines`` names. A
    run without one may have machines, too; any other folder is looked into. Special tasks, hidden folders and
    symlinks are passed over.
    """
    root = Path(os.path.abspath(root))
    yield from _below(root, root, 0)


def machines_of(folder: Path) -> list[Path]:
    """The subfolders of a group's machines: those that ``.machines`` names, as far as they are there.

    Without that file and without a log of its own, those that hold a log and a host keyval.
    """
    names = machine_names(folder)
    if not names and not has_log(folder):
        hosts = folder / host_keyval.FOLDER
        names = [name for name in _listed(hosts) if has_log(folder / name)]
    return [folder / name for name in names if (folder / name).is_dir() and not (folder / name).is_symlink()]


def machine_names(folder: Path) -> list[str]:
    """The names in ``.machines``; none if it is not there, not to be read, or a symlink."""
    try:
        handle = os.open(folder / machines_file.NAME, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as file:
            content = file.read(_LONGEST_MACHINES)
    except OSError:
        return []
    return machines_file.parse(content)


def has_log(folder: Path) -> bool:
    """Whether *folder* holds a status log: without one there is nothing to store."""
    return any(os.path.lexists(folder / name) for name in _LOGS)


def tag_of(root: Path, path: Path) -> str:
    """The tag of a job folder: from the last ``<id>-<owner>`` component on, else from the name of *root* on."""
    parts = path.parts
    for place in range(len(parts) - 1, -1, -1):
        if _JOB.fullmatch(parts[place]):
            return "/".join(parts[place:])
    return "/".join((root.name, *path.relative_to(root).parts))


def _below(root: Path, folder: Path, depth: int) -> Iterator[Found]:
    tag = tag_of(root, folder)
    try:
        with os.scandir(folder) as entries:
            found = {entry.name: entry.is_dir(follow_symlinks=False) for entry in entries}
    except OSError as problem:
        yield Found(folder, tag, f"it cannot be listed: {problem.strerror}")
        return
    is_job = any(name in found for name in _LOGS)
    machines = machines_of(folder) if machines_file.NAME in found or host_keyval.FOLDER in found else []
    if is_job:
        yield Found(folder, tag)
    if is_job or machines:
        below = machines
    elif found.get(exit_file.NAME) is False:
        # Autoserv ran here.
        yield Found(folder, tag, "it holds neither status.log nor status; there is nothing to store", has_log=False)
        return
    else:
        names = sorted(name for name, is_folder in found.items() if is_folder and not name.startswith("."))
        below = [folder / name for name in names if not special_tasks.is_folder(folder / name)]
    if below and depth == _DEEPEST:
        yield Found(folder, tag, f"its folders lie more than {_DEEPEST} levels deep; they are not looked at")
        return
    for path in below:
        yield from _below(root, path, depth + 1)


def _listed(folder: Path) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []
