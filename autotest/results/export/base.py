"""What an export format has to do, and the record that all of them write."""

from __future__ import annotations

import dataclasses
import datetime
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol, TextIO

_NO_TEXT = re.compile("[^\t\n\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclasses.dataclass(frozen=True)
class Record:
    """One stored test result. *keyvals* are those of its job; *perf* holds the values of each metric in the order of
    the iterations, None where one was no number. *folder* is relative to the results root."""

    build: str | None
    board: str | None
    suite: str | None
    test: str | None
    status: str
    reason: str
    host: str | None
    job_id: int | None
    job: str | None
    folder: str
    started: datetime.datetime | None
    finished: datetime.datetime | None
    attributes: Mapping[str, Sequence[str | None]]
    keyvals: Mapping[str, str]
    perf: Mapping[str, Sequence[float | None]]

    @property
    def seconds(self) -> float | None:
        """How long the test took; None when that is not known."""
        if self.started is None or self.finished is None:
            return None
        return max(0.0, (self.finished - self.started).total_seconds())


class Exporter(Protocol):
    """One format: a function, named by an entry point of the group ``autotest.export``."""

    def __call__(self, records: Iterable[Record], title: str, out: TextIO) -> None:
        """Write *records*, which come in the order of their jobs and can be read once, to *out*.

        *title* says what they are, for people. All texts come from machines that nobody trusts.
        """


def clean(value: object) -> str:
    """*value* as text that XML, HTML and terminals can hold; '' for None."""
    return "" if value is None else _NO_TEXT.sub("\ufffd", str(value))


def moment(value: datetime.datetime | None) -> str | None:
    """A time as ``YYYY-MM-DD HH:MM:SS``, in UTC."""
    return None if value is None else f"{value:%Y-%m-%d %H:%M:%S}"
