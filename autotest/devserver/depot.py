"""Depot: the folder of a dev server: staged builds, those on their way, and the locks of both.

``builds/<name>/`` holds ``record.json``, ``index.json``, ``tests.tar``, the file ``used`` whose time is that of the
last use, and ``tree/``, what the bundle holds. It appears by one rename and is whole; the file ``on_disk`` says that it
would be so after a power cut, too. ``incoming/<name>/`` is one that is not there yet: whoever holds ``locks/<name>``
alone may change either. <name> is the build's, with its slashes escaped.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from autotest import errors
from autotest.archives.tree import flush
from autotest.devserver import allowed, locks

# A reader waits no longer for one who is about to remove the build.
_PATIENCE_S = 5.0
# No escaped name ends like this.
_REMOVED = "%removed"
_SETTLED = "on_disk"
_KEPT = frozenset({"bundle", "bundle.json"})


@dataclasses.dataclass(frozen=True)
class Record:
    """What is known of a staged build. Sizes in bytes; *staged_at* in seconds since 1970."""

    build: str
    archive_url: str
    bundle: str
    #: '' for a bundle that was read in place with nothing to compare it with.
    sha256: str
    checked: bool
    bytes: int
    staged_at: float
    #: Which run of the machine wrote it: only that one knows it whole before it is on the disk.
    boot: str
    tests_sha256: str
    #: Where in the tree control/ and test_suites/ lie.
    tests_root: str

    def to_json(self) -> dict[str, Any]:
        """A JSON object."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Record:
        """The inverse. Raises TypeError."""
        return cls(**values)


@dataclasses.dataclass(frozen=True)
class Staged:
    """A build that is there."""

    record: Record
    folder: Path
    #: Seconds since 1970.
    used_at: float

    @property
    def tree(self) -> Path:
        """What the bundle holds."""
        return self.folder / "tree"

    @property
    def tests(self) -> Path:
        """What holds its control/ and test_suites/."""
        return self.tree / self.record.tests_root


class Depot:
    """The folder *root*; made when it is not there."""

    def __init__(self, root: Path):
        self.root = root
        self._builds, self._incoming, self._locks = (root / name for name in ("builds", "incoming", "locks"))
        for folder in (self._builds, self._incoming, self._locks):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def staged(self, build: str) -> Staged | None:
        """The build as it is now; None when it is not staged."""
        return self._read(self.folder(build))

    def all(self) -> list[Staged]:
        """Every staged build, the one that was used longest ago first."""
        found = [self._read(folder) for folder in self._builds.iterdir()]
        return sorted((one for one in found if one is not None), key=lambda one: (one.used_at, one.record.build))

    @contextlib.contextmanager
    def reading(self, build: str) -> Iterator[Staged]:
        """The staged build, which stays for the block and counts as used. Raises NotFound."""
        if self.staged(build) is not None:
            with locks.held(self.lock(build), True, locks.for_seconds(_PATIENCE_S)) as mine:
                staged = self.staged(build) if mine else None
                if staged is not None:
                    os.utime(staged.folder / "used")
                    yield staged
                    return
        raise errors.NotFound(f"{build} is not staged here")

    def folder(self, build: str) -> Path:
        """Where the build lies once it is staged. Raises ValidationError for what is no name."""
        return self._builds / _name(build)

    def incoming(self, build: str) -> Path:
        """Where it lies until then."""
        return self._incoming / _name(build)

    def lock(self, build: str) -> Path:
        """The lock of the build."""
        return self._locks / _name(build)

    @property
    def room_lock(self) -> Path:
        """The lock of those who count bytes and make room."""
        return self.root / "room.lock"

    def publish(self, record: Record, index: dict[str, Any]) -> None:
        """Let the incoming build be a staged one. For the holder of its lock."""
        incoming = self.incoming(record.build)
        (incoming / "used").touch()
        for name, values in (("index.json", index), ("record.json", record.to_json())):
            (incoming / name).write_text(json.dumps(values), encoding="utf-8")
        os.rename(incoming, self.folder(record.build))

    def settle(self, build: str) -> None:
        """Put a staged build on the disk, and note that. One that is gone, or was settled before, stays as it is."""
        staged = self.staged(build)
        if staged is None or (staged.folder / _SETTLED).exists():
            return
        flush(self.root)
        with locks.held(self.lock(build), True, locks.for_seconds(_PATIENCE_S)) as mine:
            now = self.staged(build) if mine else None
            if now is not None and now.record == staged.record:
                (now.folder / _SETTLED).touch()

    def remove(self, build: str) -> None:
        """Remove a staged build. For the holder of its lock."""
        doomed = self.incoming(build).with_name(f"{_name(build)}{_REMOVED}")
        shutil.rmtree(doomed, ignore_errors=True)
        # First the name: what is half removed is never taken for a build.
        os.rename(self.folder(build), doomed)
        shutil.rmtree(doomed, ignore_errors=True)

    def clear(self, build: str, keep_download: bool) -> None:
        """Remove what is incoming; the begun download may stay. For the holder of its lock."""
        incoming = self.incoming(build)
        if keep_download and (incoming / "bundle.json").exists():
            for path in incoming.iterdir():
                if path.name not in _KEPT:
                    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        else:
            shutil.rmtree(incoming, ignore_errors=True)

    def sweep(self) -> list[str]:
        """Remove what a killed server left half done, but for downloads that can go on. Returns the builds' names."""
        swept = []
        for folder in sorted(self._incoming.iterdir()):
            if folder.name.endswith(_REMOVED):
                shutil.rmtree(folder, ignore_errors=True)
                continue
            build = unquote(folder.name)
            # Whoever holds it is alive and busy with it.
            with locks.held(self.lock(build), False, locks.never) as mine:
                if mine and any(path.name not in _KEPT for path in folder.iterdir()):
                    self.clear(build, keep_download=True)
                    swept.append(build)
        for folder in self._builds.iterdir():
            # The machine went down before it was on the disk.
            if self._read(folder) is None:
                shutil.rmtree(folder, ignore_errors=True)
        return swept

    def index(self, staged: Staged) -> dict[str, Any]:
        """What publish() was given."""
        return json.loads((staged.folder / "index.json").read_text(encoding="utf-8"))

    def incoming_bytes(self, build: str) -> tuple[int, int]:
        """What *build*, on its way, takes of the disk, and what all others on their way do."""
        mine = self.incoming(build)
        return _size(mine), sum(_size(folder) for folder in self._incoming.iterdir() if folder != mine)

    def drop_downloads(self) -> None:
        """Remove downloads that nobody goes on with now."""
        for folder in self._incoming.iterdir():
            if not folder.name.endswith(_REMOVED):
                with locks.held(self.lock(unquote(folder.name)), False, locks.never) as mine:
                    if mine:
                        shutil.rmtree(folder, ignore_errors=True)

    def _read(self, folder: Path) -> Staged | None:
        try:
            record = Record.from_json(json.loads((folder / "record.json").read_text(encoding="utf-8")))
            if record.boot != boot_id() and not (folder / _SETTLED).exists():
                return None
            return Staged(record, folder, (folder / "used").stat().st_mtime)
        except (OSError, ValueError, TypeError):
            return None


def boot_id() -> str:
    """Which run of the machine this is."""
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def _name(build: str) -> str:
    name = quote(build, safe=" +=@,~:") if allowed.is_build(build) else ""
    if not name or len(name) > 200:
        raise errors.ValidationError({"build": f"{build[:100]!r} is not the name of a build"})
    return name


def _size(folder: Path) -> int:
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(place, name)).st_size
    return total
