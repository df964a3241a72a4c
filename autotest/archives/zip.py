"""Zip archives, member by member into a Tree."""

from __future__ import annotations

import os
import stat
import zipfile
from typing import IO, BinaryIO

from autotest.archives import tree
from autotest.archives.tree import Tree

# zipfile reads the list of members in one piece.
_LONGEST_READ = 16 << 20
_LONGEST_TARGET = 4096
_PIECE = 256 << 10
# Others may ask for gigabytes of memory.
_METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2})


def unpack(file: BinaryIO, into: Tree) -> None:
    """Every member of the zip archive *file* into *into*.

    Raises ArchiveRefused with the member's name, zipfile.BadZipFile, ValueError, EOFError or NotImplementedError for
    what is no sound zip archive, and OSError when the disk does.
    """
    with zipfile.ZipFile(_Careful(file)) as archive:  # type: ignore[arg-type]
        for member in archive.infolist():
            _one(archive, member, into)


def _one(archive: zipfile.ZipFile, member: zipfile.ZipInfo, into: Tree) -> None:
    # zipfile cuts a name at a NUL byte.
    name = member.orig_filename
    kind = stat.S_IFMT(member.external_attr >> 16)
    if "\\" in name:
        raise tree.refused(name, "has a backslash in its name")
    if member.flag_bits & 0x1:
        raise tree.refused(name, "is encrypted")
    if member.compress_type not in _METHODS:
        raise tree.refused(name, "is compressed in a way that is not read here; pack it with deflate")
    if kind == stat.S_IFLNK:
        into.link(name, _target(archive, member))
    elif kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise tree.refused(name, f"is no file, folder or link but has the mode {member.external_attr >> 16:o}")
    elif name.endswith("/") or kind == stat.S_IFDIR:
        into.folder(name)
    else:
        executable = bool(member.external_attr >> 16 & 0o100)
        with into.file(name, member.file_size, executable) as target, archive.open(member) as source:
            _copy(source, target, member.file_size, name)


def _target(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> str:
    if member.file_size > _LONGEST_TARGET:
        raise tree.refused(member.orig_filename, "is a link to something that is no path")
    return archive.read(member).decode("utf-8", "surrogateescape")


def _copy(source: IO[bytes], target: int, size: int, name: str) -> None:
    left = size
    while piece := memoryview(source.read(_PIECE)):
        left -= len(piece)
        if left < 0:
            break
        while piece:
            piece = piece[os.write(target, piece) :]
    if left:
        raise tree.refused(name, f"is not the {size:,} bytes that it claims")


class _Careful:
    """A file that refuses the huge single reads which a forged directory asks of zipfile."""

    def __init__(self, file: BinaryIO):
        self._file = file
        self.tell = file.tell
        self.seek = file.seek
        self.seekable = file.seekable

    def read(self, size: int = -1) -> bytes:
        """Read. Raises ValueError for more than is sane."""
        piece = self._file.read(size if 0 <= size <= _LONGEST_READ else _LONGEST_READ + 1)
        if len(piece) > _LONGEST_READ:
            raise ValueError(f"its list of members is longer than {_LONGEST_READ:,} bytes")
        return piece
