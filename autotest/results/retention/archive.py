"""Archive: one results folder as a tar.zst in a store, read back before anybody relies on it."""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, BinaryIO, cast

import fsspec
import zstandard
from fsspec.implementations.local import LocalFileSystem

from autotest import errors, settings
from autotest.results.retention import contents, records
from autotest.results.retention.contents import Contents, Entry
from autotest.results.retention.records import Record

_PIECE = 1 << 20
_LEVEL = 6


class Store:
    """Where archives are kept: a path, or an address that fsspec knows (``s3://BUCKET/PREFIX``)."""

    def __init__(self, address: str):
        """Raises ConfigError for an address that no installed driver knows."""
        #: Without a password, for messages.
        self.address = settings.shown(address)
        try:
            files, root = fsspec.core.url_to_fs(os.path.expanduser(address))
        except Exception as problem:
            # The drivers have no exception in common.
            raise errors.ConfigError(f"archive {self.address}: {type(problem).__name__}: {problem}") from problem
        self._files: Any = files
        self._root = str(root).rstrip("/")

    def put(self, tag: str, folder: Path, found: Contents, now: datetime.datetime) -> Record:
        """Archive *folder* of the job *tag*, which holds *found*, and check what arrived.

        An archive of the same content is replaced.

        Raises BadResultsFolder when the folder is not to be read or changes meanwhile, ArchiveFailed.
        """
        name = f"{records.scratch_name(tag)}.{found.listing[:16]}.tar.zst"
        path = f"{self._root}/{name}"
        with self._told(name):
            self._files.makedirs(self._root, exist_ok=True)
            with self._files.open(path, "wb") as file:
                written = _Counted(file)
                _pack(folder, cast(BinaryIO, written))
            self._settle(path)
        if contents.of(folder).listing != found.listing:
            raise errors.BadResultsFolder(f"{folder} changed while it was archived; left as it is")
        record = Record(
            tag=tag,
            url=self._files.unstrip_protocol(path),
            size=written.size,
            sha256=written.sha256.hexdigest(),
            bytes=found.bytes,
            entries=found.entries,
            left_out=found.left_out,
            listing=found.listing,
            archived_at=records.shown(now),
        )
        self.check(record)
        with self._told(name):
            self._files.pipe_file(f"{path}.json", record.render().encode())
            self._settle(f"{path}.json")
        return record

    def check(self, record: Record) -> None:
        """Read a whole archive and compare it with its record. Raises ArchiveFailed."""
        for _ in self.checked(record):
            pass

    def checked(self, record: Record) -> Iterator[bytes]:
        """The bytes of an archive; after the last one raises ArchiveFailed unless they are those that were archived."""
        size, sha256 = 0, hashlib.sha256()
        with self._told(record.url):
            self._files.invalidate_cache()
            with self._files.open(self._files._strip_protocol(record.url), "rb") as file:
                while piece := file.read(_PIECE):
                    size += len(piece)
                    sha256.update(piece)
                    yield piece
        if (size, sha256.hexdigest()) != (record.size, record.sha256):
            raise errors.ArchiveFailed(
                f"{settings.shown(record.url)} is not what was archived: {size:,} bytes of {record.size:,}, or another "
                f"sha256; nothing is changed"
            )

    def remove(self, record: Record) -> None:
        """Remove an archive and the file beside it; one that is gone is gone. Raises ArchiveFailed."""
        with self._told(record.url):
            self._files.invalidate_cache()
            for path in (record.url, f"{record.url}.json"):
                with contextlib.suppress(FileNotFoundError):
                    self._files.rm_file(self._files._strip_protocol(path))

    def _settle(self, path: str) -> None:
        """A file of this machine is on its disk only when somebody asks for it; an object is when it was taken."""
        if isinstance(self._files, LocalFileSystem):
            with open(path, "rb") as file:
                os.fsync(file.fileno())
            records.sync(Path(path).parent)

    @contextlib.contextmanager
    def _told(self, name: str) -> Iterator[None]:
        try:
            yield
        except errors.AutotestError:
            raise
        except Exception as problem:
            told = f"{type(problem).__name__}: {problem}"
            raise errors.ArchiveFailed(f"archive {self.address}, {settings.shown(name)}: {told}") from problem


def store_of(record: Record) -> Store:
    """The store that holds an archive. Raises ConfigError."""
    return Store(record.url.rpartition("/")[0])


class _Counted:
    """A stream whose size and hash are known while it is written."""

    def __init__(self, stream: IO[bytes]):
        self._stream = stream
        self.size = 0
        self.sha256 = hashlib.sha256()

    def write(self, piece: bytes) -> int:
        """Write all of *piece*."""
        self.size += len(piece)
        self.sha256.update(piece)
        self._stream.write(piece)
        return len(piece)

    def flush(self) -> None:
        """Nothing is held back here."""


def _pack(folder: Path, target: BinaryIO) -> None:
    compressor = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True)
    with (
        compressor.stream_writer(target, closefd=False) as stream,
        tarfile.open(fileobj=cast(BinaryIO, stream), mode="w|", format=tarfile.PAX_FORMAT) as tar,
    ):
        for entry in contents.entries(folder):
            _add(tar, folder, entry)
            # tarfile remembers every member for ever.
            cast(Any, tar).members.clear()


def _add(tar: tarfile.TarFile, folder: Path, entry: Entry) -> None:
    member = tarfile.TarInfo(entry.name)
    member.mtime = entry.modified_ns // 1_000_000_000
    if entry.is_folder:
        member.type, member.mode = tarfile.DIRTYPE, 0o755
        tar.addfile(member)
        return
    with os.fdopen(contents.open_file(folder, entry), "rb") as file:
        member.size = entry.size
        member.mode = 0o755 if os.fstat(file.fileno()).st_mode & 0o100 else 0o644
        try:
            tar.addfile(member, file)
        except OSError as problem:
            if problem.errno is not None:
                raise
            raise errors.BadResultsFolder(f"{folder} changed while it was archived; left as it is") from problem
