"""A cache of control files that were read: one JSON file, replaced as a whole, believed only if it is intact.

It is keyed by its format and by the source of the reader, so that no version of the reader sees what another one read.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import json
import os
import platform
import sys
import tempfile
import zlib
from pathlib import Path
from typing import Any, NamedTuple

from autotest.control_diagnosis import Diagnosis
from autotest.control_file import ControlFile

_FORMAT = 1
#: The modules whose source decides what a file says.
_READER = ("cache", "conversions", "diagnosis", "dialect", "file", "recovery", "source", "values")
# A change within one tick of a file system's clock may leave the stat as it was; such a file is hashed again.
_TICK_NS = 2_000_000_000
_SETS = ("dependencies", "attributes", "test_parameters")
_DEFAULTS = {field.name: field.default for field in dataclasses.fields(ControlFile)}


class Stamp(NamedTuple):
    """What changes when a file does; times in nanoseconds."""

    mtime: int
    ctime: int
    size: int
    inode: int


class Entry(NamedTuple):
    """What is known of one file: its stamp and when that was taken (ns), the digest of its bytes, and what it says.

    *test* is None for a file that cannot be read, and *reason* says why.
    """

    stamp: Stamp
    read_at: int
    digest: str
    test: ControlFile | None
    reason: str

    def is_current(self, stamp: Stamp) -> bool:
        """Whether a file with *stamp* is the one that was read, without opening it."""
        return stamp == self.stamp and max(stamp.mtime, stamp.ctime) + _TICK_NS < self.read_at


def load(path: Path) -> dict[str, Entry]:
    """The entries by path; none when the file is missing, damaged, or of another version of the reader."""
    try:
        head, _, body = path.read_bytes().partition(b"\n")
        if head != _head(body):
            return {}
        return {name: _entry(name, row) for name, row in json.loads(body).items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}


def save(path: Path, entries: dict[str, Entry]) -> None:
    """Replace the file at *path*; a place that cannot be written costs time and nothing else."""
    body = json.dumps({name: _row(entry) for name, entry in entries.items()}, separators=(",", ":")).encode()
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


def _head(body: bytes) -> bytes:
    return f"autotest control files {_FORMAT} {_reader()} {zlib.crc32(body):08x} {len(body)}".encode()


@functools.cache
def _reader() -> str:
    """A digest of the reader's source, and of the Python whose parser it uses."""
    digest = hashlib.sha256(f"{platform.python_implementation()} {sys.version_info}".encode())
    for name in _READER:
        digest.update(Path(__file__).with_name(f"control_{name}.py").read_bytes())
    return digest.hexdigest()[:32]


def _row(entry: Entry) -> list[Any]:
    return [*entry.stamp, entry.read_at, entry.digest, entry.reason, _fields(entry.test)]


def _fields(test: ControlFile | None) -> dict[str, Any] | None:
    """What of *test* is not as it is by default; its path is the key of the entry."""
    if test is None:
        return None
    fields = {name: value for name, value in vars(test).items() if value != _DEFAULTS[name]}
    fields.pop("path", None)
    for name in _SETS:
        if name in fields:
            fields[name] = sorted(fields[name])
    if test.diagnoses:
        fields["diagnoses"] = [diagnosis[1:] for diagnosis in test.diagnoses]
    return fields


def _entry(path: str, row: list[Any]) -> Entry:
    mtime, ctime, size, inode, read_at, digest, reason, fields = row
    test = None
    if fields is not None:
        for name in _SETS:
            if name in fields:
                fields[name] = frozenset(fields[name])
        if "diagnoses" in fields:
            fields["diagnoses"] = tuple(Diagnosis(path, *facts) for facts in fields["diagnoses"])
        if not fields.keys() <= _DEFAULTS.keys():
            raise ValueError(f"{path} has fields that no control file has")
        # The constructor of a frozen dataclass makes a call for each field, and here are thousands of files.
        test = object.__new__(ControlFile)
        vars(test).update(_DEFAULTS, path=path, **fields)
    return Entry(Stamp(mtime, ctime, size, inode), read_at, digest, test, reason)
