"""Kernels: what a machine booted, read from the fields of a status line (results-and-tko.md section 8)."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping

from autotest.results.records import KernelRecord

UNKNOWN = KernelRecord()

_SUFFIX = "-autotest"
_SNAPSHOT = re.compile(r".*-(mm|git)\d+\.(bz2|gz)")


def from_fields(fields: Mapping[bytes, bytes], note: Callable[[str], None]) -> KernelRecord:
    """The kernel that ``kernel`` and ``patch0..patchN`` name; a patch that is not three words is told and skipped."""
    base = fields.get(b"kernel", b"UNKNOWN").decode("utf-8", "surrogateescape")
    base = base.removesuffix(_SUFFIX)
    patches = []
    number = 0
    while (patch := fields.get(b"patch%d" % number)) is not None:
        words = tuple(word.decode("utf-8", "surrogateescape") for word in patch.split())
        if len(words) == 3:
            patches.append((words[0], words[1], words[2]))
        else:
            note(f"patch{number} is not `spec reference hash`; skipped")
        number += 1
    return KernelRecord(base, _digest(base, patches), tuple(patches))


def printable(kernel: KernelRecord, kernel_idx: int) -> str:
    """What people call the kernel: its base, marked with the row's number if patches beyond a snapshot are in."""
    if any(not _SNAPSHOT.fullmatch(reference) for _, reference, _ in kernel.patches):
        return f"{kernel.base} p{kernel_idx}"
    return kernel.base


def _digest(base: str, patches: list[tuple[str, str, str]]) -> str:
    if base == UNKNOWN.base:
        return UNKNOWN.kernel_hash
    joined = ",".join([base, *(patch[2] for patch in patches)])
    return hashlib.md5(joined.encode("utf-8", "surrogateescape"), usedforsecurity=False).hexdigest()
