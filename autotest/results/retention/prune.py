"""Prune: lets folders go, one after the other; whatever dies in between, a folder is on the disk or in the archive."""

from __future__ import annotations

import contextlib
import datetime
import os
import shutil
from pathlib import Path

from autotest import errors
from autotest.results.retention import archive, contents, records, restore
from autotest.results.retention.archive import Store
from autotest.results.retention.records import TAG

_LEAVING = "leaving-"


def let_go(results_dir: Path, tag: str, store: Store | None, now: datetime.datetime) -> bool:
    """Take the folder of a job off the disk, after it was archived in *store* and read back; without one for good.

    Done again after it died, it goes on. True: an archive holds it. Raises BadResultsFolder when the folder is not to
    be read or is not what its archive holds, and ArchiveFailed; the folder then stays.
    """
    folder = results_dir / tag
    with restore.alone(results_dir):
        found = contents.of(folder)
        record = records.read(results_dir, tag)
        is_archived = record is not None and (record.listing == found.listing or not found.entries)
        if record is not None and is_archived:
            archive.store_of(record).check(record)
        elif record is not None and not record.restored_at:
            raise errors.BadResultsFolder(
                f"{folder} was archived and is here again, not as it was: move it away, then `autotest results restore`"
            )
        elif store is not None and found.entries:
            records.write(results_dir, store.put(folder, found, now))
            is_archived = True
        away = results_dir / records.FOLDER / f"{_LEAVING}{tag}"
        _remove(away)
        folder.rename(away)
        records.sync(results_dir)
        _remove(away)
    return is_archived


def finish_others(results_dir: Path) -> None:
    """Remove what a prune had let go before it died."""
    with restore.alone(results_dir), os.scandir(results_dir / records.FOLDER) as entries:
        for entry in entries:
            if entry.name.startswith(_LEAVING) and TAG.fullmatch(entry.name[len(_LEAVING) :]):
                _remove(Path(entry.path))


def _remove(folder: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(folder)
