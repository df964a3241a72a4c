"""One command on a simulated DUT: a local shell behind an SSH channel, with whatever fault is in its way."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import asyncssh

from autotest.sim import layout
from autotest.sim.faults import Fault

_CHUNK = 65536
_REFUSED = 126
_GONE = (asyncssh.Error, OSError, asyncio.IncompleteReadError)


class Machine(Protocol):
    """What a command needs of its DUT. *awake* is clear while the DUT hangs; *latency* is in seconds."""

    root: Path
    environment: dict[str, str]
    awake: asyncio.Event
    commands_met: int

    @property
    def latency(self) -> float: ...

    def has(self, kind: str) -> bool: ...

    def struck_by(self, command: str) -> Fault | None: ...

    async def wait_for(self, process: subprocess.Popen[bytes]) -> int: ...


async def serve(channel: asyncssh.SSHServerProcess[bytes], dut: Machine) -> None:
    """Run the command of *channel* on *dut* to its end. A client that goes away is not an error."""
    with contextlib.suppress(*_GONE):
        dut.commands_met += 1
        command = channel.command
        fault = dut.struck_by(command or "")
        await asyncio.sleep(dut.latency)
        await dut.awake.wait()
        if command is not None and layout.is_dangerous(command):
            layout.record_decoy(dut.root, command)
            channel.stderr.write(b"refused on a simulated DUT\n")
            channel.exit(_REFUSED)
        elif fault is not None and fault.kind in ("garbage", "flood"):
            await _babble(channel, fault)
        else:
            await _run(channel, dut, command, fault)


async def _babble(channel: asyncssh.SSHServerProcess[bytes], fault: Fault) -> None:
    """Write noise (garbage) or one endless line (flood) in place of the command's output."""
    left = fault.volume
    noise = random.Random(left).randbytes(4096) if fault.kind == "garbage" else b"flood" * 13000
    while left > 0:
        channel.stdout.write(noise[:left])
        left -= len(noise)
        await channel.stdout.drain()
    channel.exit(0)


async def _run(
    channel: asyncssh.SSHServerProcess[bytes], dut: Machine, command: str | None, drop: Fault | None
) -> None:
    try:
        process = _start(dut, command)
    except OSError as problem:
        channel.stderr.write(f"sh: {problem.strerror}\n".encode())
        channel.exit(_REFUSED)
        return
    ended = asyncio.create_task(dut.wait_for(process))
    feeding = asyncio.create_task(_feed(channel, process))
    cut = None
    limit = None
    if drop is not None:
        limit = drop.volume if drop.seconds is None else drop.bytes
        if drop.seconds is not None:
            cut = asyncio.get_running_loop().call_later(drop.seconds, _cut, channel)
    try:
        await asyncio.gather(
            _pump(process.stdout, channel.stdout, dut, limit, lambda: _cut(channel)),
            _pump(process.stderr, channel.stderr, dut, None, lambda: None),
        )
        status = await ended
        if limit is not None:
            _cut(channel)
        await dut.awake.wait()
        _say_end(channel, status)
    finally:
        feeding.cancel()
        if cut is not None:
            cut.cancel()


def _start(dut: Machine, command: str | None) -> subprocess.Popen[bytes]:
    # A session of its own, as sshd gives it; text=False and bufsize=0, so that the pipes are bare file descriptors.
    return subprocess.Popen(
        layout.argv(command, layout.disk_is_full(dut.root), dut.has("readonly")),
        cwd=dut.root,
        env=dut.environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        bufsize=0,
    )


async def end_of(process: subprocess.Popen[bytes]) -> int:
    """The return code of *process*, as soon as it has one."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[None] = loop.create_future()
    handle = os.pidfd_open(process.pid)
    try:
        loop.add_reader(handle, _settle, ended)
        await ended
    finally:
        loop.remove_reader(handle)
        os.close(handle)
    return process.wait()


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


async def _feed(channel: asyncssh.SSHServerProcess[bytes], process: subprocess.Popen[bytes]) -> None:
    """Carry the client's input and signals to *process*; the end of the input closes its stdin."""
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, process.stdin)
    writer = asyncio.StreamWriter(transport, protocol, None, loop)
    try:
        while True:
            try:
                chunk = await channel.stdin.read(_CHUNK)
            except asyncssh.SignalReceived as wanted:
                _send_signal(process, wanted.signal)
                continue
            if not chunk:
                break
            writer.write(chunk)
            await writer.drain()
    except _GONE:
        pass  # The process stopped reading, or the client left: both are everyday ends.
    finally:
        transport.close()


def _send_signal(process: subprocess.Popen[bytes], name: str) -> None:
    number = getattr(signal, f"SIG{name}", None)
    if number is not None and process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)


async def _pump(
    pipe: Any, writer: asyncssh.SSHWriter[bytes], dut: Machine, limit: int | None, at_limit: Callable[[], None]
) -> None:
    """Carry *pipe* to *writer* until its end; after *limit* bytes call *at_limit* and stop."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=_CHUNK)
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
    left = limit
    try:
        while chunk := await reader.read(_CHUNK):
            await dut.awake.wait()
            writer.write(chunk[:left])
            await writer.drain()
            if left is not None:
                left -= min(left, len(chunk))
                if not left:
                    at_limit()
                    return
    finally:
        transport.close()


def _cut(channel: asyncssh.SSHServerProcess[bytes]) -> None:
    """End the connection without a goodbye; what was written before still arrives."""
    connection = channel.get_extra_info("connection")
    with contextlib.suppress(OSError):
        connection.get_extra_info("socket").shutdown(1)
    asyncio.get_running_loop().call_later(0.1, connection.abort)


def _say_end(channel: asyncssh.SSHServerProcess[bytes], status: int) -> None:
    if status >= 0:
        channel.exit(status)
    else:
        channel.exit_with_signal(signal.Signals(-status).name.removeprefix("SIG"))
