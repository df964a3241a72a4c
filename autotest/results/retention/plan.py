"""Plan: which folders go, decided from what is known of each."""

from __future__ import annotations

import datetime
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from typing import NamedTuple

from autotest.results.retention.candidates import Candidate


class Leaving(NamedTuple):
    """A folder that goes, what it holds on the disk in bytes, and why."""

    candidate: Candidate
    size: int
    why: str


def decide(
    candidates: Iterable[Candidate],
    held_suites: Collection[int],
    before: datetime.datetime | None,
    excess: int,
    size_of: Callable[[Candidate], int],
) -> list[Leaving]:
    """What ended before *before* goes; then the oldest go until they free *excess* bytes in all.

    Kept folders stay. The folder of a suite goes after those of all its children, or stays with one that stays. The
    size of a folder is asked for only when it goes.
    """
    children: dict[int | None, list[Candidate]] = defaultdict(list)
    known = list(candidates)
    for each in known:
        if each.suite_id is not None:
            children[each.suite_id].append(each)

    def place(each: Candidate) -> tuple[datetime.datetime, bool, int, str]:
        own = children.get(each.job_id, ())
        return max([each.since, *(child.since for child in own)]), bool(own), each.job_id or 0, each.tag

    order = sorted((each for each in known if not each.is_kept and each.job_id not in held_suites), key=place)
    leaving: list[Leaving] = []
    gone: set[str] = set()

    def may_go(each: Candidate) -> bool:
        return each.tag not in gone and all(child.tag in gone for child in children.get(each.job_id, ()))

    def go(each: Candidate, why: str) -> None:
        leaving.append(Leaving(each, size_of(each), why))
        gone.add(each.tag)

    for each in order:
        if before is not None and place(each)[0] < before and may_go(each):
            go(each, "old")
    left = excess - sum(each.size for each in leaving)
    for each in order:
        if left > 0 and may_go(each):
            go(each, "room")
            left -= leaving[-1].size
    return leaving
