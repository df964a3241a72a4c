"""Noise: how values are spread, by medians, so that a single wild value changes little."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Sequence

#: The median absolute deviation of normally distributed values, as a share of their standard deviation.
_MAD_OF_NORMAL = 0.6744897501960817


def mad(values: Sequence[float]) -> float:
    """The median absolute deviation from the median. *values* has at least one."""
    middle = statistics.median(values)
    return statistics.median(abs(value - middle) for value in values)


def spread(values: Sequence[float]) -> float:
    """The standard deviation, estimated by the MAD; 0 for one value, or when more than half of them are equal."""
    return mad(values) / _MAD_OF_NORMAL


def step_noise(values: Sequence[float]) -> float:
    """The standard deviation of a series around its level, estimated from the steps between neighbours.

    A change of level touches one step only and hardly counts. Where more than half of the steps are 0 their mean is
    taken; 0 for a constant series.
    """
    steps = [abs(after - before) for before, after in itertools.pairwise(values)]
    if not steps:
        return 0.0
    middle = statistics.median(steps)
    # A step between two values has sqrt(2) times their standard deviation.
    return middle / (_MAD_OF_NORMAL * math.sqrt(2)) if middle else math.fsum(steps) / len(steps)
