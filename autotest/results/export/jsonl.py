"""JSON lines: one object a result, for programs that read line by line."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TextIO

from autotest.results.export.base import Record, moment


def write(records: Iterable[Record], title: str, out: TextIO) -> None:
    """See :class:`autotest.results.export.base.Exporter`; *title* is not written. Times are UTC."""
    for record in records:
        # dataclasses.asdict copies every value of every metric.
        shown = {**vars(record), "started": moment(record.started), "finished": moment(record.finished)}
        out.write(json.dumps(shown, allow_nan=False) + "\n")
