"""A cache of control files that were read: one file, replaced as a whole, believed only if it is intact.

Its first line is keyed by the format and by the source of the reader, so that no version of the reader sees what
another one read. The second is JSON: the tests column by column, in the order of the tree. The third is JSON that is
looked at only when something has changed. What follows are the long texts, one after the other.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import json
import operator
import os
import platform
import sys
import tempfile
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from autotest.control_files.control_file import ControlFile
from autotest.control_files.diagnosis import Diagnosis

_FORMAT = 2
#: The modules whose source decides what a file says.
_READER = (
    *("cache", "control_file", "conversions", "diagnosis", "dialect", "reading", "recovery", "source", "tree"),
    "values",
)
# A change within one tick of a file system's clock may leave the stat as it was; such a file is hashed again.
_TICK_NS = 2_000_000_000
#: They hold line ends, which JSON is slow to spell and to read.
_LONG = ("text", "doc")
_COLUMNS = {
    field.name: field.default
    for field in dataclasses.fields(ControlFile)
    if field.name not in ("path", "diagnoses", *_LONG)
}
_SETS = frozenset(name for name, default in _COLUMNS.items() if isinstance(default, frozenset))

#: What changes when a file does: its times of modification and of change in nanoseconds, its size, its inode.
Stamp = tuple[int, int, int, int]


class Refusal(NamedTuple):
    """A control file that cannot be read: why, and all that is wrong with it."""

    reason: str
    diagnoses: tuple[Diagnosis, ...]


class Entry(NamedTuple):
    """What is known of one file: its stamp and when that was taken (ns), the digest of its bytes, and what it says."""

    stamp: Stamp
    read_at: int
    digest: str
    found: ControlFile | Refusal

    @property
    def is_settled(self) -> bool:
        """Whether a file with the same stamp is the one that was read, without opening it."""
        return max(self.stamp[:2]) + _TICK_NS < self.read_at


class Saved(NamedTuple):
    """A tree as it was read: its tests in their order, what was refused, and what is wrong with the tree as a whole."""

    stamps: dict[str, Stamp]
    #: Whether a tree with the same stamps is this one, without opening a file.
    is_settled: bool
    tests: list[ControlFile]
    refusals: dict[str, Refusal]
    findings: list[Diagnosis]
    rest: bytes

    def entries(self) -> dict[str, Entry]:
        """What is known of each file, by path."""
        found: list[ControlFile | Refusal] = [*self.tests, *self.refusals.values()]
        facts = zip(self.stamps.items(), json.loads(self.rest), found, strict=True)
        return {path: Entry(stamp, read_at, digest, what) for (path, stamp), (read_at, digest), what in facts}


NOTHING = Saved({}, False, [], {}, [], b"[]")


def load(path: Path) -> Saved:
    """What was saved; NOTHING when the file is missing, damaged, or of another version of the reader."""
    try:
        with open(path, "rb", buffering=0) as file:
            data = file.read()
        ends = [data.index(b"\n")]
        ends += [second := data.index(b"\n", ends[0] + 1), data.index(b"\n", second + 1)]
        # The texts are most of it; they are not copied more than once.
        if data[: ends[0]] != _head(memoryview(data)[ends[0] + 1 :]):
            return NOTHING
        first, rest = data[ends[0] + 1 : ends[1]], data[ends[1] + 1 : ends[2]]
        return _saved(json.loads(first), rest, str(memoryview(data)[ends[2] + 1 :], "utf-8"))
    except (OSError, ValueError, TypeError, KeyError, IndexError, AttributeError, RecursionError):
        return NOTHING


def save(path: Path, entries: Mapping[str, Entry], tests: Sequence[ControlFile], findings: Iterable[Diagnosis]) -> None:
    """Replace the file at *path*; *tests* are those of *entries* in their order, *findings* about the tree as a whole.

    A place that cannot be written costs time and nothing else.
    """
    body = b"\n".join(_lines(entries, tests, findings))
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, draft = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with open(descriptor, "wb") as file:
                file.write(_head(body) + b"\n" + body)
            os.replace(draft, path)
        except OSError:
            os.unlink(draft)
            raise


def _head(body: bytes | memoryview) -> bytes:
    return f"autotest control files {_FORMAT} {_reader()} {zlib.crc32(body):08x} {len(body)}".encode()


@functools.cache
def _reader() -> str:
    """A digest of the reader's source, and of the Python whose parser it uses."""
    digest = hashlib.sha256(f"{platform.python_implementation()} {sys.version_info}".encode())
    for name in _READER:
        digest.update(Path(__file__).with_name(f"{name}.py").read_bytes())
    return digest.hexdigest()[:32]


