"""Client stream: the status entries that a DUT reports, checked and recorded again at the server's depth."""

from __future__ import annotations

import logging
import re

from autotest import errors
from autotest.client import encoding, status_log
from autotest.server import job

_EXIT = b"AUTOTEST_EXIT:"
_LONGEST_LINE = 1024 * 1024
_MOST_BYTES = 64 * 1024 * 1024
_MOST_COMPLAINTS = 20
_TIMESTAMP = re.compile(r"[0-9]{1,11}")

logger = logging.getLogger(__name__)


class ClientStream:
    """Takes the output of ``follow``, in pieces of any size, and counts the bytes of ``status`` that are dealt with."""

    def __init__(self, hostname: str, server_job: job.ServerJob):
        self.exit_code: str | None = None
        self.last: status_log.StatusEntry | None = None
        self._hostname = hostname
        self._job = server_job
        self._base = server_job.depth
        self._offset = 0
        self._unread = b""
        self._block: list[str] = []
        self._complaints = 0

    @property
    def is_rebooting(self) -> bool:
        """Whether the client's last word was that it reboots the DUT."""
        return self.last is not None and (self.last.code, self.last.operation) == ("GOOD", "reboot.start")

    def begin(self) -> int:
        """Forget a torn line; the offset in ``status`` to follow from."""
        self._flush()
        self._unread = b""
        self.exit_code = None
        return self._offset

    def resume(self, size: int) -> None:
        """The client is started again. A DUT that crashed may have lost the end of ``status``: go on at *size*."""
        self.last = None
        if size < self._offset:
            logger.warning("%s lost %d bytes of its status file", self._hostname, self._offset - size)
            self._offset = size

    def feed(self, data: bytes) -> None:
        """Deal with the next piece. Raises OutputFlood or ClientProtocolError when it is no status log."""
        *lines, self._unread = (self._unread + data).split(b"\n")
        for line in lines:
            self._take(line)
        if not self._unread:
            self._flush()
        if len(self._unread) > _LONGEST_LINE:
            raise errors.ClientProtocolError(
                self._hostname, f"{self._hostname}: a status line is longer than {_LONGEST_LINE} bytes"
            )
        if self._offset > _MOST_BYTES:
            raise errors.OutputFlood(
                self._hostname, f"{self._hostname} reported more than {_MOST_BYTES} bytes of status"
            )

    def _take(self, line: bytes) -> None:
        if line.startswith(_EXIT):
            self._flush()
            self.exit_code = encoding.to_text(line[len(_EXIT) :]).strip()
            return
        self._offset += len(line) + 1
        text = encoding.to_text(line)
        if not status_log.is_continuation(text):
            self._flush()
        self._block.append(text)

    def _flush(self) -> None:
        block, self._block = self._block, []
        if not block:
            return
        try:
            entry = status_log.StatusEntry.parse("\n".join(block))
            if entry.is_end and self._job.depth <= self._base:
                raise ValueError(f"{block[0]!r} ends a group that the client never began")
            if not _TIMESTAMP.fullmatch(entry.fields.get("timestamp", "0")):
                raise ValueError(f"{block[0]!r} has no sensible timestamp")
            self._job.record(entry.code, entry.subdir, entry.operation, entry.message, entry.fields)
            self.last = entry
        except ValueError as problem:
            self._complain(problem)

    def _complain(self, problem: Exception) -> None:
        self._complaints += 1
        logger.warning("%s reported a bad status entry: %s", self._hostname, problem)
        if self._complaints > _MOST_COMPLAINTS:
            raise errors.ClientProtocolError(
                self._hostname, f"{self._hostname} reported {self._complaints} bad status entries; the last: {problem}"
            )
