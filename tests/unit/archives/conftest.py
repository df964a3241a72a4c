"""Archives written member by member, sound or forged."""

from __future__ import annotations

import gzip
import io
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard


class Written:
    """An archive below a folder, and the folder it is unpacked into."""

    def __init__(self, folder: Path):
        self._folder = folder
        self.into = folder / "into"
        self.into.mkdir()

    def tar(self, fill: Callable[[tarfile.TarFile], None], suffix: str = ".tar") -> Path:
        """What *fill* adds, as a tar archive of that kind."""
        raw = io.BytesIO()
        with tarfile.open(fileobj=raw, mode="w") as tar:
            fill(tar)
        return self.bytes(raw.getvalue(), suffix)

    def bytes(self, raw: bytes, suffix: str = ".tar") -> Path:
        """These bytes, compressed as the suffix says."""
        packed = {".tar.gz": gzip.compress, ".tar.zst": zstandard.compress}.get(suffix, bytes)(raw)
        path = self._folder / f"bundle{suffix}"
        path.write_bytes(packed)
        return path

    def zip(self, *members: tuple[zipfile.ZipInfo | str, bytes]) -> Path:
        """These members as a zip archive."""
        path = self._folder / "bundle.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for member, content in members:
                archive.writestr(member, content)
        return path

    def files(self) -> dict[str, bytes]:
        """What lies in the folder now: contents by path, links as what they say."""
        return {
            path.relative_to(self.into).as_posix(): b"-> " + str(path.readlink()).encode()
            if path.is_symlink()
            else path.read_bytes()
            for path in sorted(self.into.rglob("*"))
            if path.is_symlink() or path.is_file()
        }


@pytest.fixture
def written(tmp_path: Path) -> Written:
    """An archive to write, and an empty folder."""
    return Written(tmp_path)
