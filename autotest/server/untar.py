"""Safe untar: what comes from a DUT is hostile, and stays inside the folder it is unpacked into."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tarfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from autotest import errors

_MOST_MEMBERS = 200_000
_LONGEST_READ = 4 * 1024 * 1024
_DEEPEST = 64


def unpack(archive: Path, folder: Path, limit_bytes: int, wanted: Callable[[PurePosixPath], bool]) -> list[str]:
    """Unpack the tar file *archive* into *folder*; returns a line for each member that was refused.

    Only files, folders and symbolic links that stay inside are made, with plain permissions; nothing is written through
    a link, and *wanted* (a relative path) may decline more. Raises OSError when the disk does, and BadResultsFolder
    when *archive* is no tar file or unpacks to more than *limit_bytes*.
    """
    refused: list[str] = []
    links: list[tuple[PurePosixPath, str]] = []
    total = 0
    try:
        with archive.open("rb") as file, tarfile.open(fileobj=_Careful(file), mode="r:") as tar:  # type: ignore[call-overload]
            for count, member in enumerate(iter(tar.next, None)):
                # tarfile remembers every member for ever.
                tar.members.clear()
                if member.size < 0:
                    raise ValueError(f"{member.name!r} claims {member.size} bytes")
                total += member.size
                if count >= _MOST_MEMBERS or total > limit_bytes:
                    raise errors.BadResultsFolder(
                        f"{archive.name} unpacks to more than {limit_bytes} bytes or {_MOST_MEMBERS} members; "
                        "what came before is kept"
                    )
                path = _relative(member.name)
                if path is None:
                    refused.append(f"{member.name!r}: leads out of the folder")
                elif not wanted(path):
                    continue
                elif member.issym():
                    links.append((path, member.linkname))
                elif not _make(tar, member, folder, path):
                    refused.append(f"{member.name!r}: is no plain file or folder, or lies behind a link")
    except (tarfile.TarError, ValueError, EOFError) as problem:
        raise errors.BadResultsFolder(f"{archive.name} is not a sound tar file: {problem}") from problem
    refused.extend(_make_links(folder, links))
    return refused


class _Careful:
    """A file that refuses the huge single reads which a forged header asks of tarfile."""

    def __init__(self, file: BinaryIO):
        self._file = file

    def read(self, size: int = -1) -> bytes:
        if size < 0 or size > _LONGEST_READ:
            raise ValueError(f"a header claims {size} bytes")
        return self._file.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()


def _relative(name: str) -> PurePosixPath | None:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or not path.parts or len(path.parts) > _DEEPEST or "\0" in name:
        return None
    return path


def _make(tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path, path: PurePosixPath) -> bool:
    if member.isdir():
        return _make_folders(folder, path)
    if not member.isreg() or member.issparse() or not _make_folders(folder, path.parent):
        return False
    target = folder / path
    try:
        if not stat.S_ISREG(target.lstat().st_mode):
            return False
        target.unlink()
    except FileNotFoundError:
        pass
    source = tar.extractfile(member)
    if source is None:
        return False
    mode = 0o755 if member.mode & 0o100 else 0o644
    handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    with source, open(handle, "wb") as file:
        shutil.copyfileobj(source, file)
    with contextlib.suppress(OSError, OverflowError, ValueError):
        os.utime(target, (member.mtime, member.mtime))
    return True


def _make_folders(folder: Path, path: PurePosixPath) -> bool:
    """Make *path* below *folder*, through real folders only."""
    here = folder
    for part in path.parts:
        here = here / part
        try:
            here.mkdir()
        except FileExistsError:
            if not stat.S_ISDIR(here.lstat().st_mode):
                return False
    return True


def _make_links(folder: Path, links: list[tuple[PurePosixPath, str]]) -> list[str]:
    """Make the links last, so that nothing was unpacked through one."""
    refused = []
    for path, target in links:
        place = folder / path
        if not _stays_inside(path, target) or not _make_folders(folder, path.parent) or os.path.lexists(place):
            refused.append(f"{str(path)!r}: link to {target!r} leads out of the folder, or its place is taken")
        else:
            # Without doubled slashes, which some readers of a looping link take for the root.
            place.symlink_to(PurePosixPath(target))
    return refused


def _stays_inside(path: PurePosixPath, target: str) -> bool:
    """Whether a link at *path* to *target* resolves below the folder, whatever other such links do.

    ``..`` counts only at the front, where the folders above are real: behind a name it may climb from anywhere.
    """
    parts = PurePosixPath(target).parts
    climbs = 0
    while climbs < len(parts) and parts[climbs] == "..":
        climbs += 1
    return (
        bool(parts)
        and not target.startswith("/")
        and "\0" not in target
        and ".." not in parts[climbs:]
        and climbs < len(path.parts)
    )
