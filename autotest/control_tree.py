"""The control files of a tree: every test below a folder, slowest first, and what is wrong with the others.

Files come from strangers: no link is followed, and a file that cannot be read is named, never dropped. With a cache, a
file whose stat is unchanged is not opened again, and one whose content is unchanged not parsed again.
"""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from autotest import control_cache, control_file, errors
from autotest.control_cache import Entry, Stamp
from autotest.control_diagnosis import Diagnosis, near
from autotest.control_file import ControlFile

#: Folders that hold no tests, wherever they stand.
SKIPPED = frozenset({"site-packages", "venv", "results", "logs", "containers", "deps", "profilers", "__pycache__"})
SUITES = "test_suites"

# Python modules that are called control.py are none.
_CONTROL = re.compile(r"control(?:\.(?!py\Z).+)?", re.DOTALL)
_NOT_PLAIN = "not a regular file; links are not followed"


class Unreadable(NamedTuple):
    """A control file that does not parse: its path below the root, and why."""

    path: str
    reason: str


class Tree(NamedTuple):
    """The control files below one folder; paths are relative to it, with slashes.

    *tests* are sorted by time rank, slowest first, then by name and path; *unreadable* and *diagnoses* by path. The
    diagnoses of each test are in *diagnoses* too, beside those of the tree as a whole.
    """

    tests: list[ControlFile]
    unreadable: list[Unreadable]
    diagnoses: list[Diagnosis]


class _Found(NamedTuple):
    path: str
    stamp: Stamp | None


def read(root: Path, cache: Path | None = None) -> Tree:
    """Read every control file below *root* in the modern reading; *cache* is a file that remembers from call to call.

    A cache that is damaged, or of another version of the reader, is rebuilt; one that cannot be written is done
    without. Raises NoControlFileList when *root* cannot be listed.
    """
    now = time.time_ns()
    known = control_cache.load(cache) if cache is not None else {}
    entries: dict[str, Entry] = {}
    unreadable = []
    for path, stamp in _walk(root):
        if stamp is None:
            unreadable.append(Unreadable(path, _NOT_PLAIN))
            continue
        try:
            entry = known.get(path)
            if entry is None or not entry.is_current(stamp):
                entry = _entry(root, path, stamp, now, entry)
            entries[path] = entry
        except errors.ControlFileNotFound as problem:
            unreadable.append(Unreadable(path, str(problem).replace(f"{root}/", "")))
    if cache is not None and entries != known:
        control_cache.save(cache, entries)
    tests = [entry.test for entry in entries.values() if entry.test is not None]
    unreadable += (Unreadable(path, entry.reason) for path, entry in entries.items() if entry.test is None)
    tests.sort(key=lambda test: (-test.time_rank, test.name or "", test.path))
    return Tree(tests, sorted(unreadable), sorted(_diagnoses(tests), key=lambda found: (found.path, found.line)))


def _walk(root: Path) -> Iterator[_Found]:
    """The control files below *root*, unsorted; without a stamp where it is a link or no file at all."""
    pending = [(str(root), "")]
    while pending:
        folder, prefix = pending.pop()
        try:
            with os.scandir(folder) as children:
                for child in children:
                    if child.is_dir(follow_symlinks=False):
                        if child.name not in SKIPPED:
                            pending.append((child.path, f"{prefix}{child.name}/"))
                    elif child.name.startswith("control") and _CONTROL.fullmatch(child.name):
                        yield _Found(prefix + child.name, _stamp(child))
        except OSError as problem:
            if not prefix:
                raise errors.NoControlFileList(f"{root} cannot be listed: {problem.strerror}") from problem
            yield _Found(prefix, None)


def _stamp(child: os.DirEntry[str]) -> Stamp | None:
    if not child.is_file(follow_symlinks=False):
        return None
    facts = child.stat(follow_symlinks=False)
    return Stamp(facts.st_mtime_ns, facts.st_ctime_ns, facts.st_size, facts.st_ino)


def _entry(root: Path, path: str, stamp: Stamp, now: int, known: Entry | None) -> Entry:
    """Read one file; *known* is its entry from before. Raises ControlFileNotFound when it cannot be opened."""
    data = _content(f"{root}/{path}", stamp.size)
    digest = hashlib.sha256(data).hexdigest()
    if known is not None and known.digest == digest:
        return known._replace(stamp=stamp, read_at=now)
    try:
        return Entry(stamp, now, digest, control_file.decode(data, path), "")
    except errors.ControlFileError as problem:
        return Entry(stamp, now, digest, None, str(problem))


def _content(path: str, size: int) -> bytes:
    """The bytes of a file that was *size* long, cut where it is too large to be parsed."""
    wanted = control_file.LARGEST + 1
    data = b""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            while len(data) < wanted and (piece := os.read(descriptor, min(max(size, 1024), wanted - len(data)))):
                data += piece
        finally:
            os.close(descriptor)
    except (OSError, ValueError) as problem:
        raise errors.ControlFileNotFound(f"{path} cannot be read: {problem}") from problem
    return data


def _diagnoses(tests: Iterable[ControlFile]) -> Iterator[Diagnosis]:
    """What is wrong with each test and with the tree: names that occur twice, suites without a file."""
    first: dict[str, str] = {}
    suites: dict[str, str] = {}
    described = set()
    for test in sorted(tests, key=lambda test: test.path):
        yield from test.diagnoses
        name = test.name or ""
        if name in first:
            hint = "results are told apart by name; give each its own"
            yield Diagnosis(test.path, 0, "NAME", f"{name!r} is the NAME of {first[name]} too", hint)
        first.setdefault(name, test.path)
        for suite in test.suite_tag_parts:
            suites.setdefault(suite, test.path)
        if test.path.startswith(f"{SUITES}/control."):
            described.add(test.path.removeprefix(f"{SUITES}/control."))
    # A folder without any suite file is not the whole tree.
    for suite in sorted(suites.keys() - described) if described else ():
        problem = f"the suite {suite!r} has no file {SUITES}/control.{suite}"
        yield Diagnosis(suites[suite], 0, "ATTRIBUTES", problem, near(suite, sorted(described)))
