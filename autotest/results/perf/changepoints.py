"""Change points: where the level of a series changes, found exactly, and kept only where chance hardly does the same.

Two steps, since each alone is wrong too often (docs/decisions/0039). The series is cut where the sum of distances from
each part's median, plus a price for each cut, is least: optimal partitioning, which PELT computes faster for long
series. Then each cut has to pass a permutation test between its neighbours; the weakest goes first.
"""

from __future__ import annotations

import heapq
import itertools
import math
import random
import statistics
from collections.abc import Sequence
from typing import NamedTuple

from autotest.results.perf import noise

#: No level is shorter (points).
SHORTEST = 3
#: A change is kept when at most this share of shuffled series looks as changed.
ALPHA = 0.01
#: Shuffles a cut; the smallest p is 1 / (1 + SHUFFLES).
SHUFFLES = 999

#: The price of a cut, in standard deviations of the noise and for each natural logarithm of the length.
_PRICE = 1.5
#: For the test a value counts as at most so many standard deviations from the median.
_CLIPPED = 4
_SEED = 20_260_101


class ChangePoint(NamedTuple):
    """The level changes at *place*, the first point of the new one, from the median *before* to the median *after*.

    *p* is the share of shuffled series that look at least as changed.
    """

    place: int
    before: float
    after: float
    p: float

    @property
    def confidence(self) -> float:
        """In per cent."""
        return 100 * (1 - self.p)


def find(values: Sequence[float], alpha: float = ALPHA) -> list[ChangePoint]:
    """The changes of level of a series of finite values, oldest first; the same series gives the same answer."""
    price = _PRICE * noise.step_noise(values) * math.log(max(len(values), 2))
    if price == 0:
        return []
    found = kept(values, partition(values, price), alpha)
    bounds = [0, *(cut for cut, _p in found), len(values)]
    levels = [statistics.median(values[start:end]) for start, end in itertools.pairwise(bounds)]
    return [ChangePoint(cut, levels[number], levels[number + 1], p) for number, (cut, p) in enumerate(found)]


def partition(values: Sequence[float], price: float, shortest: int = SHORTEST) -> list[int]:
    """The cuts for which distances from the medians and prices sum to the least: first points of the parts but one.

    Takes time and memory that grow with the square of the length.
    """
    length = len(values)
    best = [0.0, *([math.inf] * length)]
    cut_before = [0] * (length + 1)
    for start in range(length - shortest + 1):
        if math.isinf(best[start]):
            continue
        for size, cost in enumerate(_distances(values[start:]), 1):
            if size < shortest:
                continue
            total = best[start] + cost + price
            if total < best[start + size]:
                best[start + size], cut_before[start + size] = total, start
    cuts = []
    end = cut_before[length]
    while end > 0:
        cuts.append(end)
        end = cut_before[end]
    return cuts[::-1]


def kept(values: Sequence[float], cuts: Sequence[int], alpha: float = ALPHA) -> list[tuple[int, float]]:
    """(cut, p) of the cuts that pass the permutation test; without the weakest, the others are tested again."""
    left = list(cuts)
    known: dict[tuple[int, int], float] = {}
    while left:
        bounds = [0, *left, len(values)]
        spans = list(zip(bounds, bounds[2:], strict=False))
        for span in spans:
            if span not in known:
                known[span] = _p_of_change(values[slice(*span)], alpha)
        chances = [known[span] for span in spans]
        worst = max(range(len(left)), key=chances.__getitem__)
        if chances[worst] <= alpha:
            return list(zip(left, chances, strict=True))
        del left[worst]
    return []


def _distances(values: Sequence[float]) -> list[float]:
    """The sum of distances from their median, of the first 1, 2, 3 ... values."""
    low: list[float] = []  # negated: the lower half, the largest on top
    high: list[float] = []
    low_sum = high_sum = 0.0
    found = []
    for value in values:
        if low and value < -low[0]:
            heapq.heappush(low, -value)
            low_sum += value
        else:
            heapq.heappush(high, value)
            high_sum += value
        if len(low) > len(high):
            moved = -heapq.heappop(low)
            heapq.heappush(high, moved)
            low_sum, high_sum = low_sum - moved, high_sum + moved
        elif len(high) > len(low) + 1:
            moved = heapq.heappop(high)
            heapq.heappush(low, -moved)
            low_sum, high_sum = low_sum + moved, high_sum - moved
        # high has one more when the count is odd, and its top is the median.
        middle = high[0] if len(high) > len(low) else 0.0
        found.append(max(0.0, high_sum - low_sum - middle))
    return found


def _p_of_change(values: Sequence[float], alpha: float) -> float:
    """How often shuffled values look as changed as these; what is beyond *alpha* is not counted to the end."""
    shuffled = _scores(values)
    # The sums of shuffled values differ in their last digits.
    observed = _largest_step(shuffled) * (1 - 1e-9)
    chance = random.Random(_SEED)
    as_changed = 1
    for done in range(1, SHUFFLES + 1):
        chance.shuffle(shuffled)
        as_changed += _largest_step(shuffled) >= observed
        if as_changed > alpha * (1 + SHUFFLES):
            return as_changed / (1 + done)
    return as_changed / (1 + SHUFFLES)


def _scores(values: Sequence[float]) -> list[float]:
    """The values around 0, the wild ones brought nearer."""
    middle = statistics.median(values)
    reach = _CLIPPED * noise.spread(values) or math.inf
    clipped = [max(-reach, min(reach, value - middle)) for value in values]
    mean = math.fsum(clipped) / len(clipped)
    return [value - mean for value in clipped]


def _largest_step(scores: Sequence[float]) -> float:
    """The largest squared sum before a cut, over all cuts, by its variance but for a factor that all orders of these
    scores share."""
    length = len(scores)
    largest = total = 0.0
    for count, score in enumerate(scores[: length - SHORTEST], 1):
        total += score
        if count >= SHORTEST:
            largest = max(largest, total * total / (count * (length - count)))
    return largest
