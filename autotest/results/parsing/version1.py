"""Status log version 1: the state machine that turns lines into tests (results-and-tko.md section 5.2).

*strict* repeats upstream's quirks Q1 to Q5; otherwise they are fixed as section 10 recommends. What makes upstream
lose a whole job (Q8) has no result to repeat: in both modes it is told, stepped over, and the rest is read.
"""

from __future__ import annotations

import dataclasses
from typing import NamedTuple

from autotest.results.parsing import kernels, reasons, status_lines
from autotest.results.parsing.folder import Oddities, ResultsFolder
from autotest.results.parsing.record_maker import RecordMaker, shown, text
from autotest.results.parsing.records import JobRecord, JobResult, KernelRecord, TestRecord
from autotest.results.parsing.status_lines import ABSENT, LADDER, NOSTATUS, RANK, Kind
from autotest.states import Outcome

_ABORT, _FAIL = RANK[Outcome.ABORT], RANK[Outcome.FAIL]
_CLIENT_MAY_SHOW = (_ABORT, RANK[Outcome.TEST_NA])
_GOOD = RANK[Outcome.GOOD]

#: Bytes of the reasons of one test; the database keeps a thousandth of it.
_MOST_REASONS = 4 << 20


@dataclasses.dataclass(slots=True)
class _Group:
    """One open group; the lowest one is the job itself. *name* is None until a record or a status line sets it."""

    rank: int = NOSTATUS
    started: bytes | None = None
    subdir: bytes | None = None
    name: bytes | None = None
    #: Place of the CLIENT_JOB record that this group opened.
    client: int | None = None


class _Opened(NamedTuple):
    """A record that waits for its end."""

    name: bytes | None
    subdir: bytes | None
    reason: bytes
    started: bytes | None
    kernel: KernelRecord


