"""A dev server's folder, an archive folder it may take builds from, and bundles to put there."""

from __future__ import annotations

import hashlib
import threading
from pathlib import Path

import pytest
from bundles import FILES, tarred

from autotest.devserver.allowed import Wanted
from autotest.devserver.config import Config
from autotest.devserver.depot import Depot, Staged
from autotest.devserver.staging import Progress, Stager


class Desk:
    """One dev server without HTTP: an archive folder, a depot, and what stages."""

    def __init__(self, root: Path):
        self.root = root
        self.archive = root / "archive"
        self.archive.mkdir()
        self.url = f"file://{self.archive}"
        self.stop = threading.Event()
        self.configure()

    def configure(self, **values) -> None:
        """Another configuration over the same folder."""
        self.config = Config(**{"folder": self.root / "depot", "sources": (self.url,), **values})
        self.depot = Depot(self.config.folder)
        self.stager = Stager(self.config, self.depot, self.stop)

    def bundle(self, name: str = "R8-1.0.tar", files: dict[str, bytes] | None = None, listed: bool = False) -> str:
        """Put a bundle into the archive; returns its sha256."""
        return self.raw(name, tarred(FILES if files is None else files), listed)

    def raw(self, name: str, content: bytes, listed: bool = False) -> str:
        """Put these bytes into the archive; returns their sha256."""
        path = self.archive / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        if listed:
            with (path.parent / "SHA256SUMS").open("a") as sums:
                sums.write(f"{digest}  {path.name}\n")
        return digest

    def wanted(self, build: str = "R8-1.0") -> Wanted:
        return self.stager.build(f"{self.url}/{build}")

    def stage(self, build: str = "R8-1.0", sha256: str = "") -> Staged:
        """Stage a build of the archive."""
        return self.stager.run(Progress(self.wanted(build)), sha256)

    def left(self) -> list[str]:
        """What lies among the incoming builds."""
        incoming = self.config.folder / "incoming"
        return sorted(path.relative_to(incoming).as_posix() for path in incoming.rglob("*"))


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    """An empty dev server with an empty archive."""
    return Desk(tmp_path)
