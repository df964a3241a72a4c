"""The status log: one entry, rendered and parsed, and the logger that writes it (test-api-and-hosts.md section 1.7)."""

import os
import re
import stat
import time
from types import MappingProxyType
from typing import Callable, Iterable, Iterator, List, Mapping, NamedTuple, Optional

from autotest.client import encoding

ABSENT = "----"
CODES = ("TEST_NA", "ABORT", "ERROR", "FAIL", "WARN", "GOOD", "BUG", "ALERT", "RUNNING", "NOSTATUS")
_VALID = frozenset(("START", "INFO")).union(CODES, ("END " + code for code in CODES))
_FORBIDDEN = re.compile(r"[\t\n\r\v\f]")


class StatusEntry(NamedTuple):
    """One entry. *subdir* and *operation* are "" when absent; *message* may have several lines."""

    code: str
    subdir: str = ""
    operation: str = ""
    message: str = ""
    fields: Mapping[str, str] = MappingProxyType({})

    def render(self, depth: int = 0) -> str:
        """The entry as the lines of a log at *depth*, newline included.

        Only the message is made to fit: TAB becomes eight blanks, CR, VT and FF one blank each.
        Raises ValueError for an unknown code, or a column that the format cannot hold.
        """
        if self.code not in _VALID:
            raise ValueError(f"status code {self.code!r} is not valid")
        columns = [self.code, _column("subdir", self.subdir), _column("operation", self.operation)]
        columns.extend(_field(name, value) for name, value in self.fields.items())
        first, *more = re.sub(r"[\r\v\f]", " ", self.message.replace("\t", " " * 8)).split("\n")
        lines = ["\t" * depth + "\t".join([*columns, first])]
        lines.extend("  " + line for line in more)
        return "\n".join(lines) + "\n"

    @classmethod
    def parse(cls, text: str) -> "StatusEntry":
        """The inverse of :meth:`render`: a status line, with its two-blank continuation lines if they are there.

        Raises ValueError when *text* is not one status entry.
        """
        first, *more = (text[:-1] if text.endswith("\n") else text).split("\n")
        if is_continuation(first):
            raise ValueError(f"{first!r} continues a message; it is no status line")
        columns = first.lstrip("\t").split("\t")
        if len(columns) < 4:
            raise ValueError(f"{first!r} is not a status line: it has {len(columns)} columns and needs 4")
        fields = {}
        for column in columns[3:-1]:
            name, equals, value = column.partition("=")
            if not (name and equals):
                raise ValueError(f"{first!r} is not a status line: {column!r} is not key=value")
            fields[name] = value
        code, subdir, operation = columns[0], *("" if part == ABSENT else part for part in columns[1:3])
        if code not in _VALID:
            raise ValueError(f"status code {code!r} is not valid")
        for line in more:
            if not is_continuation(line):
                raise ValueError(f"{line!r} is not a continuation line: it must begin with two blanks")
        message = "\n".join([columns[-1], *(line[2:] for line in more)])
        return cls(code, subdir, operation, message, fields)

    @property
    def is_start(self) -> bool:
        """Does this entry open a group?"""
        return self.code == "START"

    @property
    def is_end(self) -> bool:
        """Does this entry close a group?"""
        return self.code.startswith("END ")


def _column(what: str, value: Optional[str]) -> str:
    if not value:
        return ABSENT
    if _FORBIDDEN.search(value):
        raise ValueError(f"{what} {value!r} contains TAB, LF, CR, VT or FF; a status line cannot hold it")
    return value


def _field(name: str, value: object) -> str:
    if not name or "=" in name:
        raise ValueError(f"field name {name!r} is empty or contains '='")
    return _column("field", f"{name}={value}")


def is_continuation(line: str) -> bool:
    """Is *line* a further line of the message above it?"""
    return line.startswith("  ")


def depth_of(line: str) -> int:
    """How many groups *line* says it stands in: its leading TABs."""
    return len(line) - len(line.lstrip("\t"))


def read(lines: Iterable[str]) -> Iterator[StatusEntry]:
    """The entries of a log, each with its whole message. Lines that are no entry are skipped."""
    block: List[str] = []
    for line in lines:
        line = line[:-1] if line.endswith("\n") else line
        if is_continuation(line):
            if block:
                block.append(line)
            continue
        yield from _parsed(block)
        block = [line]
    yield from _parsed(block)


def _parsed(block: List[str]) -> Iterator[StatusEntry]:
    if not block:
        return
    try:
        yield StatusEntry.parse("\n".join(block))
    except ValueError:
        return


def open_groups(entries: Iterable[StatusEntry]) -> List[StatusEntry]:
    """The START entries that no END has closed, outermost first."""
    groups: List[StatusEntry] = []
    for entry in entries:
        if entry.is_start:
            groups.append(entry)
        elif entry.is_end and groups:
            groups.pop()
    return groups


def read_file(path: str) -> List[StatusEntry]:
    """The entries of the log at *path*; none when there is no such file."""
    if not os.path.isfile(path):
        return []
    with open(path, encoding="utf-8", errors="surrogateescape", newline="\n") as log:
        return list(read(log))


class StatusLogger:
    """Appends entries to ``<folder>/<name>`` and to ``<folder>/<subdir>/<name of the copy>``, each on disk at once.

    *depth* counts open groups. START writes, then goes one deeper; END comes out first.
    """

    def __init__(
        self,
        folder: str,
        name: str = "status",
        depth: int = 0,
        copy_name: Optional[str] = None,
        clock: Callable[[], float] = time.time,
    ):
        self.folder = str(folder)
        self.name = name
        self.depth = depth
        self.copy_name = copy_name or name
        self._clock = clock

    @property
    def path(self) -> str:
        """The file that receives every entry."""
        return os.path.join(self.folder, self.name)

    def record(self, entry: StatusEntry) -> str:
        """Append *entry*, with timestamp and localtime first among its fields unless it has them; return its text.

        Raises ValueError when the entry cannot be rendered; nothing is written then.
        """
        entry = entry._replace(fields={**self._time_fields(entry.fields), **entry.fields})
        depth = max(0, self.depth - 1) if entry.is_end else self.depth
        text = entry.render(depth)
        data = encoding.to_bytes(text)
        _append(self.path, data)
        self._append_copy(entry.subdir, data)
        self.depth = depth + 1 if entry.is_start else depth
        return text

    def _time_fields(self, given: Mapping[str, str]) -> Mapping[str, str]:
        now = int(given.get("timestamp") or self._clock())
        return {"timestamp": str(now), "localtime": time.strftime("%b %d %H:%M:%S", time.localtime(now))}

    def _append_copy(self, subdir: str, data: bytes) -> None:
        if not subdir or subdir == ABSENT:
            return
        try:
            os.makedirs(os.path.join(self.folder, subdir), exist_ok=True)
            _append(os.path.join(self.folder, subdir, self.copy_name), data)
        except OSError:
            # A test may have done anything to its own folder; the main log is the one that counts.
            return


def _append(path: str, data: bytes) -> None:
    # A test may have left a FIFO or a link here: never follow it, never wait for its other end.
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o644)
    with open(handle, "ab", buffering=0) as log:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(f"{path} is not a regular file; the status entry is not written there")
        log.write(data)
        os.fsync(handle)
