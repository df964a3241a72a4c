"""Iterations: the samples that one test wrote into ``results/keyval`` (results-and-tko.md section 2.2)."""

from __future__ import annotations

from collections.abc import Callable

from autotest.client import encoding, keyval
from autotest.results.parsing.records import Iteration


def parse(content: bytes, note: Callable[[str], None]) -> tuple[Iteration, ...]:
    """The blocks of one file, empty ones included. Unusable lines are told to *note* and skipped; never raises."""
    blocks = keyval.parse_iterations(
        content, lambda number, _: note(f"line {number} is neither {{attr}} nor a number; skipped")
    )
    return tuple(Iteration(block.number, block.attr, block.perf) for block in blocks)


def parse_untyped(content: bytes, note: Callable[[str], None]) -> tuple[Iteration, ...]:
    """The blocks of a file of version 0, which knows no types: what is a number is one, all else an attribute.

    A line without ``=`` is told to *note* and skipped; never raises.
    """
    found: list[Iteration] = []
    text: dict[str, str] = {}
    for number, line in enumerate(keyval.block_lines(content), 1):
        key, equals, value = line.partition(b"=")
        if not line:
            if len(found) == keyval.MOST_ITERATIONS:
                note(f"more than {keyval.MOST_ITERATIONS} iterations; the rest is not read")
                return tuple(found)
            found.append(_untyped(len(found) + 1, text))
            text = {}
        elif equals:
            text[encoding.to_text(key)] = encoding.to_text(value)
        else:
            note(f"line {number} has no '='; skipped")
    if text:
        found.append(_untyped(len(found) + 1, text))
    return tuple(found)


def _untyped(index: int, text: dict[str, str]) -> Iteration:
    numbers = {key: keyval.number_of(encoding.to_bytes(value)) for key, value in text.items()}
    perf = {key: number for key, number in numbers.items() if number is not None}
    return Iteration(index, {key: value for key, value in text.items() if key not in perf}, perf, text)
