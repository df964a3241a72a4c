"""Status lines as the parser meets them: cut, classified and ranked fast, from bytes (results-and-tko.md 3.1)."""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator
from typing import BinaryIO

from autotest.states import Outcome

#: Groups: leading TABs, code, subdir, operation, optional fields (each with its TAB, if one follows), reason.
split = re.compile(
    rb"(\t*)([^\t\s][^\t]*)\t([^\t\s][^\t]*)\t([^\t\s][^\t]*)\t((?:\w+=[^\t]+(?:\t|\Z))*)(.*)", re.DOTALL
).fullmatch

#: What stands for "no subdir" and "no operation".
ABSENT = b"----"

#: Outcomes worst first; a rank is a place in this list.
LADDER = tuple(Outcome)
RANK = {outcome: rank for rank, outcome in enumerate(LADDER)}
NOSTATUS = RANK[Outcome.NOSTATUS]

_BLOCK = 1 << 20
_LONGEST_LINE = 1 << 20
_TIMESTAMP = re.compile(rb"(?:\A|\t)timestamp=([^\t]+)")
_NUMBER = re.compile(rb"\s*[+-]?\d{1,18}\s*")


class Kind(enum.IntEnum):
    """What a status line does."""

    START = 0
    INFO = 1
    STATUS = 2
    END = 3


#: Code -> (kind, rank).
CODES = {
    b"START": (Kind.START, NOSTATUS),
    b"INFO": (Kind.INFO, NOSTATUS),
    **{outcome.value.encode(): (Kind.STATUS, RANK[outcome]) for outcome in LADDER},
    **{b"END " + outcome.value.encode(): (Kind.END, RANK[outcome]) for outcome in LADDER},
}


def lines(stream: BinaryIO) -> Iterator[list[bytes]]:
    """The lines of a log in lists of about a megabyte, without their newlines.

    Only a newline ends a line. CR NUL pairs are dropped (quirk Q7). A line of several megabytes loses its middle.
    """
    rest = b""
    while block := stream.read(_BLOCK):
        if b"\n" not in block:
            rest = (rest + block)[: _LONGEST_LINE + _BLOCK]
            continue
        whole = (rest + block).replace(b"\r\0", b"").split(b"\n")
        rest = whole.pop()
        yield whole
    if rest:
        yield [rest.replace(b"\r\0", b"")]


def fields_of(fields: bytes) -> dict[bytes, bytes]:
    """The optional fields; the last one of a name wins."""
    pairs = {}
    for field in fields.split(b"\t"):
        name, equals, value = field.partition(b"=")
        if equals:
            pairs[name] = value
    return pairs


def timestamp_of(fields: bytes) -> bytes | None:
    """The text of the last ``timestamp`` field, None without one."""
    found = _TIMESTAMP.findall(fields)
    return found[-1] if found else None


def epoch_of(text: bytes) -> int | None:
    """Epoch seconds, None for what is no whole number."""
    return int(text) if _NUMBER.fullmatch(text) else None
