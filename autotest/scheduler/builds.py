"""Staged builds: a folder a build below the builds root, with ``test_suites/`` and ``control/``.

Names come from people and control files from strangers: no path leaves the builds root, no symlink inside a build is
followed, and a file that cannot be read as a control file is named, never dropped.
"""

from __future__ import annotations

import difflib
import os
import re
from pathlib import Path
from typing import NamedTuple

from autotest import control_file, errors
from autotest.control_file import ControlFile

_CONTROL = re.compile(r"control(?:\..+)?")
_SKIPPED = frozenset({"site-packages", "venv", "results", "logs", "containers", "deps", "profilers", "__pycache__"})


class Unreadable(NamedTuple):
    """A control file that does not parse: its path below the build, and why."""

    path: str
    reason: str


class Shelf(NamedTuple):
    """The tests of one build."""

    tests: list[ControlFile]
    unreadable: list[Unreadable]


def is_name(build: str) -> bool:
    """Whether *build* can name a folder below the builds root: relative, printable, and nowhere else."""
    parts = build.split("/")
    return build.isprintable() and all(part not in ("", ".", "..") and len(part.encode()) <= 255 for part in parts)


def folder(builds_dir: Path, build: str) -> Path:
    """Where *build* is staged. Raises StageBuildFailure, naming builds that are there."""
    if not is_name(build):
        raise errors.StageBuildFailure(f"{build[:100]!r} is not the name of a build")
    place = builds_dir / build
    if not place.is_dir():
        staged = sorted(child.name for child in builds_dir.iterdir()) if builds_dir.is_dir() else []
        near = difflib.get_close_matches(build, staged, n=3, cutoff=0.4) or staged[:3]
        raise errors.StageBuildFailure(
            f"Failed to stage {build}: {place} is not there; staged builds: {', '.join(near) or 'none'}"
        )
    return place


def suite_control(builds_dir: Path, build: str, suite: str) -> str:
    """The text of ``test_suites/control.<suite>`` of *build*.

    Raises StageBuildFailure, NoControlFileList, ControlFileNotFound (with near names), ControlFileEmpty,
    ControlFileMalformed (control-files-and-suites.md section 4.2).
    """
    suites = folder(builds_dir, build) / "test_suites"
    try:
        there = sorted(path.name.partition(".")[2] for path in suites.iterdir() if path.name.startswith("control."))
    except OSError as problem:
        raise errors.NoControlFileList(f"Failed to get control file for {build} (error: no {suites})") from problem
    if suite not in there:
        near = difflib.get_close_matches(suite, there, n=3, cutoff=0.4) or there[:5]
        raise errors.ControlFileNotFound(
            f"Failed to get control file for {build} (error: No control file for test_suites/control.{suite}); "
            f"nearest suites: {', '.join(near) or 'none'}"
        )
    path = suites / f"control.{suite}"
    if not _is_plain(path):
        raise errors.ControlFileNotFound(f"{path} is not a regular file; links are not followed")
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as problem:
        raise errors.ControlFileNotFound(f"{path} cannot be read: {problem.strerror}") from problem
    except UnicodeDecodeError as problem:
        raise errors.ControlFileMalformed(f"{path} is not UTF-8 text: byte {problem.start}") from problem
    if not text.strip():
        raise errors.ControlFileEmpty(f"Fetching test_suites/control.{suite} of {build} returned no data.")
    return text


def tests(builds_dir: Path, build: str) -> Shelf:
    """Every test of *build*, slowest first, then by name and path. Raises StageBuildFailure, NoControlFileList."""
    root = folder(builds_dir, build)
    found: list[ControlFile] = []
    unreadable: list[Unreadable] = []
    paths = _control_files(root / "control")
    if not paths:
        raise errors.NoControlFileList(f"No control files under {root / 'control'}")
    for path in paths:
        if not _is_plain(path):
            unreadable.append(Unreadable(str(path.relative_to(root)), "not a regular file; links are not followed"))
            continue
        try:
            found.append(control_file.read(path))
        except errors.ControlFileError as problem:
            unreadable.append(Unreadable(str(path.relative_to(root)), str(problem).replace(str(root) + "/", "")))
    found.sort(key=lambda test: (-test.time_rank, test.name or "", test.path))
    return Shelf(found, unreadable)


def _control_files(root: Path) -> list[Path]:
    paths = []
    for place, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if name not in _SKIPPED)
        paths += [Path(place, name) for name in sorted(names) if _CONTROL.fullmatch(name)]
    return paths


def _is_plain(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()
