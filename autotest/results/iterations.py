"""Iterations: the samples that one test wrote into ``results/keyval`` (results-and-tko.md section 2.2)."""

from __future__ import annotations

import re
from collections.abc import Callable

from autotest.results.records import Iteration

_TYPED = re.compile(rb"(.*)\{(\w+)\}", re.DOTALL)
_MEAN = re.compile(rb"(\d+(?:.\d+)?)\+-(\d+(?:.\d+)?)")

# A file of nothing but newlines must not fill the memory.
_MOST = 1_000_000


def parse(content: bytes, note: Callable[[str], None]) -> tuple[Iteration, ...]:
    """The blocks of one file, empty ones included. Unusable lines are told to *note* and skipped; never raises."""
    found: list[Iteration] = []
    attr: dict[str, str] = {}
    perf: dict[str, float] = {}
    lines = content.split(b"\n")
    if not lines[-1]:
        lines.pop()
    for number, line in enumerate(map(bytes.strip, lines), 1):
        if not line:
            if len(found) == _MOST:
                note(f"more than {_MOST} iterations; the rest is not read")
                return tuple(found)
            found.append(Iteration(len(found) + 1, attr, perf))
            attr, perf = {}, {}
        elif not _take(line, attr, perf):
            note(f"line {number} is neither {{attr}} nor a number; skipped")
    if attr or perf:
        found.append(Iteration(len(found) + 1, attr, perf))
    return tuple(found)


def _take(line: bytes, attr: dict[str, str], perf: dict[str, float]) -> bool:
    key, equals, value = line.partition(b"=")
    if not equals:
        return False
    typed = _TYPED.fullmatch(key)
    name, kind = typed.groups() if typed else (key, b"perf")
    if kind == b"attr":
        attr[_text(name)] = _text(value)
        return True
    return kind == b"perf" and _measure(_text(name), value, perf)


def _measure(name: str, value: bytes, perf: dict[str, float]) -> bool:
    mean = _MEAN.match(value)
    try:
        found = {name: _number(mean[1] if mean else value)}
        if mean:
            found[f"{name}_dev"] = _number(mean[2])
    except ValueError:
        return False
    perf.update(found)
    return True


def _number(text: bytes) -> float:
    if b"_" in text:
        raise ValueError("digits in groups are Python's, not a measurement's")
    return float(text)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")
