"""Staged builds: a folder a build below the builds root, with ``test_suites/`` and ``control/``.

Names come from people and control files from strangers: no path leaves the builds root, no symlink inside a build is
followed, and a file that cannot be read as a control file is named, never dropped.
"""

from __future__ import annotations

import difflib
import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from autotest import errors
from autotest.control_file import ControlFile
from autotest.control_files import tree as control_tree
from autotest.devserver_client import fleet
from autotest.scheduler import fetching
from autotest.settings import Settings

_TESTS = "control/"
#: ``<target>/LATEST`` in any case is the newest build of the target (control-files-and-suites.md section 3.2).
_LATEST = "/latest"
#: So many folders above it: ``<target>/<release>/<number>``.
_DEEPEST = 2
#: What a build is called within its target (section 4.6).
_RELEASE = re.compile(r"R\d+-[0-9.ab-]+")


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
    plain = all(part and not part.startswith(".") and len(part.encode()) <= 255 for part in parts)
    return build.isprintable() and plain


def newest(settings: Settings, build: str) -> str:
    """The name that *build* stands for: ``<target>/LATEST`` is the newest ``<target>/R<milestone>-<version>`` that a
    dev server knows or, without dev servers, that is staged; any other name is itself. Raises StageBuildFailure."""
    if not build.lower().endswith(_LATEST):
        return build
    target = build[: -len(_LATEST)]
    if not is_name(target):
        raise errors.StageBuildFailure(f"{build[:100]!r} is not the name of a build")
    if settings.devservers:
        return fleet.latest(target, settings.devservers)
    place = settings.builds_dir / target
    there = place.iterdir() if place.is_dir() else ()
    found = [f"{target}/{child.name}" for child in there if _RELEASE.fullmatch(child.name) and child.is_dir()]
    if not found:
        raise errors.StageBuildFailure(f"No build of {target}: {place} holds no R<milestone>-<version>")
    return max(found, key=fleet.version)


def stage(settings: Settings, build: str) -> Path:
    """See that the tests of *build* are below the builds root. Returns their folder.

    What is there stays as it is, whoever put it there: builds do not change. Else the dev servers of the settings stage
    the build; it may take as long as ``stage_limit``, so no transaction may be open.

    Raises StageBuildFailure, naming every dev server and its fact; without dev servers, builds that are there.
    """
    if settings.devservers and is_name(build) and not (settings.builds_dir / build).is_dir():
        fetching.fetch(settings, build, settings.builds_dir / build)
    return folder(settings.builds_dir, build)


def folder(builds_dir: Path, build: str) -> Path:
    """Where *build* is staged. Raises StageBuildFailure, naming builds that are there."""
    if not is_name(build):
        raise errors.StageBuildFailure(f"{build[:100]!r} is not the name of a build")
    place = builds_dir / build
    if not place.is_dir():
        staged = sorted(_staged(builds_dir, ""))
        near = difflib.get_close_matches(build, staged, n=3, cutoff=0.4) or staged[:3]
        raise errors.StageBuildFailure(
            f"Failed to stage {build}: {place} is not there; staged builds: {', '.join(near) or 'none'}"
        )
    return place


def _staged(builds_dir: Path, target: str, depth: int = 0) -> Iterator[str]:
    """The names of the builds below ``<target>/``, of as many parts as build names have (section 4.6)."""
    place = builds_dir / target
    for child in place.iterdir() if place.is_dir() else ():
        if not child.is_dir() or not is_name(child.name):
            continue
        if any((child / name).is_dir() for name in ("control", "test_suites")):
            yield f"{target}{child.name}"
        elif depth < _DEEPEST:
            yield from _staged(builds_dir, f"{target}{child.name}/", depth + 1)


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


def tests(builds_dir: Path, build: str, cache_dir: Path | None = None) -> Shelf:  # noqa: PT028 - no test, whatever its name
    """Every test of *build*, slowest first, then by name and path; paths are relative to the build's folder.

    In *cache_dir*, if there is one, lies what makes the next reading fast. Raises StageBuildFailure, NoControlFileList.
    """
    root = folder(builds_dir, build)
    cache = None
    if cache_dir is not None:
        cache_dir.mkdir(parents=True, exist_ok=True)
        cache = cache_dir / f"control-{hashlib.sha256(str(root).encode()).hexdigest()[:32]}.json"
    tree = control_tree.read(root, cache)
    # The suites' own control files are no tests.
    found = [test for test in tree.tests if test.path.startswith(_TESTS)]
    unreadable = [Unreadable(*bad) for bad in tree.unreadable if bad.path.startswith(_TESTS)]
    if not found and not unreadable:
        raise errors.NoControlFileList(f"No control files under {root / _TESTS}")
    return Shelf(found, unreadable)


def _is_plain(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()
