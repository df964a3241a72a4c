"""Files: what a staged build holds, over HTTP, with ETag, conditions and ranges; the build stays while it is sent."""

from __future__ import annotations

import base64
import os
import stat
from contextlib import ExitStack
from pathlib import Path

from starlette.responses import FileResponse, Response
from starlette.types import Receive, Scope, Send

from autotest import errors
from autotest.devserver.depot import Depot, Staged


def find(depot: Depot, path: str) -> tuple[str, str]:
    """The build and the file below it that a static path means. Raises NotFound."""
    parts = path.split("/")
    for depth in range(len(parts) - 1, 0, -1):
        build = "/".join(parts[:depth])
        try:
            if depot.staged(build) is not None:
                return build, "/".join(parts[depth:])
        except errors.ValidationError:
            continue
    raise errors.NotFound(f"no build that is staged here has the file {path[:300]!r}")


def inside(staged: Staged, path: str) -> Path:
    """A regular file of the build; links count as long as they stay inside. Raises NotFound."""
    try:
        real = (staged.tree / path).resolve(strict=True)
        if real.is_relative_to(staged.tree.resolve()) and stat.S_ISREG(real.stat().st_mode):
            return real
    except (OSError, ValueError, RuntimeError):
        pass
    raise errors.NotFound(f"{staged.record.build} has no file {path[:300]!r}")


class BuildFile(FileResponse):
    """One file; what *held* holds, its build among it, is held until the file is sent."""

    def __init__(self, path: Path, held: ExitStack, headers: dict[str, str] | None = None):
        facts = os.stat(path)
        etag = f'"{facts.st_ino:x}-{facts.st_mtime_ns:x}-{facts.st_size:x}"'
        super().__init__(
            path, stat_result=facts, headers={"etag": etag, **(headers or {})}, media_type="application/octet-stream"
        )
        self._held = held.pop_all()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, or say that the asker has it already."""
        try:
            wanted = dict(scope["headers"]).get(b"if-none-match", b"").decode("latin-1")
            if self.headers["etag"] in [tag.strip().removeprefix("W/") for tag in wanted.split(",")] or wanted == "*":
                await Response(status_code=304, headers={"etag": self.headers["etag"]})(scope, receive, send)
            else:
                await super().__call__(scope, receive, send)
        finally:
            # Also when the asker hangs up in the middle.
            self._held.close()


def digest_header(sha256: str) -> dict[str, str]:
    """The header that tells the sha256 of what is sent (RFC 9530)."""
    return {"repr-digest": f"sha-256=:{base64.b64encode(bytes.fromhex(sha256)).decode()}:"}


def listing(root: Path, but: Path | None = None) -> list[str]:
    """The paths of the files below *root*, without those below *but*."""
    found: list[str] = []

    def walk(place: str) -> None:
        for entry in sorted(os.scandir(place), key=lambda one: one.name):
            if entry.is_dir(follow_symlinks=False):
                if entry.path != str(but):
                    walk(entry.path)
            else:
                found.append(os.path.relpath(entry.path, root))

    walk(str(root))
    return found
