"""SSHHost: a DUT over paramiko, with wall-clock limits and output limits that hold whatever the DUT does."""

from __future__ import annotations

import contextlib
import logging
import os
import select
import time
from collections.abc import Callable, Iterator
from typing import BinaryIO

import paramiko

from autotest import errors
from autotest.host_info import HostInfo
from autotest.server import fence as fences
from autotest.server import interruption
from autotest.server.hosts import login, remote, wire

CONNECT_LIMIT_S = 30.0
# A DUT under load may take its time.
_PING_LIMIT_S = 60.0
_CHUNK = 64 * 1024
_KILL_LIMIT_S = 5.0
_HASTY_KILL_LIMIT_S = 0.4

logger = logging.getLogger(__name__)


class SSHHost(remote.RemoteHost):
    """One DUT behind one SSH connection, made when first needed and again after it broke.

    Not thread-safe. A process that was forked makes a connection of its own.
    """

    def __init__(
        self, info: HostInfo, fence: fences.Fence | None = None, record: remote.Recorder = remote.record_nothing
    ):
        super().__init__(info, fence, record)
        self._made: login.Login | None = None
        self._maker = os.getpid()
        logging.getLogger("paramiko").setLevel(logging.CRITICAL)

    @property
    def _login(self) -> login.Login | None:
        """The connection that this process made; nobody here reads from one that its parent made."""
        return self._made if self._maker == os.getpid() else None

    def close(self) -> None:
        """Drop the connection; the next command makes a new one."""
        if self._login is not None:
            self._login.close()
            self._made = None

    def execute(
        self,
        command: str,
        *,
        timeout_s: float,
        stdin: bytes | BinaryIO | None = None,
        keep: int = remote.KEEP_BYTES,
        on_stdout: Callable[[bytes], None] | None = None,
        connect_s: float = CONNECT_LIMIT_S,
        shown_as: str = "",
    ) -> remote.RawResult:
        """See :meth:`remote.RemoteHost.execute`."""
        deadline = time.monotonic() + timeout_s
        shown = remote.shorten(shown_as or command)
        transport = self._transport(min(connect_s, timeout_s))
        channel = self._start(transport, command, shown, deadline)
        run = _Run(self.hostname, self.answers, channel, shown, timeout_s, deadline, keep, on_stdout)
        try:
            return run.drive(stdin)
        except (EOFError, OSError, paramiko.SSHException) as problem:
            raise self._lost(shown, problem) from problem
        except errors.HostError:
            self._stop(run.group, transport, _KILL_LIMIT_S)
            raise
        except interruption.Interrupted:
            self._stop(run.group, transport, _HASTY_KILL_LIMIT_S)
            raise
        finally:
            channel.close()

    def answers(self, limit_s: float) -> bool:
        """Whether the DUT still runs a command on the connection that we have."""
        if self._login is None:
            return False
        transport = self._login.transport
        if transport is None or not transport.is_active():
            return False
        with wire.closing_after(limit_s, transport):
            try:
                with contextlib.closing(transport.open_session(timeout=limit_s)) as channel:
                    channel.exec_command("true")
                    return bool(channel.status_event.wait(limit_s)) and channel.exit_status >= 0
            except (EOFError, OSError, paramiko.SSHException):
                return False

    def _start(self, transport: paramiko.Transport, command: str, shown: str, deadline: float) -> paramiko.Channel:
        limit = max(0.1, min(CONNECT_LIMIT_S, deadline - time.monotonic()))
        # Paramiko waits without limit for the answer to an exec request, hence the watchdog.
        with wire.closing_after(limit, transport) as late:
            try:
                channel = transport.open_session(timeout=limit)
                channel.exec_command(command)
                return channel
            except (EOFError, OSError, paramiko.SSHException) as problem:
                self.close()
                if late.is_set():
                    raise errors.CommandTimeout(
                        self.hostname,
                        f"{self.hostname} did not start {shown} within {limit:.0f} s; the connection was closed",
                    ) from problem
                raise self._lost(shown, problem) from problem

    def _stop(self, group: int | None, transport: paramiko.Transport, limit_s: float) -> None:
        """Kill what a command left behind: without a terminal it outlives its channel."""
        if group is None or not transport.is_active():
            return
        with wire.closing_after(limit_s, transport):
            try:
                channel = transport.open_session(timeout=limit_s)
                channel.exec_command(self.fence.killing(group))
                channel.status_event.wait(limit_s)
                channel.close()
            except (EOFError, OSError, paramiko.SSHException) as problem:
                logger.warning("%s: process group %d could not be killed: %s", self.hostname, group, problem)

    def _lost(self, shown: str, problem: BaseException) -> errors.HostUnreachable:
        self.close()
        detail = str(problem) or type(problem).__name__
        return errors.HostUnreachable(self.hostname, f"{self.hostname} dropped the connection during {shown}: {detail}")

    def _transport(self, limit_s: float) -> paramiko.Transport:
        if self._login is not None:
            transport = self._login.transport
            if transport is not None and transport.is_active():
                return transport
            self.close()
        self._made, self._maker = login.log_in(self.info, limit_s), os.getpid()
        transport = self._made.transport
        if transport is None:
            raise self._lost("the login", EOFError("closed at once"))
        return transport


