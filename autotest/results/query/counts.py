"""Counts: what passed means, of results counted by status (results-and-tko.md section 9)."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

from autotest.states import Outcome

PASSED = Outcome.GOOD.value
#: These say nothing about the test: it was not run, or is not over.
NOT_COMPLETE = frozenset({Outcome.TEST_NA.value, Outcome.RUNNING.value, Outcome.NOSTATUS.value})

_PIECE = re.compile(r"(\d+)|(-rc)", re.ASCII)


@dataclasses.dataclass(frozen=True)
class Counts:
    """Results by status word. GOOD passes; TEST_NA, RUNNING and NOSTATUS are not complete."""

    by_status: Mapping[str, int]

    @property
    def passed(self) -> int:
        return self.by_status.get(PASSED, 0)

    @property
    def total(self) -> int:
        """Complete results, passed or not."""
        return sum(count for word, count in self.by_status.items() if word not in NOT_COMPLETE)

    @property
    def incomplete(self) -> int:
        """Those that still run."""
        return self.by_status.get(Outcome.RUNNING.value, 0)

    @property
    def rate(self) -> float | None:
        """Passed of complete in per cent; None when nothing is complete."""
        return 100 * self.passed / self.total if self.total else None

    def __str__(self) -> str:
        """``3/4``, ``3/4 (1 running)``, or the status when nothing is complete."""
        if not self.total:
            return "running" if self.incomplete else ", ".join(sorted(self.by_status))
        return f"{self.passed}/{self.total}" + (f" ({self.incomplete} running)" if self.incomplete else "")

    def to_json(self) -> dict[str, Any]:
        return {
            "passed": self.passed,
            "total": self.total,
            "incomplete": self.incomplete,
            "statuses": dict(sorted(self.by_status.items())),
        }


def natural(text: str | None) -> tuple[Any, ...]:
    """A sort key: numbers by value, a release candidate before its release, no value last."""
    if text is None:
        return (1,)
    key: list[tuple[int, Any]] = []
    for piece in filter(None, _PIECE.split(str(text))):
        key.append((0, "") if piece == "-rc" else (2, int(piece)) if piece.isdecimal() else (3, piece))
    return (0, (*key, (1, "")), str(text))
