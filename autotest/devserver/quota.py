"""Quota: which builds go so that a new one fits; never one that is in use."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from typing import NamedTuple

from autotest import errors
from autotest.devserver import locks
from autotest.devserver.depot import Depot, Staged

# The last bytes of a disk belong to everybody else on the machine.
_LEFT_FREE = 1 << 30


class Room(NamedTuple):
    """What was made: the builds that went for it, and how many bytes more would fit with no other going."""

    evicted: list[str]
    spare: int


def make_room(depot: Depot, build: str, needed: int, quota: int) -> Room:
    """Evict until *needed* bytes of *build*, which is on its way, fit into *quota* and onto the disk.

    Raises NoRoom, with what is in the way.
    """
    with locks.held(depot.room_lock, False, locks.for_seconds(60)) as mine:
        if not mine:
            raise errors.NoRoom(f"{build}: {depot.room_lock} is held by somebody who does not let go of it")
        staged = [one for one in depot.all() if one.record.build != build]
        kept = sum(one.record.bytes for one in staged)
        mine_now, coming = depot.incoming_bytes(build)
        if kept + coming + needed > quota and coming:
            depot.drop_downloads()
            mine_now, coming = depot.incoming_bytes(build)
        most = min(quota, kept + coming + mine_now + max(0, _free(depot) - _LEFT_FREE))
        excess = kept + coming + needed - most
        evicted, freed = _evict(depot, staged, excess, f"{build} needs {needed:,} bytes of {most:,}")
        return Room(evicted, freed - excess)


def evict(depot: Depot, builds: Sequence[str], dry_run: bool) -> tuple[list[str], list[str]]:
    """Remove these builds, or with *dry_run* only say so. Returns those that went, and those that are in use.

    Raises NotFound for one that is not staged, before anything is removed.
    """
    for build in builds:
        if depot.staged(build) is None:
            raise errors.NotFound(f"{build} is not staged; `autotest devserver list` shows what is")
    gone: list[str] = []
    used: list[str] = []
    for build in builds:
        (gone if _remove(depot, build, dry_run) else used).append(build)
    return gone, used


def surplus(staged: Sequence[Staged], quota: int) -> list[str]:
    """The least recently used of *staged* (longest ago first) that have to go for the rest to fit into *quota*."""
    total = sum(one.record.bytes for one in staged)
    chosen = []
    for one in staged:
        if total <= quota:
            break
        total -= one.record.bytes
        chosen.append(one.record.build)
    return chosen


def _evict(depot: Depot, staged: Sequence[Staged], excess: int, why: str) -> tuple[list[str], int]:
    """The names of those that went, and their bytes."""
    evicted, used, freed = [], [], 0
    for one in staged:
        if freed >= excess:
            break
        if _remove(depot, one.record.build, dry_run=False):
            freed += one.record.bytes
            evicted.append(one.record.build)
        else:
            used.append(one.record.build)
    if freed < excess:
        in_use = f"; in use: {', '.join(used)}" if used else ""
        raise errors.NoRoom(f"{why}, {excess - freed:,} too many, with everything evicted that nobody uses{in_use}")
    return evicted, freed


def _remove(depot: Depot, build: str, dry_run: bool) -> bool:
    with locks.held(depot.lock(build), False, locks.never) as mine:
        if mine and not dry_run:
            depot.remove(build)
            depot.lock(build).unlink()
        return mine


def _free(depot: Depot) -> int:
    return shutil.disk_usage(depot.root).free
