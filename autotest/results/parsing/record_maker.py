"""From the bytes of a log to TestRecords: what the readers of both log versions share."""

from __future__ import annotations

import datetime

from autotest.results.parsing import status_lines, test_files
from autotest.results.parsing.folder import Oddities, ResultsFolder
from autotest.results.parsing.job_record import moment_of
from autotest.results.parsing.records import JobRecord, KernelRecord, TestRecord
from autotest.states import Outcome

# Seconds of so few digits are a time that every datetime can hold.
_SURE_DIGITS = 11
_UTC = datetime.timezone.utc
_from_epoch = datetime.datetime.fromtimestamp


class RecordMaker:
    """Makes the records of one log. *number* is the line that is being read, for what is told of it."""

    def __init__(self, folder: ResultsFolder, job: JobRecord, oddities: Oddities, typed: bool):
        """*typed*: iterations carry types, which those of version 0 do not."""
        self.number = 0
        self._folder = folder
        self._job = job
        self._oddities = oddities
        self._typed = typed

    def note(self, text: str) -> None:
        """Tell what is odd about the line."""
        self._oddities.note(f"status log line {self.number}: {text}")

    def note_log(self, text: str) -> None:
        """Tell what is odd about the log as a whole."""
        self._oddities.note(f"status log: {text}")

    def test(
        self,
        name: bytes,
        subdir: bytes | None,
        status: Outcome,
        reason: bytes,
        started: bytes | None,
        finished: bytes | None,
        kernel: KernelRecord,
    ) -> TestRecord:
        """A test that ended, with its files and the attributes of its host. Times are texts of fields."""
        began, ended = self.moment(started), self.moment(finished)
        if began is not None and ended is not None and ended < began:
            self.note(f"{shown(name)} ends {(began - ended).total_seconds():.0f} s before it starts")
        files = test_files.read(self._folder, name, subdir, self._oddities, self._typed)
        return TestRecord(
            text(name),
            None if subdir is None else text(subdir),
            status,
            text(reason),
            began,
            ended,
            kernel,
            {**files.attributes, **self._job.host_attributes} if files.attributes else self._job.host_attributes,
            files.iterations,
            files.perf_values,
        )

    def moment(self, stamp: bytes | None) -> datetime.datetime | None:
        """The time of a timestamp field; None without one, or if it is no time, which is told."""
        if stamp is None:
            return None
        if stamp.isdigit() and len(stamp) <= _SURE_DIGITS:
            return _from_epoch(int(stamp), _UTC)
        epoch = status_lines.epoch_of(stamp)
        moment = None if epoch is None else moment_of(epoch)
        if moment is None:
            self.note(f"timestamp {shown(stamp)} is no time; left out")
        return moment

    def abort_reason(self) -> bytes:
        """Why the groups that are open at the end of the log were aborted."""
        job = self._job
        if job.aborted_by is None:
            return b"Job aborted unexpectedly"
        when = f" at {job.aborted_on:%b %d %H:%M:%S}" if job.aborted_on else ""
        return f"Job aborted by {job.aborted_by}{when}".encode("utf-8", "surrogateescape")


def text(raw: bytes) -> str:
    """Bytes of a log as text; what is not UTF-8 is kept as surrogates."""
    return raw.decode("utf-8", "surrogateescape")


def shown(raw: bytes) -> str:
    """The beginning of *raw* as a line of ASCII may show it."""
    return ascii(text(raw[:200]))
