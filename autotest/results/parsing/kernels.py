"""Kernels: what a machine booted, read from the fields of a status line (results-and-tko.md section 8)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence

from autotest.results.parsing.folder import ResultsFolder
from autotest.results.parsing.records import KernelRecord

UNKNOWN = KernelRecord()

_SUFFIX = "-autotest"
_BUILD = re.compile(rb"build(?:\.(\d{1,9}))?")
_SNAPSHOT = re.compile(r".*-(mm|git)\d+\.(bz2|gz)")


def from_fields(fields: Mapping[bytes, bytes], note: Callable[[str], None]) -> KernelRecord:
    """The kernel that ``kernel`` and ``patch0..patchN`` name; a patch that is not three words is told and skipped."""
    base = _text(fields.get(b"kernel", b"UNKNOWN")).removesuffix(_SUFFIX)
    patches: list[tuple[str, str, str]] = []
    number = 0
    while (patch := fields.get(b"patch%d" % number)) is not None:
        _take_patch(b"patch%d" % number, patch, patches, note)
        number += 1
    return of(base, patches)


def of(base: str, patches: Sequence[tuple[str, str, str]] = ()) -> KernelRecord:
    """The record of a kernel by its base and its patches."""
    return KernelRecord(base, _digest(base, patches), tuple(patches))


def first(folder: ResultsFolder, note: Callable[[str], None]) -> KernelRecord:
    """The kernel that a job of version 0 began with (section 5.4): from its build logs, else from its sysinfo."""
    builds = {int(found[1] or 1): name for name in folder.names() if (found := _BUILD.fullmatch(name))}
    for _, name in sorted(builds.items()):
        kernel = _of_build_log(folder.read(name + b"/debug/build_log") or b"", note)
        if kernel is not None:
            return kernel
    for place in (b"sysinfo/reboot1/uname_-a", b"sysinfo/uname_-a"):
        words = (folder.read(place) or b"").split(maxsplit=3)
        if len(words) > 2:
            return of(_text(words[2]).removesuffix(_SUFFIX))
    return UNKNOWN


def _of_build_log(content: bytes, note: Callable[[str], None]) -> KernelRecord | None:
    base = None
    patches: list[tuple[str, str, str]] = []
    for line in content.split(b"\n"):
        if line.startswith(b"BASE: "):
            base = _text(line[6:].strip()).removesuffix(_SUFFIX)
        elif line.startswith(b"PATCH: "):
            _take_patch(b"PATCH in the build log", line[7:], patches, note)
    return None if base is None else of(base, patches)


def _take_patch(what: bytes, text: bytes, patches: list[tuple[str, str, str]], note: Callable[[str], None]) -> None:
    words = [_text(word) for word in text.split()]
    if len(words) == 3:
        patches.append((words[0], words[1], words[2]))
    else:
        note(f"{what.decode()} is not `spec reference hash`; skipped")


def printable(kernel: KernelRecord, kernel_idx: int) -> str:
    """What people call the kernel: its base, marked with the row's number if patches beyond a snapshot are in."""
    if any(not _SNAPSHOT.fullmatch(reference) for _, reference, _ in kernel.patches):
        return f"{kernel.base} p{kernel_idx}"
    return kernel.base


def _digest(base: str, patches: Sequence[tuple[str, str, str]]) -> str:
    if base == UNKNOWN.base:
        return UNKNOWN.kernel_hash
    joined = ",".join([base, *(patch[2] for patch in patches)])
    return hashlib.md5(joined.encode("utf-8", "surrogateescape"), usedforsecurity=False).hexdigest()


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")
