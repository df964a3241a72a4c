"""Plain keyvals from bytes: files that were opened safely and may hold anything (results-and-tko.md section 2.1).

The client's keyval module reads the same grammar from a path it trusts; here no line may lose the job, and each one
that is skipped is told.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable

from autotest.results.records import KeyvalValue

_LINE = re.compile(rb"([\w.-]+)=(.*)", re.DOTALL)
_INT = re.compile(r"[0-9]+")
_FLOAT = re.compile(r"[0-9]+\.[0-9]+")


def parse(content: bytes, note: Callable[[str], None]) -> dict[str, KeyvalValue]:
    """The pairs, the last one of a key winning. Bad lines are told to *note* and skipped; never raises."""
    pairs: dict[str, KeyvalValue] = {}
    for number, line in enumerate(content.split(b"\n"), 1):
        line = line.partition(b"#")[0].rstrip()
        found = _LINE.fullmatch(line)
        if found:
            key, value = found.groups()
            pairs[key.decode("ascii")] = _typed(value.decode("utf-8", "surrogateescape"))
        elif line:
            note(f"line {number} is not key=value; skipped")
    return pairs


def _typed(text: str) -> KeyvalValue:
    if _INT.fullmatch(text):
        # Python refuses to convert thousands of digits; they are no number that anybody meant.
        return int(text) if len(text) <= 4000 else text
    if _FLOAT.fullmatch(text) and math.isfinite(number := float(text)):
        return number
    return text
