"""Diagnoses: what a reading of a control file dropped, guessed or recovered, with its line and a hint."""

from __future__ import annotations

import difflib
import functools
import operator
from collections.abc import Iterable
from typing import Literal, NamedTuple

#: ``error``: something that the author wrote is lost; ``warning``: it is read, and not as everybody reads it;
#: ``note``: it never had an effect.
Severity = Literal["error", "warning", "note"]

_LINE = operator.itemgetter(1)
_MOST = 100
_LONGEST_PROBLEM = 300
_LONGEST_NAME = 40


class Diagnosis(NamedTuple):
    """One finding; *line* counts from 1, 0 means the whole file; *variable* is spelled as in the file, or empty."""

    path: str
    line: int
    variable: str
    problem: str
    hint: str = ""
    severity: Severity = "warning"

    def __str__(self) -> str:
        what = f"{self.variable}: {self.problem}" if self.variable else self.problem
        return f"{what}; {self.hint}" if self.hint else what


class Notes:
    """The diagnoses of one file, a bounded number of them."""

    def __init__(self, path: str):
        self.path = path
        self.found: list[Diagnosis] = []

    @property
    def is_full(self) -> bool:
        """Whether further findings are dropped: a file with that many has been named."""
        return len(self.found) >= _MOST

    def add(self, line: int, variable: str, problem: str, hint: str = "", severity: Severity = "warning") -> None:
        if len(self.found) < _MOST:
            if len(problem) > _LONGEST_PROBLEM:
                problem = problem[:_LONGEST_PROBLEM] + "..."
            self.found.append(Diagnosis(self.path, line, variable[:_LONGEST_NAME], problem, hint, severity))

    def in_order(self) -> tuple[Diagnosis, ...]:
        """By line; what was found first stands first within one."""
        return tuple(sorted(self.found, key=_LINE))


def near(name: str, known: Iterable[str]) -> str:
    """``did you mean X?`` for the one of *known* that *name* resembles most, or an empty text."""
    return _near(name[:_LONGEST_NAME], tuple(known))


@functools.lru_cache(maxsize=4096)
def _near(name: str, known: tuple[str, ...]) -> str:
    found = difflib.get_close_matches(name, known, n=1, cutoff=0.8)
    return f"did you mean {found[0]}?" if found else ""
