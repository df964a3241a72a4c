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

_LEAVING = "leaving:"


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
            records.write(results_dir, store.put(tag, folder, found, now))
            is_archived = True
        remove_folder(results_dir, tag)
    return is_archived


def remove_folder(results_dir: Path, tag: str) -> None:
    """Remove the folder of a job, if it is there; whoever dies meanwhile leaves it whole or out of the way.

    The caller is :func:`autotest.results.retention.restore.alone`.
    """
    folder = results_dir / tag
    away = results_dir / records.FOLDER / f"{_LEAVING}{records.scratch_name(tag)}"
    _remove(away)
    with contextlib.suppress(FileNotFoundError):
        folder.rename(away)
        records.sync(folder.parent)
        _remove(away)


def finish_others(results_dir: Path) -> None:
    """Remove what a prune had let go, and what it or a restore had begun to write, before they died."""
    with restore.alone(results_dir), os.scandir(results_dir / records.FOLDER) as entries:
        for entry in entries:
            if entry.name.startswith((_LEAVING, restore.INCOMING)):
                _remove(Path(entry.path))
            elif entry.name.startswith("."):
                os.unlink(entry.path)


def _remove(folder: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(folder)