class _Machine:
    """Reads lines in order and keeps the records, in order of first creation."""

    def __init__(self, folder: ResultsFolder, job: JobRecord, strict: bool, oddities: Oddities):
        self._folder = folder
        self._job = job
        self._strict = strict
        self._oddities = oddities
        self._make = RecordMaker(folder, job, oddities, typed=True)
        self._note = self._make.note
        self._groups = [_Group()]
        self._base = 0
        self._current: int | None = None
        self._reasons: set[bytes] = set()
        self._reasons_size = 0
        self._reason: bytes | None = None
        self._reason_from_set = False
        self._rank = NOSTATUS
        self._kernel = kernels.UNKNOWN
        self._clients_opened = 0
        self._clients_closed = 0
        self._boots = 0
        self._last_fields = b""
        self._job_reason = b""
        self._records: list[TestRecord | _Opened] = [_Opened(b"SERVER_JOB", ABSENT, b"", None, self._kernel)]

    def run(self) -> JobResult:
        """Read the whole log of the folder."""
        note = self._make.note_log
        for block in status_lines.lines(self._folder.log_pieces(note), note):
            self._read(block)
        self._close_all()
        job = self._job
        self._records[0] = TestRecord(
            name="SERVER_JOB",
            subdir=ABSENT.decode(),
            status=job.exit_status,
            reason=text(self._job_reason),
            started_time=job.started_time,
            finished_time=job.finished_time,
            kernel=self._kernel,
            attributes=job.host_attributes,
        )
        tests = tuple(self._left_running(record) if isinstance(record, _Opened) else record for record in self._records)
        return JobResult(job, self._kernel, tests, self._oddities.lines())

    def _read(self, lines: list[bytes]) -> None:
        split, codes, groups, make = status_lines.split, status_lines.CODES, self._groups, self._make
        for line in lines:
            make.number += 1
            found = split(line)
            if found is None:
                continue
            tabs, code, subdir, operation, fields, reason = found.groups()
            try:
                kind, rank = codes[code]
            except KeyError:
                self._note(f"{shown(code)} is no status; line ignored")
                continue
            if b"timestamp=" in fields or self._strict:
                self._last_fields = fields
            indent, expected = len(tabs), len(groups) - 1 - (kind is Kind.END)
            if indent > expected:
                self._note("deeper than the groups that are open; line ignored")
                continue
            if indent < expected and (self._strict or kind is not Kind.INFO):
                self._note("an outer group goes on; the groups inside are closed as aborted")
                for _ in range(expected - indent):
                    self._close_innermost(fields, b"None" if kind is Kind.INFO else reason)
            here = None if subdir == ABSENT else subdir
            name = None if operation == ABSENT else operation
            if kind is Kind.STATUS:
                self._status(rank, here, name, fields, reason)
            elif kind is Kind.START:
                self._start(here, name, fields, reason)
            elif kind is Kind.END:
                self._end(rank, here, name, fields, reason)
            else:
                self._info(fields)

    def _start(self, subdir: bytes | None, name: bytes | None, fields: bytes, reason: bytes) -> None:
        group = _Group(NOSTATUS, status_lines.timestamp_of(fields), subdir)
        self._groups.append(group)
        depth = len(self._groups) - 1
        if self._current is not None:
            return
        if subdir is None and name is None:
            self._base = depth
            number = self._clients_closed if self._strict else self._clients_opened
            self._clients_opened += 1
            group.name = b"CLIENT_JOB.%d" % number
            group.client = len(self._records)
            self._forget_pending()
            self._records.append(_Opened(group.name, None, reason, group.started, self._kernel))
        elif depth == self._base + 1:
            self._current = len(self._records)
            self._reasons, self._reasons_size = {reason}, len(reason)
            self._forget_pending()
            group.name = name
            self._records.append(_Opened(name, subdir, reason, group.started, self._kernel))

    def _forget_pending(self) -> None:
        if not self._strict:
            self._clear()

    def _info(self, fields: bytes) -> None:
        if b"kernel=" not in fields and b"job_abort_reason=" not in fields:
            return
        pairs = status_lines.fields_of(fields)
        if b"kernel" in pairs:
            self._kernel = kernels.from_fields(pairs, self._note)
        self._job_reason = pairs.get(b"job_abort_reason", self._job_reason)

    def _status(self, rank: int, subdir: bytes | None, name: bytes | None, fields: bytes, reason: bytes) -> None:
        group = self._groups[-1]
        inside = len(self._groups) - 1 > self._base
        nameless = subdir is None and name is None
        if not (inside or nameless or self._strict):
            self._rank, self._reason, self._reason_from_set = rank, reason, False
            self._complete(name, subdir, None, fields, reason)
            return
        if inside and subdir is not None:
            group.subdir, group.name = subdir, name
        if rank < group.rank:
            group.rank = rank
        if rank <= self._rank:
            self._rank = group.rank
            if reason:
                self._take_reason(reason)
        if not (inside or nameless):
            self._complete(name, subdir, None, fields, reason)

    def _take_reason(self, reason: bytes) -> None:
        if self._current is None:
            self._reason, self._reason_from_set = reason, False
        elif reason not in self._reasons:
            self._add_reason(reason)
            self._reason_from_set = True
        else:
            self._reason_from_set = True

    def _add_reason(self, reason: bytes) -> None:
        self._reasons_size += len(reason)
        if self._reasons_size <= _MOST_REASONS:
            self._reasons.add(reason)
        else:
            self._note("the test gives more reasons than anybody can read; this one is left out")

    def _end(self, rank: int, subdir: bytes | None, name: bytes | None, fields: bytes, reason: bytes) -> None:
        group = self._groups.pop()
        outer = self._groups[-1]
        closes_client = group.client is not None and (not self._strict or (subdir is None and name is None))
        if closes_client and not self._strict:
            subdir, name = None, None
        if subdir is None and name is None and self._current is None:
            self._base = len(self._groups) - 1
        else:
            subdir = group.subdir
            if len(self._groups) > self._base and outer.subdir is None:
                outer.subdir = subdir
        self._rank = group.rank = min(group.rank, rank)
        inside = len(self._groups) - 1 > self._base
        if inside:
            self._rank = outer.rank = min(outer.rank, group.rank)
        if name == b"reboot":
            if self._rank > _FAIL:
                self._kernel = kernels.from_fields(status_lines.fields_of(fields), self._note)
            if subdir is None:
                name = b"boot.%d" % self._boots
        if not inside:
            self._complete(name, subdir, group, fields, reason)

    def _complete(
        self, name: bytes | None, subdir: bytes | None, group: _Group | None, fields: bytes, reason: bytes
    ) -> None:
        """One test is known in full: *group* is the one that ended, None for a test of a single line."""
        place = self._current
        rank = self._rank
        name = name or subdir
        if name is None and place is not None and group is not None:
            self._note("END without subdir and name; it ends the test that runs")
            name = group.name
        if name is None and place is None:
            name = group.name if group and group.client is not None and not self._strict else None
            name = name or b"CLIENT_JOB.%d" % self._clients_closed
            self._clients_closed += 1
            rank = rank if rank in _CLIENT_MAY_SHOW else _GOOD
            place = group.client if group else None
        if self._reason_from_set:
            reason = reasons.combine(self._reasons)
        elif self._reason is not None:
            reason = self._reason
        if name == b"boot.%d" % self._boots:
            self._boots += 1
        record = self._make.test(
            name or b"",
            subdir,
            LADDER[rank],
            reason,
            group.started if group else None,
            status_lines.timestamp_of(fields),
            self._kernel,
        )
        if place is None:
            self._records.append(record)
        else:
            self._records[place] = record
        self._current = None
        self._clear()

    def _clear(self) -> None:
        self._rank, self._reason, self._reason_from_set = NOSTATUS, None, False

    def _close_innermost(self, fields: bytes, reason: bytes) -> None:
        group = self._groups[-1]
        self._end(_ABORT, group.subdir, group.name, fields, reason)

    def _close_all(self) -> None:
        if len(self._groups) > 1:
            self._make.note_log(f"groups that it leaves open are closed as aborted: {len(self._groups) - 1}")
        reason = self._make.abort_reason()
        while len(self._groups) > 1:
            subdir = self._groups[-1].subdir
            self._end(_ABORT, subdir, subdir, self._last_fields, reason)

    def _left_running(self, opened: _Opened) -> TestRecord:
        """A record that nothing completed: it carries no files."""
        return TestRecord(
            name=text(opened.name or b""),
            subdir=None if opened.subdir is None else text(opened.subdir),
            status=Outcome.RUNNING,
            reason=text(opened.reason),
            started_time=self._make.moment(opened.started),
            finished_time=None,
            kernel=opened.kernel,
            attributes={},
        )


def parse(folder: ResultsFolder, job: JobRecord, strict: bool, oddities: Oddities) -> JobResult:
    """Read a folder of version 1. Never raises on any content; findings go to *oddities*."""
    return _Machine(folder, job, strict, oddities).run()
