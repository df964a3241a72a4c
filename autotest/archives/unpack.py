"""Unpack: one archive, whatever its kind, into an empty folder."""

from __future__ import annotations

import gzip
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, cast

import zstandard

from autotest import errors
from autotest.archives import tar as tar_archive
from autotest.archives import zip as zip_archive
from autotest.archives.tree import Limits, Tree, Unpacked, no_questions

#: How a name ends, and what that makes it.
KINDS = {".tar": "tar", ".tar.gz": "tar.gz", ".tgz": "tar.gz", ".tar.zst": "tar.zst", ".zip": "zip"}
# What `zstd --long` asks for.
_LARGEST_WINDOW = 1 << 27
_UNSOUND = (
    ValueError,
    EOFError,
    RecursionError,
    NotImplementedError,
    RuntimeError,
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    zstandard.ZstdError,
    gzip.BadGzipFile,
)


def suffix_of(name: str) -> str:
    """The one of KINDS that *name* ends with; '' for none."""
    return next((suffix for suffix in sorted(KINDS, key=len, reverse=True) if name.endswith(suffix)), "")


def into(
    folder: Path,
    archive: Path,
    name: str,
    limits: Limits | None = None,
    room: Callable[[int], None] = no_questions,
) -> Unpacked:
    """Unpack *archive*, a file whose kind the suffix of *name* says, into the empty *folder*.

    Files, folders, hard links and symbolic links that stay inside are made, with plain permissions; anything else is
    refused, and what was unpacked by then is left for the caller to remove. *room*: see Tree.

    Raises ArchiveRefused with the member's name and the fact, what *room* raises, and OSError when the disk does.
    """
    kind = KINDS.get(suffix_of(name))
    if kind is None:
        raise errors.ArchiveRefused(f"{name} is no archive that is known here: {', '.join(KINDS)}")
    with archive.open("rb") as file:
        tree = Tree(folder, archive.stat().st_size, limits or Limits(), room)
        try:
            _unpack(kind, file, tree)
        except _UNSOUND as problem:
            raise errors.ArchiveRefused(f"{name} is no sound {kind} archive: {problem}") from problem
        return tree.finish()


def _unpack(kind: str, file: BinaryIO, tree: Tree) -> None:
    if kind == "zip":
        zip_archive.unpack(file, tree)
    elif kind == "tar":
        tar_archive.unpack(file, True, tree)
    elif kind == "tar.gz":
        with gzip.GzipFile(fileobj=file) as stream:
            tar_archive.unpack(cast(BinaryIO, stream), False, tree)
    else:
        decompressor = zstandard.ZstdDecompressor(max_window_size=_LARGEST_WINDOW)
        with decompressor.stream_reader(file, read_across_frames=True) as stream:
            tar_archive.unpack(cast(BinaryIO, stream), False, tree)
