"""Status lines as the parser meets them: cut, classified and ranked fast, from bytes (results-and-tko.md 3.1)."""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Iterable, Iterator

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

_LONGEST_LINE = 1 << 20
_ODD_BYTES = ((b"\0", "NUL bytes"), (b"\r", "carriage returns"))
_CUT = f"lines of more than {_LONGEST_LINE} bytes are cut there"
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


def lines(pieces: Iterable[bytes], note: Callable[[str], None], whole: bool = False) -> Iterator[list[bytes]]:
    """The lines of a log that comes in *pieces*, without their newlines, in lists: one a piece.

    Only a newline ends a line. CR NUL pairs are dropped (quirk Q7). Of a line above a megabyte only that much is
    kept; *whole* leaves out a last line without its newline. What is odd is told to *note*, once each.
    """
    told: set[str] = set()

    def tell(text: str) -> None:
        if text not in told:
            told.add(text)
            note(text)

    rest, skipping = b"", False
    for block in pieces:
        end = block.rfind(b"\n")
        if end < 0:
            if not skipping:
                rest += block
        else:
            start = block.find(b"\n") if skipping else 0
            done = (rest + block[start:end]).replace(b"\r\0", b"")
            rest, skipping = block[end + 1 :], False
            for byte, name in _ODD_BYTES:
                if byte in done:
                    tell(f"the log holds {name}")
            found = done.split(b"\n")
            if len(found[0]) > _LONGEST_LINE:
                found[0] = found[0][:_LONGEST_LINE]
                tell(_CUT)
            yield found
        if len(rest) > _LONGEST_LINE:
            rest, skipping = rest[:_LONGEST_LINE], True
            tell(_CUT)
    if rest:
        tell("the log ends in the middle of a line")
        if not whole:
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
