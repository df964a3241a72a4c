"""Real dev servers on loopback, over an archive of files or another server."""

from __future__ import annotations

import contextlib
import io
import json
import sys
import tarfile
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from bundles import FILES
from servers.server import Server, accepts, free_port

from autotest.devserver.depot import Depot
from autotest.devserver_client.server import DevServer
from autotest.settings import Settings


class DevServerNode:
    """One `autotest devserver run` process; *keys* are those of its configuration."""

    def __init__(self, folder: Path, sources: Sequence[str], port: int, **keys: object):
        folder.mkdir(exist_ok=True)
        self.folder = folder / "depot"
        self.url = f"http://127.0.0.1:{port}"
        self.config = folder / "devserver.toml"
        values = {"folder": str(self.folder), "sources": list(sources), "port": port, **keys}
        self.config.write_text("".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items()))
        argv = [sys.executable, "-m", "autotest", "devserver", "run", "--config", str(self.config)]
        self.server = Server(argv, folder / "log", lambda: accepts(port))
        self.client = DevServer(self.url)

    @property
    def depot(self) -> Depot:
        """What it keeps."""
        return Depot(self.folder)

    def log(self) -> str:
        """What it said."""
        return self.server.log.read_text()

    def get(self, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
        """Status, headers by lower-case name, and body of a plain GET."""
        asked = urllib.request.Request(self.url + path, headers=headers)
        try:
            found = urllib.request.urlopen(asked, timeout=60)
        except urllib.error.HTTPError as refusal:
            found = refusal
        with found:
            return found.status, {name.lower(): value for name, value in found.headers.items()}, found.read()


class Desk:
    """An archive folder, and dev servers over it."""

    def __init__(self, root: Path, stack: contextlib.ExitStack):
        self.root = root
        self.archive = root / "archive"
        self.archive.mkdir()
        self.url = f"file://{self.archive}"
        self._stack = stack

    def bundle(self, build: str = "pi4-release/R8-1.0", suffix: str = ".tar.gz", size: int = 0, more: int = 0) -> Path:
        """Put a bundle of that build into the archive; *size* bytes in one file, and *more* empty files, are added."""
        path = self.archive / f"{build}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        files = {**FILES, **({"padding.bin": bytes(size)} if size else {})}
        files.update({f"padding/{number}": b"" for number in range(more)})
        with tarfile.open(path, "w:gz" if suffix == ".tar.gz" else "w") as tar:
            for name, content in files.items():
                info = tarfile.TarInfo(name)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
        return path

    def node(self, name: str = "ds", sources: Sequence[str] = (), port: int = 0, **keys: object) -> DevServerNode:
        """A dev server that is not started yet, and that is ended with the test."""
        node = DevServerNode(self.root / name, sources or [self.url], port or free_port(), **keys)
        self._stack.callback(node.server.stop)
        return node

    def started(self, name: str = "ds", **more: object) -> DevServerNode:
        """A dev server that answers."""
        node = self.node(name, **more)  # type: ignore[arg-type]
        node.server.start()
        return node

    def ledger(self, *nodes: DevServerNode, name: str = "ledger", **more: object) -> Settings:
        """Settings of a ledger that gets its builds from these dev servers."""
        urls = tuple(node.url for node in nodes)
        return Settings(root=self.root / name, devservers=urls, build_archive=self.url, **more)  # type: ignore[arg-type]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """An empty archive, and no server yet."""
    with contextlib.ExitStack() as stack:
        yield Desk(tmp_path, stack)
