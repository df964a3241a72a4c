"""Download: a bundle into a file; one that broke off goes on where it stopped, in this process or a later one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from autotest import errors
from autotest.devserver.depot import boot_id
from autotest.devserver.sources.base import Found, Source

# Attempts in a row that brought nothing.
_ATTEMPTS = 4
_FIRST_PAUSE_S = 0.5


class Pace(NamedTuple):
    """How a download is followed and stopped: *got* hears the size of each piece and may raise; *pause* sleeps, and may
    raise too.
    """

    got: Callable[[int], None]
    pause: Callable[[float], None]


def fetch(source: Source, url: str, found: Found, folder: Path, pace: Pace) -> tuple[Path, str]:
    """Download *url*, which *source* has *found*, to ``<folder>/bundle``. Returns that path and its sha256.

    Raises HttpFailed with the fact, and the number of bytes that are kept for the next attempt.
    """
    bundle = folder / "bundle"
    digest, have = _begun(folder, url, found, pace)
    idle = 0
    while idle < _ATTEMPTS:
        before = have
        try:
            with source.opened(url, have, found) as (start, pieces):
                if start != have:
                    pace.got(-have)
                    digest, have, before = hashlib.sha256(), 0, 0
                with bundle.open("r+b" if have else "wb") as file:
                    file.seek(have)
                    for piece in _bounded(pieces, found.size, have):
                        file.write(piece)
                        digest.update(piece)
                        have += len(piece)
                        pace.got(len(piece))
                    file.truncate()
            if found.size is None or have == found.size:
                return bundle, digest.hexdigest()
            problem = errors.HttpFailed(f"{url}: {have:,} of {found.size:,} bytes came")
        except errors.HttpFailed as failure:
            problem = failure
        if not found.validator or found.size is None:
            raise problem
        idle = idle + 1 if have == before else 0
        pace.pause(_FIRST_PAUSE_S * 2**idle)
    raise errors.HttpFailed(f"{problem}; {have:,} bytes are kept for the next attempt", problem.status)


def _begun(folder: Path, url: str, found: Found, pace: Pace) -> tuple[hashlib._Hash, int]:
    """What an earlier attempt left of the same content, if it can be trusted."""
    facts = {"url": url, "validator": found.validator, "size": found.size, "boot": boot_id()}
    note, bundle = folder / "bundle.json", folder / "bundle"
    digest = hashlib.sha256()
    try:
        # After a crash of the machine the file may have the size and not the bytes.
        same = bool(found.validator) and json.loads(note.read_text(encoding="utf-8")) == facts
        size = bundle.stat().st_size if same else 0
    except (OSError, ValueError):
        size = 0
    if not 0 < size <= (found.size or 0):
        bundle.unlink(missing_ok=True)
        note.write_text(json.dumps(facts), encoding="utf-8")
        return digest, 0
    with bundle.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
            pace.got(len(piece))
    return digest, size


def _bounded(pieces: Iterator[bytes], size: int | None, have: int) -> Iterator[bytes]:
    for piece in pieces:
        have += len(piece)
        if size is not None and have > size:
            raise errors.HttpFailed(f"more than the {size:,} bytes came that were announced")
        yield piece
