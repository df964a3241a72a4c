"""Bounded HTTP: one GET or POST that ends by its deadline and stays below its size, whatever the server does."""

from __future__ import annotations

import contextlib
import http.client
import io
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from autotest import errors

_PIECE = 256 << 10
#: Of a body that only explains a failure, so much is kept.
_LONGEST_FACT = 2000


class Answer(NamedTuple):
    """What came back: headers by lower-case name; of several with one name the last."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Stream:
    """An answer that is read piece by piece."""

    def __init__(self, response: http.client.HTTPResponse):
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self._response = response

    def pieces(self) -> Iterator[bytes]:
        """The body. Raises HttpFailed when it is not as long as the server said, or comes too late."""
        try:
            while piece := self._response.read(_PIECE):
                yield piece
        except http.client.IncompleteRead as problem:
            raise _half(len(problem.partial), problem.expected) from problem
        except (OSError, http.client.HTTPException, ValueError) as problem:
            raise errors.HttpFailed(f"stopped in the middle of its answer: {_fact(problem)}") from problem
        # With a size, http.client takes an early end for the end.
        missing = self._response.length
        if missing:
            raise _half(None, missing)


def get(url: str, seconds: float, limit_bytes: int, headers: Mapping[str, str] | None = None) -> Answer:
    """The answer to GET *url*, whatever its status. Raises HttpFailed with the fact when there is none in *seconds*,
    when it is cut off, or longer than *limit_bytes*.
    """
    return _answer(opened(url, seconds, headers=headers), limit_bytes)


def post(url: str, body: bytes, seconds: float, limit_bytes: int, headers: Mapping[str, str] | None = None) -> Answer:
    """The answer to POST *body* to *url*; otherwise like :func:`get`."""
    return _answer(opened(url, seconds, headers=headers, body=body), limit_bytes)


def _answer(answering: contextlib.AbstractContextManager[Stream], limit_bytes: int) -> Answer:
    with answering as stream:
        body = bytearray()
        for piece in stream.pieces():
            body += piece
            if len(body) > limit_bytes:
                raise errors.HttpFailed(f"answered more than {limit_bytes:,} bytes", stream.status)
        return Answer(stream.status, stream.headers, bytes(body))


@contextlib.contextmanager
def opened(
    url: str,
    seconds: float,
    idle_s: float = 60.0,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
) -> Iterator[Stream]:
    """GET *url*, or POST *body* to it; the block reads the answer.

    All of it ends within *seconds*, and no wait is longer than *idle_s*. Redirections are not followed.
    Raises HttpFailed with the fact.
    """
    deadline = time.monotonic() + seconds
    connection, wire = _connect(url, deadline, idle_s)
    with contextlib.closing(wire):
        parts = urlsplit(url)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        try:
            method = "GET" if body is None else "POST"
            connection.request(method, target, body, {"Accept-Encoding": "identity", **(headers or {})})
            response = connection.getresponse()
        except http.client.RemoteDisconnected as problem:
            raise errors.HttpFailed("hung up without an answer") from problem
        except (OSError, http.client.HTTPException, ValueError) as problem:
            raise errors.HttpFailed(f"gave no HTTP answer: {_fact(problem)}") from problem
        with response:
            yield Stream(response)


def explained(body: bytes) -> str:
    """What the body of a failure says, on one line, without markup."""
    text = body[:_LONGEST_FACT].decode("utf-8", "replace")
    if "<" in text:
        pieces = (piece.rpartition(">")[2] for piece in text.split("<"))
        text = " ".join(pieces)
    words = "".join(letter if letter.isprintable() else " " for letter in text).split()
    return " ".join(words)[:400]


def _connect(url: str, deadline: float, idle_s: float) -> tuple[http.client.HTTPConnection, socket.socket]:
    try:
        parts = urlsplit(url)
        host, port, secure = parts.hostname or "", parts.port, parts.scheme == "https"
    except ValueError as problem:
        raise errors.HttpFailed(f"is no HTTP address: {problem}") from problem
    if parts.scheme not in ("http", "https") or not host:
        raise errors.HttpFailed("is no HTTP address")
    timed = _Timed(deadline, idle_s)
    try:
        wire = socket.create_connection((host, port or (443 if secure else 80)), timed.left())
        if secure:
            wire.settimeout(timed.left())
            wire = ssl.create_default_context().wrap_socket(wire, server_hostname=host)
    except OSError as problem:
        raise errors.HttpFailed(f"cannot be reached: {_fact(problem)}") from problem
    connection = http.client.HTTPConnection(host, port)
    timed.socket = wire
    connection.sock = timed  # type: ignore[assignment]
    return connection, wire


class _Timed:
    """A socket each of whose waits ends at the deadline: one that drips a byte a second gains nothing by it."""

    socket: socket.socket

    def __init__(self, deadline: float, idle_s: float):
        self._deadline = deadline
        self._idle_s = idle_s

    def left(self) -> float:
        """How long the next wait may be. Raises TimeoutError when there is no time left."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return min(left, self._idle_s)

    def sendall(self, data: bytes) -> None:
        self.socket.settimeout(self.left())
        self.socket.sendall(data)

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(_Reader(self), _PIECE)

    def close(self) -> None:
        """http.client closes before the answer is read; the end of ``opened`` closes in earnest."""


class _Reader(io.RawIOBase):
    """The receiving half of a timed socket."""

    def __init__(self, timed: _Timed):
        self._timed = timed

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._timed.socket.settimeout(self._timed.left())
        return self._timed.socket.recv_into(buffer)


def _half(got: int | None, missing: int | None) -> errors.HttpFailed:
    of = "" if got is None else f"{got:,} bytes, and "
    return errors.HttpFailed(f"answered only a part: {of}{missing or 0:,} bytes are missing")


def _fact(problem: Exception) -> str:
    if isinstance(problem, TimeoutError):
        return "nothing came in time"
    if isinstance(problem, OSError) and problem.strerror:
        return problem.strerror
    return str(problem) or type(problem).__name__
