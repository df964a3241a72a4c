"""``.GS_OFFLOADER_INSTRUCTIONS``: what carries results to an archive is told what may stay (results-and-tko.md 1.2)."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

from autotest.results.parsing.records import JobResult
from autotest.states import Outcome

NAME = ".GS_OFFLOADER_INSTRUCTIONS"

#: The job keyval of a job whose results are only worth keeping if one is bad, and what it then says.
KEYVAL = "offload_failures_only"
ASKED = "True"

_STAYS = "no_offload"
_LARGEST = 1 << 20


def stays(result: JobResult) -> bool:
    """Whether nobody needs to carry the folder away: the job asked for failures only, and every test passed."""
    asked = str(result.job.keyvals.get(KEYVAL)) == ASKED
    return asked and all(test.status is Outcome.GOOD for test in result.tests)


def render(instructions: dict[str, object]) -> bytes:
    """The file: one JSON object."""
    return json.dumps(instructions, sort_keys=True).encode("ascii")


def parse(content: bytes) -> dict[str, object]:
    """The inverse of :func:`render`; no instructions for what is no JSON object. Never raises."""
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def write(folder: Path, result: JobResult) -> bool:
    """Let the file in *folder* say whether it stays; other instructions are kept. Symlinks are not followed.

    Returns False where it cannot be written, which is no reason to lose the results.
    """
    path = folder / NAME
    before = _read(path)
    after = {key: value for key, value in before.items() if key != _STAYS}
    if stays(result):
        after[_STAYS] = True
    if after == before:
        return True
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        with os.fdopen(os.open(path, flags, 0o644), "wb") as file:
            file.write(render(after))
    except OSError:
        return False
    return True


def _read(path: Path) -> dict[str, object]:
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            return parse(file.read(_LARGEST)) if stat.S_ISREG(os.fstat(file.fileno()).st_mode) else {}
    except OSError:
        return {}
