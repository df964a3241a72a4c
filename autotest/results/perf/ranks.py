"""Ranks: whether two samples differ, by the Mann-Whitney U test, without assuming how their values are spread."""

from __future__ import annotations

import functools
import math
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

#: Up to so many values in both samples the distribution is counted out; beyond, the normal one is near enough.
LARGEST_EXACT = 24


class MannWhitney(NamedTuple):
    """*u* of the first sample, and the two-sided *p*: how likely ranks at least as uneven are when nothing differs."""

    u: float
    p: float


def midranks(values: Sequence[float]) -> list[float]:
    """The rank of each value, from 1; equal values share the mean of theirs."""
    order = sorted(range(len(values)), key=values.__getitem__)
    ranks = [0.0] * len(values)
    start = 0
    while start < len(order):
        end = start
        while end < len(order) and values[order[end]] == values[order[start]]:
            end += 1
        for position in range(start, end):
            ranks[order[position]] = (start + 1 + end) / 2
        start = end
    return ranks


def mann_whitney(first: Sequence[float], second: Sequence[float]) -> MannWhitney:
    """Compare two samples of at least one finite value each.

    With at most LARGEST_EXACT values p is exact, ties included: the share of all ways to divide these ranks that are as
    far from the expected sum. With more it is the normal approximation with corrections for ties and continuity.
    """
    count, total = len(first), len(first) + len(second)
    ranks = midranks([*first, *second])
    u = math.fsum(ranks[:count]) - count * (count + 1) / 2
    # Twice the ranks are whole numbers, and so is their sum.
    doubled = [round(2 * rank) for rank in ranks]
    if total <= LARGEST_EXACT:
        ties = tuple(sorted(Counter(doubled).items()))
        return MannWhitney(u, _exact(ties, count, sum(doubled[:count])))
    return MannWhitney(u, _approximate(doubled, count, u))


def smallest_p(first: int, second: int) -> float:
    """The smallest p that samples of these sizes can have, however far apart their values are."""
    return min(1.0, 2 / math.comb(first + second, first))


def _exact(ties: tuple[tuple[int, int], ...], count: int, observed: int) -> float:
    ways = _ways(ties, count)
    # Compared as whole numbers: count * sum(all) / total is the expected sum.
    total = sum(number for _rank, number in ties)
    expected = count * sum(rank * number for rank, number in ties)
    distance = abs(observed * total - expected)
    extreme = sum(number for value, number in ways.items() if abs(value * total - expected) >= distance)
    return extreme / math.comb(total, count)


@functools.lru_cache(maxsize=512)
def _ways(ties: tuple[tuple[int, int], ...], count: int) -> dict[int, int]:
    """In how many ways *count* of these ranks (rank, how many have it) have each sum."""
    # table[k][s]: ways to take k ranks with sum s out of the ranks so far.
    table: list[dict[int, int]] = [{0: 1}, *({} for _ in range(count))]
    for rank, number in ties:
        fresh: list[dict[int, int]] = [{} for _ in range(count + 1)]
        for taken, sums in enumerate(table):
            for more in range(min(number, count - taken) + 1):
                factor, target = math.comb(number, more), fresh[taken + more]
                for value, ways in sums.items():
                    target[value + more * rank] = target.get(value + more * rank, 0) + factor * ways
        table = fresh
    return table[count]


def _approximate(doubled: Sequence[int], count: int, u: float) -> float:
    total, other = len(doubled), len(doubled) - count
    tied = sum(number**3 - number for number in Counter(doubled).values())
    variance = count * other / 12 * (total + 1 - tied / (total * (total - 1)))
    if variance <= 0:
        return 1.0
    distance = max(0.0, abs(u - count * other / 2) - 0.5)
    return min(1.0, math.erfc(distance / math.sqrt(2 * variance)))
