"""Comma-separated values, one line a result; no cell is a formula to a spreadsheet."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from typing import TextIO

from autotest.results.csv_cells import harmless
from autotest.results.export.base import Record, clean, moment

_TEXTS = ("build", "board", "suite", "test", "status", "reason", "host", "job_id", "job", "folder")
_TABLES = ("attributes", "keyvals", "perf")
HEADINGS = (*_TEXTS, "started", "finished", *_TABLES)


def write(records: Iterable[Record], title: str, out: TextIO) -> None:
    """See :class:`autotest.results.export.base.Exporter`; *title* is not written. Attributes, keyvals and measured
    values are one cell each, as JSON."""
    lines = csv.writer(out, lineterminator="\n")
    lines.writerow(HEADINGS)
    for record in records:
        texts = [harmless(clean(getattr(record, name))) for name in _TEXTS]
        tables = [json.dumps(getattr(record, name)) for name in _TABLES]
        lines.writerow([*texts, moment(record.started), moment(record.finished), *tables])
