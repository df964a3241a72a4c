"""ScriptedHttp: an HTTP server on loopback whose every answer the test writes, byte by byte if it likes."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple
from urllib.parse import parse_qsl, urlsplit

#: Keep the connection open and say nothing more until the server ends.
SILENCE = None


class Request(NamedTuple):
    """What was asked: the path without its '/', its query, and the headers by lower-case name."""

    path: str
    query: dict[str, str]
    headers: dict[str, str]


Answer = Iterable[bytes | None]


def answer(body: bytes | str | dict | list, status: int = 200, **headers: str) -> list[bytes | None]:
    """A whole, correct answer; dicts and lists become JSON."""
    if isinstance(body, (dict, list)):
        body = json.dumps(body)
    raw = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(raw)}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return ["\r\n".join([*lines, "", ""]).encode() + raw]


class ScriptedHttp:
    """Answers with what ``script`` makes of each request; ``requests`` are those that came."""

    def __init__(self, script: Callable[[Request], Answer]):
        self.script = script
        self.requests: list[Request] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._ended = threading.Event()
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"

    @contextlib.contextmanager
    def running(self) -> Iterator[ScriptedHttp]:
        """Serve for the block."""
        threads = [threading.Thread(target=self._accept, daemon=True)]
        threads[0].start()
        try:
            yield self
        finally:
            self._ended.set()
            with contextlib.suppress(OSError):
                self._listening.shutdown(socket.SHUT_RDWR)
            self._listening.close()
            threads[0].join(5)

    def _accept(self) -> None:
        while not self._ended.is_set():
            try:
                connection, _ = self._listening.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head:
                piece = connection.recv(65536)
                if not piece:
                    return
                head += piece
            lines = head.decode("latin-1").split("\r\n")
            parts = urlsplit(lines[0].split(" ")[1])
            headers = dict(line.split(": ", 1) for line in lines[1:] if ": " in line)
            request = Request(
                parts.path[1:],
                dict(parse_qsl(parts.query, keep_blank_values=True)),
                {name.lower(): value for name, value in headers.items()},
            )
            self.requests.append(request)
            for piece in self.script(request):
                if piece is SILENCE:
                    self._ended.wait()
                else:
                    connection.sendall(piece)


def drip(pause_s: float, begin: bytes = b"") -> Iterator[bytes]:
    """*begin*, and then a byte now and then, for ever."""
    yield begin
    waiting = threading.Event()
    while True:
        waiting.wait(pause_s)
        yield b"x"
