"""Keyvals of a results folder: files that may hold anything, read so that no line loses the job (section 2.1)."""

from __future__ import annotations

import os
from collections.abc import Callable

from autotest.client import keyval
from autotest.results.parsing.folder import Oddities, ResultsFolder
from autotest.results.parsing.records import KeyvalValue


def parse(content: bytes, note: Callable[[str], None]) -> dict[str, KeyvalValue]:
    """The pairs, the last one of a key winning. Bad lines are told to *note* and skipped; never raises."""
    return keyval.parse(content, lambda number, _: note(f"line {number} is not key=value; skipped"))


def of(folder: ResultsFolder, relative: bytes, oddities: Oddities, base: bytes | None = None) -> dict[str, KeyvalValue]:
    """The pairs of the file *relative* to *base* (the parsed folder if not given); none where there is no file."""
    content = folder.read(relative, base)
    if not content:
        return {}
    shown = ascii(os.fsdecode(relative[-200:]))
    return parse(content, lambda line: oddities.note(f"{shown}: {line}"))
