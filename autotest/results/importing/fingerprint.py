"""Fingerprint: whether anything that the parser reads in a folder has changed since it was imported."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from autotest.client import exit_file, host_keyval

#: What the parser reads, wherever in the folder it lies.
_READ = frozenset(
    {
        exit_file.NAME,
        "build_log",
        "hostname",
        "keyval",
        "perf_measurements",
        "results-chart.json",
        "status",
        "status.log",
        "uname_-a",
    }
)
_READ_WHOLE = frozenset({host_keyval.FOLDER, "host_info_store"})


def of(folder: Path) -> str:
    """A digest of names, sizes and times of change; of the folders above it as far as the job reaches.

    A file that cannot be looked at counts as absent. Symlinks to folders are not followed.
    """
    digest = hashlib.sha256()
    for path in _paths(os.fspath(folder)):
        try:
            found = os.stat(path)
        except (OSError, ValueError):
            continue
        digest.update(b"%s\0%d\0%d\n" % (os.fsencode(path), found.st_size, found.st_mtime_ns))
    return digest.hexdigest()


def _paths(folder: str) -> Iterator[str]:
    for place, folders, files in os.walk(folder):
        folders.sort()
        whole = os.path.basename(place) in _READ_WHOLE
        yield from (os.path.join(place, name) for name in sorted(files) if whole or name in _READ)
    # A machine of a group reads the keyvals of the folders above it, up to the one that autoserv ran in.
    above = folder
    while not os.path.lexists(os.path.join(above, exit_file.NAME)):
        above, name = os.path.split(above)
        if not name:
            return
        yield from (os.path.join(above, name) for name in ("keyval", exit_file.NAME))
    if above != folder:
        for place, _, files in os.walk(os.path.join(above, host_keyval.FOLDER)):
            yield from (os.path.join(place, name) for name in sorted(files))
