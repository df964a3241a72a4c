"""The control files of a tree: every test below a folder, slowest first, and what is wrong with the others.

Files come from strangers: no link is followed, and a file that cannot be read is named, never dropped. With a cache, a
file whose stat is unchanged is not opened again, and one whose content is unchanged not parsed again.
"""

from __future__ import annotations

import contextlib
import gc
import hashlib
import operator
import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from autotest import errors
from autotest.control_files import cache as control_cache
from autotest.control_files import control_file, source
from autotest.control_files.cache import Entry, Refusal, Saved, Stamp
from autotest.control_files.control_file import ControlFile
from autotest.control_files.diagnosis import Diagnosis, near

#: Folders that hold no tests, wherever they stand; nor do hidden ones.
SKIPPED = frozenset({"site-packages", "venv", "results", "logs", "containers", "deps", "profilers", "__pycache__"})
SUITES = "test_suites"

# Python modules that are called control.py are none.
_NO_CONTROL_FILES = ("control.", "control.py")
_NOT_PLAIN = "not a regular file; links are not followed"
_RANKS = {time: -rank for rank, time in enumerate(control_file.TIMES)}
_AHEAD = 32
_USUAL_SIZE = 8192
_NO_STAMP = (0, 0, 0, 0)
_PLACE = operator.itemgetter(0, 1)


class Unreadable(NamedTuple):
    """A control file that does not parse: its path below the root, and why."""

    path: str
    reason: str


class Tree(NamedTuple):
    """The control files below one folder; paths are relative to it, with slashes.

    *tests* are sorted by time rank, slowest first, then by name and path; *unreadable* and *diagnoses* by path. The
    diagnoses of each test are in *diagnoses* too, beside those of the tree as a whole and those of what is unreadable:
    each of these has one that is an error.
    """

    tests: list[ControlFile]
    unreadable: list[Unreadable]
    diagnoses: list[Diagnosis]


def read(root: Path, cache: Path | None = None) -> Tree:
    """Read every control file below *root* in the modern reading; *cache* is a file that remembers from call to call.

    A cache that is damaged, or of another version of the reader, is rebuilt; one that cannot be written is done
    without. Raises NoControlFileList when *root* cannot be listed.
    """
    now = time.time_ns()
    with _collector_at_rest():
        saved = control_cache.load(cache) if cache is not None else control_cache.NOTHING
        stamps, odd = walk(str(root), with_stamps=cache is not None)
        if not saved.is_settled or saved.stamps != stamps:
            saved = _read_anew(str(root), stamps, odd, saved, now, cache)
    unreadable = [Unreadable(path, found.reason) for path, found in (saved.refusals | odd).items()]
    diagnoses = [*_of_files(saved.tests), *saved.findings, *_of_files({**saved.refusals, **odd}.values())]
    return Tree(saved.tests, sorted(unreadable), sorted(diagnoses, key=_PLACE))


@contextlib.contextmanager
def _collector_at_rest() -> Iterator[None]:
    """No cyclic garbage arises within, and the collector would look at every test again and again."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _of_files(found: Iterable[ControlFile | Refusal]) -> Iterator[Diagnosis]:
    for file in found:
        yield from file.diagnoses


def _read_anew(
    root: str, stamps: dict[str, Stamp], odd: dict[str, Refusal], saved: Saved, now: int, cache: Path | None
) -> Saved:
    """Read what is not as it was *saved*; what cannot be opened is added to *odd*."""
    known = saved.entries()
    entries = {
        path: entry
        for path, stamp in stamps.items()
        if (entry := known.get(path)) is not None and entry.is_settled and entry.stamp == stamp
    }
    with source.quiet():
        for path, data in _contents(root, [path for path in stamps if path not in entries], stamps, odd):
            # A digest is for the next time, and without a cache there is none.
            digest = hashlib.sha256(data).hexdigest() if cache is not None else ""
            entry = known.get(path)
            found = entry.found if entry is not None and entry.digest == digest else _read(data, path)
            entries[path] = Entry(stamps[path], now, digest, found)
    tests = [entry.found for entry in entries.values() if isinstance(entry.found, ControlFile)]
    refusals = {path: entry.found for path, entry in entries.items() if isinstance(entry.found, Refusal)}
    tests.sort(key=in_suite_order)
    findings = list(_findings(tests))
    if cache is not None and entries != known:
        control_cache.save(cache, entries, tests, findings)
    return Saved(stamps, True, tests, refusals, findings, b"")


def in_suite_order(test: ControlFile) -> tuple[int, str, str]:
    """The key by which a suite's tests are sorted: slowest first, then by name and path; last without a TIME."""
    return _RANKS.get((test.time or "").lower(), 1), test.name or "", test.path


