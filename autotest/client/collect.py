"""The results of a run as one tar: regular files, folders, and links that stay inside."""

import os
import stat
import tarfile
from typing import BinaryIO

_CHUNK = 1 << 20


def write_tar(root: str, output: BinaryIO) -> None:
    """Write everything below *root* to *output*; what cannot be read, or is something else, is left out."""
    with tarfile.open(fileobj=output, mode="w|", format=tarfile.GNU_FORMAT, errors="surrogateescape") as tar:
        folders = [""]
        while folders:
            folder = folders.pop()
            try:
                names = sorted(os.listdir(os.path.join(root, folder)))
            except OSError:
                continue
            for name in names:
                if _add(tar, root, os.path.join(folder, name)):
                    folders.append(os.path.join(folder, name))


def _add(tar: tarfile.TarFile, root: str, name: str) -> bool:
    """Add one entry; True if it is a folder to look into."""
    path = os.path.join(root, name)
    try:
        found = os.lstat(path)
        target = os.readlink(path) if stat.S_ISLNK(found.st_mode) else ""
        # The name may have come to mean something else since it was listed.
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK) if stat.S_ISREG(found.st_mode) else None
    except OSError:
        return False
    if handle is not None:
        with open(handle, "rb") as file:
            _add_file(tar, file, name)
    elif target and _stays_inside(name, target):
        link = _info(name, found, tarfile.SYMTYPE)
        link.linkname = target
        tar.addfile(link)
    elif stat.S_ISDIR(found.st_mode):
        tar.addfile(_info(name, found, tarfile.DIRTYPE))
        return True
    return False


def _info(name: str, found: os.stat_result, kind: bytes) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = kind
    info.mode = stat.S_IMODE(found.st_mode) & 0o755 | (0o700 if kind == tarfile.DIRTYPE else 0o600)
    info.mtime = int(found.st_mtime)
    return info


def _stays_inside(name: str, target: str) -> bool:
    end = os.path.normpath(os.path.join(os.path.dirname(name), target))
    return not os.path.isabs(target) and end != ".." and not end.startswith("../")


def _add_file(tar: tarfile.TarFile, file: BinaryIO, name: str) -> None:
    found = os.fstat(file.fileno())
    if stat.S_ISREG(found.st_mode):
        info = _info(name, found, tarfile.REGTYPE)
        info.size = found.st_size
        tar.addfile(info, _Exactly(file, info.size))  # type: ignore[arg-type]  # tar only reads


class _Exactly:
    """Reads as many bytes as were promised, though the file may shrink or grow meanwhile."""

    def __init__(self, file: BinaryIO, size: int):
        self._file = file
        self._left = size

    def read(self, size: int) -> bytes:
        """The next *size* bytes; zeros stand for those that are gone."""
        size = min(size, self._left)
        self._left -= size
        try:
            return self._file.read(size).ljust(size, b"\0")
        except OSError:
            return bytes(size)
