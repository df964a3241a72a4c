"""Restore: an archived folder comes back to its place; who wants to read one need not know that it was away."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from autotest import errors, settings
from autotest.archives import unpack
from autotest.archives.tree import Limits
from autotest.models.database import utc_now
from autotest.results.retention import amounts, archive, contents, records
from autotest.results.retention.records import Record
from autotest.settings import Settings

#: In what is being brought back.
INCOMING = "incoming:"


def open_folder(config: Settings, tag: str) -> Path:
    """The folder *tag* (``17-ann`` or ``17-ann/host1``) of the results, brought back first when it was archived.

    Raises NotFound when it is in neither place, NoRoom, ArchiveFailed, BadResultsFolder.
    """
    first = records.tag_in(tag)
    rest = tag[len(first or "") :].split("/")[1:]
    if first is None or any(part in ("", ".", "..") or "\0" in part for part in rest):
        raise errors.NotFound(f"{tag!a} is no job's folder; those are called like 17-ann/host1")
    place = config.results_dir.joinpath(first, *rest)
    if not place.is_dir():
        restore(config, first, utc_now())
    on_the_way = [place, *place.parents][: len(tag.split("/"))]
    if not place.is_dir() or any(each.is_symlink() for each in on_the_way):
        raise errors.NotFound(f"the results of {first} hold no folder {'/'.join(rest)!a}")
    return place


def is_away(results_dir: Path, tag: str) -> bool:
    """Whether the folder of the job *tag* is not on the disk and an archive of it is known."""
    known = records.TAG.fullmatch(tag) is not None and records.read(results_dir, tag) is not None
    return known and not (results_dir / tag).is_dir()


def whereabouts(results_dir: Path, folder: str) -> str:
    """Where the results folder *folder* (``17-ann/host1/sleeptest``) is, for people: its path, and whether it is there.

    A record that is damaged says nothing.
    """
    tag = records.tag_in(folder)
    path = results_dir / folder
    if not folder or path.is_dir():
        return str(path) if folder else ""
    with contextlib.suppress(errors.BadResultsFolder):
        if tag is not None and is_away(results_dir, tag):
            return f"{path} (archived; `autotest results restore {tag}` brings it back)"
    return f"{path} (not there)"


def brought_back(path: Path) -> Path:
    """*path* itself; if it lies in the results and is not there, it is brought back first, if it was archived.

    Raises NoRoom, ArchiveFailed, BadResultsFolder, ConfigError.
    """
    if path.exists():
        return path
    config = settings.load()
    absolute = path.absolute()
    if absolute.is_relative_to(config.results_dir):
        with contextlib.suppress(errors.NotFound):
            open_folder(config, absolute.relative_to(config.results_dir).as_posix())
    return path


def restore(config: Settings, tag: str, now: datetime.datetime) -> Path:
    """Bring a job's folder back. One that is there stays as it is.

    Raises NotFound, NoRoom when the disk would fall below its floor, ArchiveFailed, BadResultsFolder.
    """
    results_dir = config.results_dir
    place = results_dir / tag
    with alone(results_dir):
        if place.is_dir() and contents.of(place).entries:
            return place
        record = records.read(results_dir, tag)
        if record is None:
            raise errors.NotFound(f"the results of {tag} are not on the disk, and no archive of them is known")
        _claim_room(config, record)
        scratch = results_dir / records.FOLDER / f"{INCOMING}{records.scratch_name(tag)}"
        shutil.rmtree(scratch, ignore_errors=True)
        try:
            folder = _unpacked(record, scratch)
            # Before the folder is in its place: prune must find that the archive holds what is there.
            listing = contents.of(folder).listing
            records.write(results_dir, dataclasses.replace(record, listing=listing, restored_at=records.shown(now)))
            if place.is_dir():
                # Nothing but locks of a parser that came later.
                shutil.rmtree(place)
            place.parent.mkdir(exist_ok=True)
            folder.rename(place)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    return place


@contextlib.contextmanager
def alone(results_dir: Path) -> Iterator[None]:
    """Nobody else archives, removes or restores a folder while the block runs."""
    workshop = results_dir / records.FOLDER
    workshop.mkdir(parents=True, exist_ok=True)
    with (workshop / ":lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _claim_room(config: Settings, record: Record) -> None:
    disk = os.statvfs(config.results_dir)
    free = disk.f_bavail * disk.f_frsize
    needed = record.bytes + record.size + config.results_floor
    if free < needed:
        raise errors.NoRoom(
            f"{record.tag} needs {amounts.shown(record.bytes + record.size)} and the results disk has "
            f"{amounts.shown(free)} free, {amounts.shown(config.results_floor)} of it its floor"
        )


def _unpacked(record: Record, scratch: Path) -> Path:
    """The folder of an archive, below *scratch*, after its hash was compared."""
    folder = scratch / "folder"
    folder.mkdir(parents=True)
    packed = scratch / "archive.tar.zst"
    with packed.open("wb") as file:
        for piece in archive.store_of(record).checked(record):
            file.write(piece)
    # The record says how much comes out: a log of one line again and again is smaller by any factor.
    limits = Limits(bytes=record.bytes, members=record.entries, ratio=float(record.bytes))
    unpack.into(folder, packed, packed.name, limits)
    packed.unlink()
    return folder
