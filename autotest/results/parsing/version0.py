"""Status log version 0: what classic Autotest wrote before the server logged (results-and-tko.md section 5.4).

There is no record of the job itself, reboots are found by their ``reboot.verify`` lines, and a result is one line.
*strict* drops the groups that a cut log leaves open, as upstream does; otherwise the test that ran is ABORT.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from autotest.results.parsing import kernels, status_lines
from autotest.results.parsing.folder import Oddities, ResultsFolder
from autotest.results.parsing.record_maker import RecordMaker, shown
from autotest.results.parsing.records import JobRecord, JobResult, TestRecord
from autotest.results.parsing.status_lines import ABSENT, LADDER, NOSTATUS, RANK, Kind
from autotest.states import Outcome

_ABORT, _ALERT, _GOOD = RANK[Outcome.ABORT], RANK[Outcome.ALERT], RANK[Outcome.GOOD]
_KEEPS_NAME = re.compile(rb"boot(?:\.\d+)?|kernel\..*", re.DOTALL)
_VERSION = "version"


class _Line(NamedTuple):
    """One status line. *subdir* and *name* are None where the log has dashes."""

    kind: Kind
    rank: int
    subdir: bytes | None
    name: bytes | None
    fields: bytes
    reason: bytes

    @property
    def nameless(self) -> bool:
        return self.subdir is None and self.name is None


class _Opened(NamedTuple):
    """The test that runs."""

    name: bytes | None
    subdir: bytes | None


class _Machine:
    """Reads lines in order and keeps the records."""

    def __init__(self, folder: ResultsFolder, job: JobRecord, strict: bool, oddities: Oddities):
        self._folder = folder
        self._job = job
        self._strict = strict
        self._oddities = oddities
        self._make = RecordMaker(folder, job, oddities, typed=False)
        self._ranks = [NOSTATUS]
        self._sought = 0
        self._subdir: bytes | None = None
        self._started: bytes | None = None
        self._opened: _Opened | None = None
        self._alert: bytes | None = None
        self._boots = 0
        self._booting = False
        self._last_fields = b""
        self._kernel = kernels.first(folder, self._make.note_log)
        self._records: list[TestRecord] = []

    def run(self) -> JobResult:
        """Read the whole log of the folder."""
        note = self._make.note_log
        for block in status_lines.lines(self._folder.log_pieces(note), note, whole=True):
            for text in block:
                self._make.number += 1
                self._split(text)
        self._finish()
        return JobResult(self._job, self._kernel, tuple(self._records), self._oddities.lines())

    def _split(self, text: bytes) -> None:
        found = status_lines.split(text)
        if found is None:
            return
        tabs, code, subdir, operation, fields, reason = found.groups()
        kind, rank = status_lines.CODES.get(code, (Kind.INFO, NOSTATUS))
        if kind is Kind.INFO:
            self._make.note(f"{shown(code)} is no status of version 0; line ignored")
            return
        if b"timestamp=" in fields:
            self._last_fields = fields
        here = None if subdir == ABSENT else subdir
        name = None if operation == ABSENT else operation
        self._read(_Line(kind, self._ranked(kind, rank), here, name, fields, reason), len(tabs))

    def _ranked(self, kind: Kind, rank: int) -> int:
        """The status that a line gives its result; groups keep the worst of what is in them."""
        if kind is Kind.START:
            self._ranks.append(NOSTATUS)
        elif kind is Kind.STATUS:
            self._ranks[-1] = min(self._ranks[-1], rank)
        else:
            rank = min(self._ranks.pop(), rank)
            if self._ranks:
                self._ranks[-1] = min(self._ranks[-1], rank)
            else:
                self._make.note("closes a group that nobody opened")
                self._ranks = [NOSTATUS]
        return rank

    def _read(self, line: _Line, depth: int) -> None:
        if line.kind is Kind.STATUS and line.rank == _ALERT:
            self._alert = line.reason
        elif line.nameless:
            self._nameless(line)
        elif self._tells_nothing(line):
            return
        elif line.name == b"reboot.start" and line.kind is Kind.STATUS:
            self._booting = True
            self._started = status_lines.timestamp_of(line.fields)
        elif depth != self._sought and not self._counts_everywhere(line):
            self._subdir = line.subdir or self._subdir
        elif line.kind is Kind.START:
            self._started = status_lines.timestamp_of(line.fields)
            self._opened = None if line.name == b"reboot" else _Opened(line.name, line.subdir)
        else:
            self._result(line)

    def _nameless(self, line: _Line) -> None:
        if line.kind is Kind.START:
            self._sought = 1
        elif line.kind is Kind.END:
            self._sought = 0
        elif line.rank == _ABORT:
            self._complete(b"CLIENT_JOB", None, line)

    @staticmethod
    def _tells_nothing(line: _Line) -> bool:
        if line.kind is Kind.END:
            return line.name == b"reboot"
        return line.kind is Kind.STATUS and line.name == b"Autotest.install" and line.rank == _GOOD

    @staticmethod
    def _counts_everywhere(line: _Line) -> bool:
        return line.kind is not Kind.START and (line.rank == _ABORT or (line.name or b"").startswith(b"reboot."))

    def _result(self, line: _Line) -> None:
        name = line.name
        if name == b"reboot.verify":
            name = b"boot.%d" % self._boots
            self._boots += 1
            self._booting = False
            if self._strict or line.rank >= _GOOD:
                self._kernel = kernels.of(line.reason.strip().decode("utf-8", "surrogateescape"))
        subdir = self._subdir if line.kind is Kind.END else line.subdir
        if line.kind is Kind.END:
            self._subdir = None
        if name is None or (subdir is not None and b"." in subdir and not _KEEPS_NAME.fullmatch(name)):
            name = subdir or line.subdir or b""
        self._opened = None
        self._complete(name, subdir, line)

    def _complete(self, name: bytes, subdir: bytes | None, line: _Line) -> None:
        reason = line.reason if self._alert is None else self._alert
        self._add(name, subdir, line.rank, reason, self._started, status_lines.timestamp_of(line.fields))
        self._started = self._alert = None

    def _finish(self) -> None:
        if self._opened is not None and not self._strict:
            self._make.note_log("it ends inside a test, which is closed as aborted")
            name, subdir = self._opened
            subdir = subdir or self._subdir
            if subdir is not None and b"." in subdir:
                name = subdir
            finished = status_lines.timestamp_of(self._last_fields)
            self._add(name or subdir or b"", subdir, _ABORT, self._make.abort_reason(), self._started, finished)
        if self._booting:
            name = b"boot.%d" % self._boots
            self._add(name, None, _ABORT, b"machine did not return from reboot", None, None)

    def _add(
        self,
        name: bytes,
        subdir: bytes | None,
        rank: int,
        reason: bytes,
        started: bytes | None,
        finished: bytes | None,
    ) -> None:
        record = self._make.test(name, subdir, LADDER[rank], reason, started, finished, self._kernel)
        version = record.attributes.get(_VERSION)
        attributes = {**record.attributes, _VERSION: None if version is None else str(version)}
        self._records.append(record._replace(attributes=attributes))


def parse(folder: ResultsFolder, job: JobRecord, strict: bool, oddities: Oddities) -> JobResult:
    """Read a folder of version 0. Never raises on any content; findings go to *oddities*."""
    return _Machine(folder, job, strict, oddities).run()
