"""Client packages: what travels to a DUT, each named by a hash of its content, so that it travels once."""

from __future__ import annotations

import functools
import hashlib
import io
import os
import tarfile
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import autotest
from autotest import errors

_MAIN = b"""import runpy

runpy.run_module("autotest.client", run_name="__main__", alter_sys=True)
"""
_LEFT_OUT = frozenset({"__pycache__", ".git"})
_EPOCH = (1980, 1, 1, 0, 0, 0)


class Package(NamedTuple):
    """One file or folder below ``<client_dir>/packages`` on the DUT."""

    name: str
    members: tuple[tuple[str, Path | bytes, int], ...]

    def add_to(self, tar: tarfile.TarFile) -> None:
        """Append the members, as ``packages/<path>``, to *tar*."""
        for path, source, mode in self.members:
            data = source if isinstance(source, bytes) else source.read_bytes()
            add_file(tar, f"packages/{path}", data, mode)


@functools.cache
def client() -> Package:
    """The client as one zipapp: ``client-<hash>.pyz``. Built once a process, and before the fork server forks."""
    root = Path(autotest.__file__).parent
    sources = [(root / "__init__.py", "autotest/__init__.py")]
    sources += [(path, f"autotest/client/{where}") for where, path in _walk(root / "client")]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("__main__.py", _EPOCH), _MAIN)
        for path, name in sources:
            member = zipfile.ZipInfo(name, _EPOCH)
            member.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(member, path.read_bytes())
    data = buffer.getvalue()
    name = f"client-{hashlib.sha256(data).hexdigest()[:16]}.pyz"
    return Package(name, ((name, data, 0o755),))


def tests(roots: Sequence[str]) -> dict[str, Package]:
    """The test folders below *roots*, by test name; the first root that has a test wins.

    Raises ConfigError for a root that is no folder.
    """
    found: dict[str, Package] = {}
    for root in map(Path, roots):
        if not root.is_dir():
            raise errors.ConfigError(f"test root {root} is not a folder; tests lie in <root>/<test>/<test>.py")
        for folder in sorted(root.iterdir()):
            if folder.name not in found and (folder / f"{folder.name}.py").is_file():
                found[folder.name] = _test(folder)
    return found


def add_file(tar: tarfile.TarFile, path: str, data: bytes, mode: int = 0o644) -> None:
    """Append one file, owned by nobody in particular, to *tar*."""
    member = tarfile.TarInfo(path)
    member.size = len(data)
    member.mode = mode
    tar.addfile(member, io.BytesIO(data))


def add_link(tar: tarfile.TarFile, path: str, target: str) -> None:
    """Append one symbolic link to *tar*."""
    member = tarfile.TarInfo(path)
    member.type = tarfile.SYMTYPE
    member.linkname = target
    tar.addfile(member)


def _test(folder: Path) -> Package:
    digest = hashlib.sha256()
    files = list(_walk(folder))
    for where, path in files:
        mode = 0o755 if os.access(path, os.X_OK) else 0o644
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{where}\0{mode}\0{content}\n".encode("utf-8", "surrogateescape"))
    name = f"{folder.name}-{digest.hexdigest()[:16]}"
    return Package(
        name,
        tuple((f"{name}/{where}", path, 0o755 if os.access(path, os.X_OK) else 0o644) for where, path in files),
    )


def _walk(folder: Path) -> Iterator[tuple[str, Path]]:
    for where, folders, files in os.walk(folder):
        folders[:] = sorted(set(folders) - _LEFT_OUT)
        for name in sorted(files):
            path = Path(where, name)
            if path.suffix != ".pyc" and path.is_file():
                yield str(path.relative_to(folder)), path