def walk(root: str, with_stamps: bool = False) -> tuple[dict[str, Stamp], dict[str, Refusal]]:
    """The control files below *root* by path, unsorted, and what is a link or cannot be listed.

    Stamps are for a cache; without one they are all the same. Raises NoControlFileList when *root* itself cannot be
    listed.
    """
    found: dict[str, Stamp] = {}
    odd: dict[str, Refusal] = {}
    pending = [(root, "")]
    while pending:
        folder, prefix = pending.pop()
        try:
            with os.scandir(folder) as children:
                for child in children:
                    name = child.name
                    if child.is_dir(follow_symlinks=False):
                        if name not in SKIPPED and name[0] != ".":
                            pending.append((child.path, f"{prefix}{name}/"))
                    elif name == "control" or (name.startswith("control.") and name not in _NO_CONTROL_FILES):
                        path = prefix + name
                        if not child.is_file(follow_symlinks=False):
                            odd[path] = _refusal(path, _NOT_PLAIN)
                        elif with_stamps:
                            facts = child.stat(follow_symlinks=False)
                            found[path] = facts.st_mtime_ns, facts.st_ctime_ns, facts.st_size, facts.st_ino
                        else:
                            found[path] = _NO_STAMP
        except OSError as problem:
            if not prefix:
                raise errors.NoControlFileList(f"{root} cannot be listed: {problem.strerror}") from problem
            odd[prefix] = _refusal(prefix, f"cannot be listed: {problem.strerror}")
    return found, odd


def _refusal(path: str, reason: str) -> Refusal:
    return Refusal(reason, (Diagnosis(path, 0, "", reason, "", "error"),))


def _read(data: bytes, path: str) -> ControlFile | Refusal:
    try:
        return control_file.decode_within(data, path)
    except errors.ControlVariableException as problem:
        return Refusal(str(problem), problem.diagnoses)


def _contents(
    root: str, paths: list[str], stamps: dict[str, Stamp], odd: dict[str, Refusal]
) -> Iterator[tuple[str, bytes]]:
    """The bytes of the files *paths*; what cannot be opened is added to *odd*.

    Some are read ahead: to go to and fro between the kernel and the parser costs more than either.
    """
    for first in range(0, len(paths), _AHEAD):
        batch = []
        for path in paths[first : first + _AHEAD]:
            try:
                batch.append((path, _content(f"{root}/{path}", path, stamps[path][2])))
            except errors.ControlFileNotFound as problem:
                odd[path] = _refusal(path, str(problem))
        yield from batch


def _content(place: str, path: str, size: int) -> bytes:
    """The bytes of the file at *place* that was *size* long, cut where it is too large to be parsed."""
    left = control_file.LARGEST + 1
    data = b""
    try:
        descriptor = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            while left:
                asked = min(max(size + 1, _USUAL_SIZE), left)
                piece = os.read(descriptor, asked)
                data += piece
                # A plain file gives less than was asked at its end only.
                left = 0 if len(piece) < asked else left - asked
        finally:
            os.close(descriptor)
    except (OSError, ValueError) as problem:
        raise errors.ControlFileNotFound(f"{path} cannot be read: {getattr(problem, 'strerror', problem)}") from problem
    return data


def _findings(tests: Iterable[ControlFile]) -> Iterator[Diagnosis]:
    """What is wrong with the tree: names that occur twice, suites without a file."""
    first: dict[str, str] = {}
    suites: dict[str, str] = {}
    described = set()
    for test in sorted(tests, key=operator.attrgetter("path")):
        path, name = test.path, test.name or ""
        if first.setdefault(name, path) is not path:
            hint = "results are told apart by name; give each its own"
            yield Diagnosis(path, 0, "NAME", f"{name!r} is the NAME of {first[name]} too", hint)
        if test.suite is not None:
            suites.setdefault(test.suite, path)
        if path.startswith(f"{SUITES}/control."):
            described.add(path.removeprefix(f"{SUITES}/control."))
    # A folder without any suite file is not the whole tree.
    if described:
        yield from _without_file(suites, described)


def _without_file(suites: dict[str, str], described: set[str]) -> Iterator[Diagnosis]:
    """The names in *suites*, each key one or more of them, that no suite file has; with the path of the first test."""
    named: dict[str, str] = {}
    for joined, path in suites.items():
        for suite in joined.split(","):
            named.setdefault(suite, path)
    for suite in sorted(named.keys() - described):
        problem = f"the suite {suite!r} has no file {SUITES}/control.{suite}"
        yield Diagnosis(named[suite], 0, "ATTRIBUTES", problem, near(suite, sorted(described)))
