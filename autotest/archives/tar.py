"""Tar archives, plain or compressed, member by member into a Tree; in one pass, with bounded memory."""

from __future__ import annotations

import os
import tarfile
from typing import Any, BinaryIO, cast

from autotest.archives import tree
from autotest.archives.tree import Tree

# tarfile reads what a forged header asks for, in one piece.
_LONGEST_READ = 4 << 20
_PIECE = 256 << 10
# tar pads to records of 10 KiB; some pad more.
_LONGEST_TAIL = 64 << 20


def unpack(stream: BinaryIO, plain: bool, into: Tree) -> None:
    """Every member of the tar archive *stream* into *into*; *plain* says that it is a file without compression.

    Raises ArchiveRefused with the member's name, tarfile.TarError, ValueError, EOFError or RecursionError for what is
    no sound tar archive, and OSError when the disk does.
    """
    reader = _Forward(stream, plain)
    member = None
    with tarfile.open(fileobj=reader, mode="r:", errors="surrogateescape") as tar:  # type: ignore[call-overload]
        while True:
            try:
                member = tar.next()
            except (tarfile.TarError, ValueError, EOFError, RecursionError) as problem:
                after = f"after {member.name!a}" if member else "at its begin"
                raise ValueError(f"{after}: {problem}") from problem
            if member is None:
                break
            # tarfile remembers every member for ever.
            tar.members.clear()
            _one(reader, stream.fileno() if plain else None, member, into)
    if reader.last.strip(b"\0") or len(reader.last) != tarfile.BLOCKSIZE:
        # tarfile takes a damaged header for the end.
        raise ValueError(f"it is cut off or damaged at byte {reader.tell():,}")
    reader.drain()


def _one(reader: _Forward, descriptor: int | None, member: tarfile.TarInfo, into: Tree) -> None:
    if member.isdir():
        into.folder(member.name)
    elif member.issym():
        into.link(member.name, member.linkname)
    elif member.islnk():
        into.hard_link(member.name, member.linkname)
    elif member.isreg():
        reader.seek(member.offset_data)
        with into.file(member.name, member.size, bool(member.mode & 0o100)) as target:
            for offset, size in _extents(member):
                os.lseek(target, offset, os.SEEK_SET)
                if descriptor is None:
                    _copy(reader, target, size, member.name)
                else:
                    _send(descriptor, reader.tell(), target, size, member.name)
                    reader.seek(reader.tell() + size)
            os.ftruncate(target, member.size)
    else:
        raise tree.refused(member.name, f"is no file, folder or link but a {_kind(member)}")


def _extents(member: tarfile.TarInfo) -> list[tuple[int, int]]:
    """Where in the file the bytes of the archive go: all of it, or what is no hole of a sparse file."""
    # typeshed knows the raw header field of that name; tarfile has replaced it by pairs.
    sparse: list[tuple[int, int]] | None = cast(Any, member).sparse
    if sparse is None:
        return [(0, member.size)]
    end = 0
    for offset, size in sparse:
        if offset < end or size < 0 or offset + size > member.size:
            raise tree.refused(member.name, "is a sparse file whose parts overlap or lie outside")
        end = offset + size
    return sparse


def _send(source: int, start: int, target: int, size: int, name: str) -> None:
    # The kernel copies; the bytes never come here.
    while size:
        sent = os.sendfile(target, source, start, size)
        if not sent:
            raise ValueError(f"it ends within {name!a}")
        start += sent
        size -= sent


def _copy(reader: _Forward, target: int, size: int, name: str) -> None:
    while size:
        piece = memoryview(reader.read(min(size, _PIECE)))
        if not piece:
            raise ValueError(f"it ends within {name!a}")
        size -= len(piece)
        while piece:
            piece = piece[os.write(target, piece) :]


def _kind(member: tarfile.TarInfo) -> str:
    known = {tarfile.CHRTYPE: "character device", tarfile.BLKTYPE: "block device", tarfile.FIFOTYPE: "named pipe"}
    return known.get(member.type, f"member of type {member.type!r}")


class _Forward:
    """A stream that is only read forwards, in pieces of a bounded size."""

    def __init__(self, stream: BinaryIO, skips: bool):
        self._stream = stream
        self._skips = skips
        self._at = 0
        #: What the last read gave.
        self.last = b""

    def read(self, size: int) -> bytes:
        """As many bytes, or fewer at the end. Raises ValueError for more than is sane."""
        if not 0 <= size <= _LONGEST_READ:
            raise ValueError(f"a header asks for {size:,} bytes")
        pieces = []
        left = size
        while left and (piece := self._stream.read(left)):
            pieces.append(piece)
            left -= len(piece)
        self.last = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        self._at += len(self.last)
        return self.last

    def tell(self) -> int:
        """The position in the tar archive."""
        return self._at

    def seek(self, position: int) -> None:
        """Go forwards; past the end is no error until somebody reads."""
        if position < self._at:
            raise ValueError("a header points backwards")
        if self._skips:
            self._stream.seek(position)
            self._at = position
        while self._at < position and self.read(min(position - self._at, _PIECE)):
            pass

    def drain(self) -> None:
        """Read to the end, so that a decompressor compares its checksum. Raises ValueError when that is too far."""
        end = self._at + _LONGEST_TAIL
        while self.read(_PIECE):
            if self._at > end:
                raise ValueError(f"more than {_LONGEST_TAIL:,} bytes follow its end")