class _Run:
    """One command on one channel: drains stdout and stderr in the calling thread until the end or a limit."""

    def __init__(
        self,
        hostname: str,
        answers: Callable[[float], bool],
        channel: paramiko.Channel,
        shown: str,
        timeout_s: float,
        deadline: float,
        keep: int,
        on_stdout: Callable[[bytes], None] | None,
    ):
        self._hostname = hostname
        self._answers = answers
        self._channel = channel
        self._shown = shown
        self._timeout_s = timeout_s
        self._deadline = deadline
        self._keep = keep
        self._on_stdout = on_stdout
        self._stdout = bytearray()
        self._stderr = bytearray()
        self._heard = time.monotonic()

    @property
    def group(self) -> int | None:
        """The process group on the DUT, once it has announced itself."""
        return fences.take_group(bytes(self._stderr[:4096]))[0]

    def drive(self, stdin: bytes | BinaryIO | None) -> remote.RawResult:
        started = time.monotonic()
        feed = _chunks(stdin)
        pending = next(feed, None)
        if pending is None:
            self._channel.shutdown_write()
        poll = select.poll()
        poll.register(self._channel.fileno(), select.POLLIN)
        while True:
            drained = self._drain()
            self._check_clock()
            if pending is not None:
                pending = self._feed(pending, feed)
            elif self._channel.eof_received or self._channel.closed:
                if not drained and self._wait_for_status():
                    break
            elif not drained:
                poll.poll(1000 * self._patience())
                self._check_alive()
        if self._channel.exit_status < 0:
            raise EOFError("it ended without an exit status")
        group, stderr = fences.take_group(bytes(self._stderr))
        logger.debug("%s: group %s ended with %d", self._hostname, group, self._channel.exit_status)
        return remote.RawResult(self._channel.exit_status, bytes(self._stdout), stderr, time.monotonic() - started)

    def _drain(self) -> bool:
        found = False
        if self._channel.recv_ready():
            data = self._channel.recv(_CHUNK)
            found = bool(data)
            if self._on_stdout is not None:
                self._on_stdout(data)
            else:
                self._stdout += data
        if self._channel.recv_stderr_ready():
            data = self._channel.recv_stderr(_CHUNK)
            found = found or bool(data)
            self._stderr += data
        if found:
            self._heard = time.monotonic()
        for name, kept in (("stdout", self._stdout), ("stderr", self._stderr)):
            if len(kept) > self._keep:
                raise errors.OutputFlood(
                    self._hostname,
                    f"{self._hostname} wrote more than {self._keep} bytes to {name} in "
                    f"{self._shown}; the command was killed",
                )
        return found

    def _feed(self, pending: bytes, feed: Iterator[bytes]) -> bytes | None:
        # A short limit, because a DUT that writes before it reads must be drained meanwhile.
        self._channel.settimeout(0.1)
        try:
            sent = self._channel.send(pending)
        except TimeoutError:
            return pending
        except OSError:
            # It ended without reading everything; its exit status says whether that was right.
            return None
        if sent < len(pending):
            return pending[sent:]
        following = next(feed, None)
        if following is None:
            with contextlib.suppress(OSError):
                self._channel.shutdown_write()
        return following

    def _wait_for_status(self) -> bool:
        ended = self._channel.status_event.wait(self._patience())
        self._check_alive()
        return ended and not self._channel.recv_ready() and not self._channel.recv_stderr_ready()

    def _patience(self) -> float:
        return max(0.0, min(wire.PING_EVERY_S, self._deadline - time.monotonic()))

    def _check_clock(self) -> None:
        if time.monotonic() >= self._deadline:
            raise errors.CommandTimeout(
                self._hostname,
                f"{self._hostname} did not finish within {self._timeout_s:g} s: {self._shown}; the command was killed",
            )

    def _check_alive(self) -> None:
        """A silent DUT is asked whether it is still there."""
        now = time.monotonic()
        if now - self._heard < wire.PING_EVERY_S or now >= self._deadline:
            return
        if not self._answers(min(_PING_LIMIT_S, self._deadline - now)):
            raise EOFError(f"silent for {now - self._heard:.0f} s, and then no answer")
        self._heard = now


def _chunks(source: bytes | BinaryIO | None) -> Iterator[bytes]:
    if source is None:
        return
    if isinstance(source, bytes):
        for start in range(0, len(source), _CHUNK):
            yield source[start : start + _CHUNK]
        return
    while chunk := source.read(_CHUNK):
        yield chunk
