"""Wire: the socket below one SSH connection, and the watchdog that closes it when somebody takes too long."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator

import paramiko

PING_EVERY_S = 15.0
_BANNER_LIMIT = 64 * 1024


class Wire:
    """A socket, or a channel through a bastion, that gives up on a peer which talks on and on without saying SSH."""

    def __init__(self, sock: socket.socket | paramiko.Channel):
        self._sock = sock
        self._unread = _BANNER_LIMIT
        self._greeted = False
        self._tail = b""

    def recv(self, size: int) -> bytes:
        """What came, at most *size* bytes. Raises OSError once too much came without a greeting."""
        data: bytes = self._sock.recv(size)
        if not self._greeted:
            seen = self._tail + data
            self._greeted = b"SSH-" in seen
            self._tail = seen[-3:]
            self._unread -= len(data)
            if not self._greeted and self._unread < 0:
                raise OSError(f"{_BANNER_LIMIT} bytes without an SSH greeting")
        return data

    def close(self) -> None:
        """End it, also for whoever reads from it."""
        # A channel says goodbye over its bastion, which may be gone.
        for end in (lambda: self._sock.shutdown(socket.SHUT_RDWR), self._sock.close):
            with contextlib.suppress(OSError, EOFError, paramiko.SSHException):
                end()

    def __getattr__(self, name: str) -> object:
        return getattr(self._sock, name)


def dial(address: str, port: int, limit_s: float) -> socket.socket:
    """A connection that notices when its peer vanished. Raises OSError."""
    sock = socket.create_connection((address, port), timeout=limit_s)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # With paramiko's keep-alive this finds a peer that vanished without a word.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(3 * PING_EVERY_S * 1000))
    return sock


@contextlib.contextmanager
def closing_after(limit_s: float, what: paramiko.Transport | Wire) -> Iterator[threading.Event]:
    """Close *what* if the block outruns *limit_s*; the event then says so."""
    late = threading.Event()

    def close() -> None:
        late.set()
        what.close()

    timer = threading.Timer(limit_s, close)
    timer.daemon = True
    timer.start()
    try:
        yield late
    finally:
        timer.cancel()
