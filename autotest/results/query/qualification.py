"""Qualification: how many machines pass how often, to find the ones that are not fit for tests."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Mapping
from typing import Any

from autotest.results.query import fields
from autotest.results.query.counts import Counts, natural
from autotest.results.query.questions import Qualification, number
from autotest.results.query.selection import Selection

_HOST = fields.several("host")
NO_TESTS = "N/A"


@dataclasses.dataclass(frozen=True)
class Bin:
    """Machines whose pass rate lies in [low, high) per cent; 0 and 100 per cent have bins of their own."""

    name: str
    hosts: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Machines:
    """Each machine's counts, by name, and the machines by pass rate."""

    by_host: Mapping[str, Counts]
    bins: tuple[Bin, ...]

    def to_json(self) -> dict[str, Any]:
        hosts = {host: {**counts.to_json(), "rate": counts.rate} for host, counts in self.by_host.items()}
        return {"hosts": hosts, "bins": [dataclasses.asdict(each) for each in self.bins]}


def ask(question: Qualification, now: datetime.datetime) -> Machines:
    """Answer with four queries, two more for labels.

    Raises BadCondition, NotFound (labels), ValidationError. The caller has a connection open.
    """
    interval = number("interval", question.interval, 1, 100)
    every = Selection(question, now)
    found: dict[str, dict[str, int]] = {
        host: {} for (host,) in every.query(_HOST).distinct().tuples() if host is not None
    }
    chosen = Selection(question, now, question.tests)
    for host, status, count in chosen.counted(_HOST).tuples():
        if host is not None:
            found[host][chosen.words[status]] = count
    by_host = {host: Counts(found[host]) for host in sorted(found, key=natural)}
    return Machines(by_host, _bins(by_host, interval))


def _bins(by_host: Mapping[str, Counts], interval: int) -> tuple[Bin, ...]:
    """N/A, 0 %, the bins between, 100 %; all of them, machines or not."""
    bounds = [(low, min(low + interval, 100)) for low in range(0, 100, interval)]
    names = {None: NO_TESTS, 0.0: "0 %", 100.0: "100 %"}
    order = [NO_TESTS, "0 %", *(f"{low}-{high} %" for low, high in bounds), "100 %"]
    members: dict[str, list[str]] = {name: [] for name in order}
    for host, counts in by_host.items():
        rate = counts.rate
        if rate in names:
            members[names[rate]].append(host)
        elif rate is not None:
            low, high = bounds[int(rate // interval)]
            members[f"{low}-{high} %"].append(host)
    return tuple(Bin(name, tuple(members[name])) for name in order)
