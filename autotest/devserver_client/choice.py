"""Choice: in which order the dev servers are asked for a build, the same in every process."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable


def ranked(build: str, servers: Iterable[str]) -> list[str]:
    """The addresses, best first (rendezvous hashing).

    The same build meets the same server wherever it is asked for; a server that goes moves only its own builds, and a
    new one takes an even share from each.
    """
    return sorted(dict.fromkeys(servers), key=lambda server: (_score(build, server), server), reverse=True)


def _score(build: str, server: str) -> bytes:
    # hash() differs from process to process.
    return hashlib.sha256(f"{server}\0{build}".encode("utf-8", "surrogateescape")).digest()
