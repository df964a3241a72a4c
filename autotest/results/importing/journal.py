"""The journal of imports: which folders are in the database, so that a second run skips what is done and unchanged."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import IO, Any

NAME = "import.journal"


@dataclasses.dataclass(frozen=True)
class Entry:
    """One folder that was imported, as *tag*, into *database* (an address without its password)."""

    tag: str
    folder: str
    database: str
    fingerprint: str

    def render(self) -> bytes:
        """One line of JSON, newline included."""
        return json.dumps(dataclasses.asdict(self)).encode("ascii") + b"\n"

    @classmethod
    def parse(cls, line: bytes) -> Entry | None:
        """The inverse of :meth:`render`; None for a line that is none, such as one that a crash cut short."""
        try:
            data: Any = json.loads(line)
            entry = cls(**data)
        except (ValueError, TypeError, RecursionError):
            return None
        return entry if all(isinstance(value, str) for value in dataclasses.astuple(entry)) else None


class Journal:
    """The journal at *path*, for one database. The last line of a tag counts."""

    def __init__(self, path: Path, database: str):
        self._path = path
        self._database = database
        self._entries: dict[str, Entry] = {}
        self._file: IO[bytes] | None = None
        if path.is_file():
            with path.open("rb") as lines:
                found = (Entry.parse(line) for line in lines)
                self._entries = {entry.tag: entry for entry in found if entry and entry.database == database}

    def of(self, tag: str) -> Entry | None:
        """What was imported under *tag*."""
        return self._entries.get(tag)

    def add(self, tag: str, folder: Path, fingerprint: str) -> None:
        """Note that *folder* is in the database; on disk at once."""
        entry = Entry(tag, os.fspath(folder), self._database, fingerprint)
        if self._file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("ab", buffering=0)
            if self._file.tell() and not self._ends_whole():
                self._file.write(b"\n")
        self._file.write(entry.render())
        self._entries[tag] = entry

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _ends_whole(self) -> bool:
        with self._path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read(1) == b"\n"