class _Numbered(dict[Any, int]):
    """Values that occur again and again, each kept once; a number stands for it."""

    def __missing__(self, value: Any) -> int:
        self[value] = number = len(self)
        return number


def _lines(entries: Mapping[str, Entry], tests: Sequence[ControlFile], findings: Iterable[Diagnosis]) -> list[bytes]:
    """The lines of a body; _saved is the inverse."""
    refused = {path: entry.found for path, entry in entries.items() if isinstance(entry.found, Refusal)}
    places = {path: number for number, path in enumerate([*(test.path for test in tests), *refused])}
    kept = [entries[path] for path in places]
    sets, kinds = _Numbered(), _Numbered()

    def said(diagnoses: Iterable[Diagnosis]) -> list[tuple[int, int]]:
        return [(one.line, kinds[one[2:]]) for one in diagnoses]

    columns: dict[str, list[Any]] = {}
    for name, default in _COLUMNS.items():
        column = list(map(operator.attrgetter(name), tests))
        if any(value != default for value in column):
            columns[name] = [sets[value] for value in column] if name in _SETS else column
    first = {
        "paths": list(places),
        "stamps": [[entry.stamp[part] for entry in kept] for part in range(4)],
        "is_settled": all(entry.is_settled for entry in kept),
        "columns": columns,
        "sets": [sorted(members) for members in sets],
        "lengths": [(len(test.text), -1 if test.doc is None else len(test.doc)) for test in tests],
        "reasons": [refusal.reason for refusal in refused.values()],
        "of_files": [said(entry.found.diagnoses) for entry in kept],
        "of_tree": [(places[one.path], *said([one])) for one in findings],
        "kinds": list(kinds),
    }
    rest = [(entry.read_at, entry.digest) for entry in kept]
    texts = "".join(f"{test.text}{test.doc or ''}" for test in tests)
    return [*(json.dumps(line, separators=(",", ":")).encode() for line in (first, rest)), texts.encode()]


def _saved(first: dict[str, Any], rest: bytes, texts: str) -> Saved:
    paths, kinds, reasons, columns = first["paths"], first["kinds"], first["reasons"], first["columns"]
    if not columns.keys() <= _COLUMNS.keys():
        raise ValueError("no control file has such fields")

    def said(path: str, rows: Iterable[tuple[int, int]]) -> tuple[Diagnosis, ...]:
        return tuple([Diagnosis._make((path, line, *kinds[kind])) for line, kind in rows])

    sets = [frozenset(members) for members in first["sets"]]
    for name in _SETS & columns.keys():
        columns[name] = [sets[number] for number in columns[name]]
    names = ("path", *_LONG, *columns)
    tests = []
    long = _long_texts(texts, first["lengths"])
    count = len(paths) - len(reasons)
    of_tests, of_refused = first["of_files"][:count], first["of_files"][count:]
    for row, own in zip(zip(paths[:count], *long, *columns.values(), strict=True), of_tests, strict=True):
        # Its constructor makes a call for each field, and here are thousands of files.
        test = object.__new__(ControlFile)
        fields = dict(zip(names, row, strict=True))
        if own:
            fields["diagnoses"] = said(row[0], own)
        object.__setattr__(test, "__dict__", fields)
        tests.append(test)
    stamps = zip(*first["stamps"], strict=True)
    refused = zip(paths[count:], reasons, of_refused, strict=True)
    return Saved(
        dict(zip(paths, stamps, strict=True)),
        first["is_settled"],
        tests,
        {path: Refusal(reason, said(path, own)) for path, reason, own in refused},
        [one for place, row in first["of_tree"] for one in said(paths[place], [row])],
        rest,
    )


def _long_texts(texts: str, lengths: Iterable[tuple[int, int]]) -> tuple[list[str], list[str | None]]:
    """The text and the doc of each test, cut out of all *texts*; a doc that is not there has the length -1."""
    whole: list[str] = []
    docs: list[str | None] = []
    begin = 0
    for length, of_doc in lengths:
        middle = begin + length
        begin = middle + max(of_doc, 0)
        whole.append(texts[middle - length : middle])
        docs.append(None if of_doc < 0 else texts[middle:begin])
    return whole, docs
