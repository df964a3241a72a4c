"""The switchboard: how another process asks a running fleet for something, over a Unix socket in the fleet's folder.

One JSON object a line each way: ``{"do": "power", "host": "dut1", "state": "off"}`` is answered by
``{"ok": true, "answer": ...}`` or ``{"ok": false, "error": "..."}``. Imports only what is light, because a power
command goes through here.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from autotest import errors

_NAME = "fleet.sock"
_LONGEST = 1 << 16


@contextlib.contextmanager
def _short(folder: Path) -> Iterator[str]:
    # The address of a Unix socket holds 107 bytes, and a folder's name may be longer.
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{handle}/{_NAME}"
    finally:
        os.close(handle)


def listen(folder: Path) -> socket.socket:
    """A listening socket for the fleet of *folder*."""
    (folder / _NAME).unlink(missing_ok=True)
    board = socket.socket(socket.AF_UNIX)
    with _short(folder) as address:
        board.bind(address)
    (folder / _NAME).chmod(0o600)
    board.listen(16)
    board.setblocking(False)
    return board


def ask(folder: Path, do: str, timeout: float = 30.0, **what: Any) -> Any:
    """Ask the fleet that runs in *folder*; returns its answer. Raises FleetError when it refuses or there is none."""
    try:
        with socket.socket(socket.AF_UNIX) as wire, _short(folder) as address:
            wire.settimeout(timeout)
            wire.connect(address)
            wire.sendall(json.dumps({"do": do, **what}).encode() + b"\n")
            with wire.makefile("rb") as answers:
                reply = json.loads(answers.readline())
    except (OSError, ValueError) as problem:
        raise errors.FleetError(f"no fleet answers in {folder} ({problem}); start one: autotest sim up") from problem
    if not reply["ok"]:
        raise errors.FleetError(reply["error"])
    return reply["answer"]


def read_request(line: bytes) -> dict[str, Any]:
    """The request in *line*. Raises FleetError when it is none."""
    try:
        request = json.loads(line)
    except ValueError:
        request = None
    if len(line) > _LONGEST or not isinstance(request, dict) or not isinstance(request.get("do"), str):
        raise errors.FleetError("not a request: it takes one JSON object a line, with a key 'do'")
    return request
