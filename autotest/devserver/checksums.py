"""Checksums: the sha256 that a bundle should have, from the SHA256SUMS file beside it."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable
from pathlib import Path

from autotest import errors

#: The file beside a bundle, as ``sha256sum`` writes it.
FILE = "SHA256SUMS"
_GNU = re.compile(r"\\?([0-9a-fA-F]{64}) [ *](.+)")
_BSD = re.compile(r"SHA256 \((.+)\) = ([0-9a-fA-F]{64})")
_HEX = re.compile(r"[0-9a-f]{64}")
# Large, for between two of them another thread may keep us waiting; larger ones fall out of the processor's cache.
_PIECE = 4 << 20


def listed(text: str, name: str) -> str:
    """The checksum of the file *name* in the text of a SHA256SUMS file. Raises ArchiveRefused for none, or for two."""
    found = set()
    for line in text.splitlines():
        gnu, bsd = _GNU.fullmatch(line.strip()), _BSD.fullmatch(line.strip())
        digest, path = (gnu[1], gnu[2]) if gnu else (bsd[2], bsd[1]) if bsd else ("", "")
        if path.removeprefix("./") == name:
            found.add(digest.lower())
    if len(found) != 1:
        raise errors.ArchiveRefused(
            f"{FILE} beside it lists {name} {'not at all' if not found else 'twice, otherwise'}"
        )
    return found.pop()


def checked_form(sha256: str) -> str:
    """*sha256* as it is compared. Raises ValidationError when it is none."""
    lower = sha256.strip().lower()
    if lower and not _HEX.fullmatch(lower):
        raise errors.ValidationError({"sha256": f"{sha256[:80]!r} is not 64 hexadecimal digits"})
    return lower


def of_file(path: Path, each: Callable[[int], None]) -> str:
    """The sha256 of a file; *each* is called with the size of each piece, and may raise."""
    digest = hashlib.sha256()
    buffer = memoryview(bytearray(_PIECE))
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        while size := os.readv(descriptor, [buffer]):
            digest.update(buffer[:size])
            each(size)
    finally:
        os.close(descriptor)
    return digest.hexdigest()
