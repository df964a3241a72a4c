"""The order of builds: by version where all of them have one, else by when they were first tested."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from typing import Any

from autotest.results.query.counts import natural

#: ``R124-14490.0.0``, ``14490.0.0``, ``R124-14490.0.0-rc2``: milestone, version, and what may follow.
_VERSION = re.compile(r"(?:R(\d{1,9})-)?(\d{1,18}(?:\.\d{1,18}){1,7})([-_+.].*)?", re.ASCII | re.DOTALL)
_BEFORE_ALL = datetime.datetime.min.replace(tzinfo=datetime.timezone.utc)


def ordered(builds: Mapping[str, datetime.datetime | None]) -> list[str]:
    """*builds* (name -> when first tested), oldest first.

    By milestone, then the numbers of the version by value, a release candidate before its release. As soon as one name
    is no version, all of them go by time, then by name in natural order: two orders cannot be mixed.
    """
    keys = {build: _version(build) for build in builds}
    if all(key is not None for key in keys.values()):
        return sorted(builds, key=lambda build: (keys[build], builds[build] or _BEFORE_ALL, build))
    return sorted(builds, key=lambda build: (builds[build] or _BEFORE_ALL, natural(build)))


def _version(build: str) -> tuple[Any, ...] | None:
    """A sort key, or None for what is no version."""
    found = _VERSION.fullmatch(build.rpartition("/")[2])
    if found is None:
        return None
    numbers = tuple(int(part) for part in found[2].split("."))
    return (int(found[1] or 0), numbers, natural(found[3] or ""))
