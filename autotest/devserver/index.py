"""Index: the control files of a staged build, with the suites and the dependencies of each, and their archive."""

from __future__ import annotations

import hashlib
import os
import re
import tarfile
from pathlib import Path
from typing import Any

from autotest import control_file, errors

_CONTROL = re.compile(r"control(?:\..+)?")
_LARGEST = 1 << 20
#: What the ledger and the lab need of a build to run its tests.
_TESTS = ("control", "test_suites")


def tests_root(tree: Path) -> str:
    """Where below *tree* the tests lie: ``autotest`` or, in a bundle of tests alone, '.'."""
    return "autotest" if (tree / "autotest").is_dir() and not (tree / "autotest").is_symlink() else "."


def of(root: Path) -> dict[str, Any]:
    """``{path: {"suites": [...], "dependencies": [...]}}`` of every control file below *root*, suites' own included."""
    found = {}
    for place, folders, names in os.walk(root):
        folders.sort()
        for name in sorted(names):
            path = Path(place, name)
            if _CONTROL.fullmatch(name) and path.is_file() and not path.is_symlink():
                found[path.relative_to(root).as_posix()] = _facts(path)
    return found


def members(index: dict[str, Any], suite: str) -> list[str]:
    """The paths of all control files, or of those of the tests in *suite*."""
    return [path for path, facts in index.items() if not suite or suite in facts["suites"]]


def dependency_info(index: dict[str, Any]) -> dict[str, dict[str, list[str]]]:
    """For each suite its control files, and what each depends on."""
    info: dict[str, dict[str, list[str]]] = {}
    for path, facts in index.items():
        for suite in facts["suites"]:
            info.setdefault(suite, {})[path] = facts["dependencies"]
    return info


def text(root: Path, path: str) -> bytes:
    """The bytes of one file below *root*. Raises NotFound, also for what is a link or too large for a control file."""
    place = root / path
    parts = path.split("/")
    plain = path.isprintable() and not any(part in ("", ".", "..") for part in parts)
    if not plain or any(_is_link(root.joinpath(*parts[:depth])) for depth in range(1, len(parts) + 1)):
        raise errors.NotFound(f"{path[:200]!r} is no path of a control file")
    try:
        if not place.is_file() or place.stat().st_size > _LARGEST:
            raise errors.NotFound(f"{path} is not there, or no file of at most {_LARGEST:,} bytes")
        return place.read_bytes()
    except OSError as problem:
        raise errors.NotFound(f"{path}: {problem.strerror}") from problem


def pack(root: Path, into: Path) -> str:
    """Write the tar archive of the tests below *root*, the same bytes for the same files. Returns its sha256.

    Raises ArchiveRefused for a link that leads out of what is packed.
    """
    with tarfile.open(into, "w", format=tarfile.PAX_FORMAT) as tar:
        for name in _TESTS:
            if (root / name).is_dir():
                tar.add(root / name, name, filter=_plain)
    digest = hashlib.sha256()
    with into.open("rb") as file:
        while piece := file.read(1 << 18):
            digest.update(piece)
    return digest.hexdigest()


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    if member.issym() and member.linkname.split("/").count("..") > member.name.count("/"):
        raise errors.ArchiveRefused(f"{member.name!a} is a link out of the tests' folder, which travels on its own")
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mtime = 0
    return member


def _facts(path: Path) -> dict[str, list[str]]:
    try:
        if path.stat().st_size > _LARGEST:
            return {"suites": [], "dependencies": []}
        test = control_file.read(path)
    except errors.ControlFileError:
        # Whoever reads the build's tests names it; here it is in no suite.
        return {"suites": [], "dependencies": []}
    return {"suites": sorted(test.suite_tag_parts), "dependencies": sorted(test.dependencies)}


def _is_link(path: Path) -> bool:
    return os.path.islink(path)
