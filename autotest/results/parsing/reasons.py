"""Reasons: many messages of one test in one text (results-and-tko.md section 4)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

_JOINT = b", "

#: Comparing each with each is fastest up to here.
_FEW = 16

#: Reasons up to this length are sought at every place of the longer ones; the others where these first bytes stand.
_PROBE = 12

# A log written to be slow gets a longer text, not a slow parse: so many bytes are compared (about a second).
_MOST_WORK = 300_000_000


def combine(reasons: Iterable[bytes]) -> bytes:
    """Every reason that is no substring of another one, sorted by bytes and joined by a comma.

    The cost is linear in the length of the text for what tests write: reasons of few distinct lengths.
    """
    distinct = set(reasons)
    distinct.discard(b"")
    if len(distinct) > 1:
        distinct -= _contained(distinct)
    return _JOINT.join(sorted(distinct))


def _contained(distinct: set[bytes]) -> set[bytes]:
    if len(distinct) <= _FEW:
        return {part for part in distinct for whole in distinct if part is not whole and part in whole}
    by_length: dict[int, set[bytes]] = defaultdict(set)
    long: dict[bytes, set[int]] = defaultdict(set)
    for reason in distinct:
        if len(reason) <= _PROBE:
            by_length[len(reason)].add(reason)
        else:
            long[reason[:_PROBE]].add(len(reason))
    lengths = sorted(by_length)
    cost = {probe: sum(sizes) for probe, sizes in long.items()}
    found: set[bytes] = set()
    left = _MOST_WORK
    for reason in sorted(distinct, key=len, reverse=True):
        if reason in found:
            continue
        size = len(reason)
        left -= size * (1 + len(lengths))
        for length in lengths:
            if length < size:
                parts = [reason[start : start + length] for start in range(size - length + 1)]
                found |= by_length[length].intersection(parts)
        for start in range(size - _PROBE):
            probe = reason[start : start + _PROBE]
            if probe in cost:
                left -= cost[probe]
                if left < 0:
                    return found
                found.update(
                    part
                    for length in long[probe]
                    if start + length <= size and length < size and (part := reason[start : start + length]) in distinct
                )
        if left < 0:
            return found
    return found
