"""Proxy: stands between the workers and the broker, and delivers messages twice or not at all.

It understands the broker's protocol (RESP) as far as needed to find where a command and its reply end. What it does to
the LPUSH of a message it makes up for in the replies, so that a client's pipeline stays in step.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import dataclasses
import random
import threading
from collections.abc import Iterator

_PIECE = 65536


@dataclasses.dataclass(frozen=True)
class Disturbance:
    """What happens to messages: each is delivered *copies* times, and swallowed with the probability *loss*."""

    copies: int = 1
    loss: float = 0.0
    seed: int = 1


class Proxy:
    """A proxy for the broker at *port*; :attr:`met` counts what it did."""

    def __init__(self, port: int, disturbance: Disturbance):
        self.met: collections.Counter[str] = collections.Counter()
        self.url = ""
        self._port = port
        self._disturbance = disturbance
        self._random = random.Random(disturbance.seed)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)

    @contextlib.contextmanager
    def running(self) -> Iterator[Proxy]:
        """It serves while the block runs."""
        self._thread.start()
        try:
            self.url = asyncio.run_coroutine_threadsafe(self._open(), self._loop).result(5)
            yield self
        finally:
            asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(5)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    async def _open(self) -> str:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0"

    async def _close(self) -> None:
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            from_broker, to_broker = await asyncio.open_connection("127.0.0.1", self._port)
            #: For each reply to come: whether the client gets it; bytes are a reply that the broker never gives.
            owed: collections.deque[bool | bytes] = collections.deque()
            ways = [
                asyncio.create_task(self._carry_commands(reader, to_broker, writer, owed)),
                asyncio.create_task(self._carry_replies(from_broker, writer, owed)),
            ]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
                to_broker.close()
        writer.close()

    async def _carry_commands(
        self,
        reader: asyncio.StreamReader,
        to_broker: asyncio.StreamWriter,
        to_client: asyncio.StreamWriter,
        owed: collections.deque[bool | bytes],
    ) -> None:
        is_transaction = False
        while True:
            command = await _read_value(reader)
            words = _words(command)
            is_transaction = (is_transaction or words[0] == b"MULTI") and words[0] not in (b"EXEC", b"DISCARD")
            if words[0] in (b"SUBSCRIBE", b"PSUBSCRIBE"):
                # From here on the broker speaks unasked.
                owed.append(True)
                to_broker.write(command)
                await _pour(reader, to_broker)
                return
            copies = self._copies() if _is_message(words) and not is_transaction else 1
            if copies == 0:
                self._owe(owed, b":1\r\n", to_client)
            for number in range(copies):
                owed.append(number == 0)
                to_broker.write(command)
            await to_broker.drain()

    def _copies(self) -> int:
        self.met["messages"] += 1
        if self._random.random() < self._disturbance.loss:
            self.met["swallowed"] += 1
            return 0
        self.met["copied"] += self._disturbance.copies - 1
        return self._disturbance.copies

    async def _carry_replies(
        self, from_broker: asyncio.StreamReader, to_client: asyncio.StreamWriter, owed: collections.deque[bool | bytes]
    ) -> None:
        while True:
            reply = await _read_value(from_broker)
            wanted = owed.popleft() if owed and not reply.startswith(b">") else True
            if wanted:
                to_client.write(reply)
            self._pay(owed, to_client)
            await to_client.drain()

    def _owe(self, owed: collections.deque[bool | bytes], reply: bytes, to_client: asyncio.StreamWriter) -> None:
        owed.append(reply)
        self._pay(owed, to_client)

    def _pay(self, owed: collections.deque[bool | bytes], to_client: asyncio.StreamWriter) -> None:
        """Give the replies of our own that are next in turn."""
        while owed and isinstance(owed[0], bytes):
            reply = owed.popleft()
            assert isinstance(reply, bytes)
            to_client.write(reply)


def _is_message(words: list[bytes]) -> bool:
    """A message into a queue. Celery's own broadcast travels by PUBLISH and is left alone."""
    return words[0] == b"LPUSH" and words[1].startswith((b"label.", b"lab.", b"results.", b"suites", b"upkeep"))


async def _read_value(reader: asyncio.StreamReader) -> bytes:
    """The next whole value of the protocol, as it was written. Raises IncompleteReadError at the end."""
    line = await reader.readuntil(b"\r\n")
    kind, size = line[:1], line[1:-2]
    if kind in b"$=!" and size != b"-1":
        return line + await reader.readexactly(int(size) + 2)
    if kind in b"*~>%|" and size != b"-1":
        count = int(size) * (2 if kind in b"%|" else 1) + (kind == b"|")
        return line + b"".join([await _read_value(reader) for _ in range(count)])
    return line


def _words(command: bytes) -> list[bytes]:
    """The words of a command (an array of strings); the first in capitals."""
    words, rest = [], command.partition(b"\r\n")[2]
    while rest:
        size, _, rest = rest.partition(b"\r\n")
        words.append(rest[: int(size[1:])])
        rest = rest[int(size[1:]) + 2 :]
    return [words[0].upper(), *words[1:]]


async def _pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while piece := await reader.read(_PIECE):
        writer.write(piece)
        await writer.drain()
