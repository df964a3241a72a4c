"""RemoteHost: what can be done to a DUT, whatever the wire; commands are fenced and every limit is explicit."""

from __future__ import annotations

import abc
import contextlib
import logging
import shlex
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol

from autotest import errors
from autotest.client import encoding
from autotest.host_info import HostInfo
from autotest.server import fence as fences

KEEP_BYTES = 16 * 1024 * 1024
COMMAND_LIMIT_S = 3600.0
DOWN_LIMIT_S = 840.0
BOOT_LIMIT_S = 1800.0
_POLL_S = 0.5
_SHORT_S = 20.0

logger = logging.getLogger(__name__)


class RawResult(NamedTuple):
    """How one command ended, in bytes."""

    exit_status: int
    stdout: bytes
    stderr: bytes
    duration_s: float


class CommandResult(NamedTuple):
    """How one command ended. Text is UTF-8 with undecodable bytes kept as surrogates."""

    command: str
    exit_status: int
    stdout: str
    stderr: str
    duration_s: float


class Recorder(Protocol):
    """Writes one entry into the status log of the job that uses the host."""

    def __call__(
        self, code: str, subdir: str, operation: str, message: str = "", fields: dict[str, str] | None = None
    ) -> None: ...


def record_nothing(
    code: str, subdir: str, operation: str, message: str = "", fields: dict[str, str] | None = None
) -> None:
    """The Recorder of a host that no job uses."""


class RemoteHost(abc.ABC):
    """One DUT. A subclass knows the wire: :meth:`execute` and :meth:`close`."""

    def __init__(self, info: HostInfo, fence: fences.Fence | None = None, record: Recorder = record_nothing):
        self.info = info
        self.hostname = info.hostname
        self.fence = fence or fences.Fence.of(info, 0)
        self.record = record

    @abc.abstractmethod
    def execute(
        self,
        command: str,
        *,
        timeout_s: float,
        stdin: bytes | BinaryIO | None = None,
        keep: int = KEEP_BYTES,
        on_stdout: Callable[[bytes], None] | None = None,
        connect_s: float = 30.0,
        shown_as: str = "",
    ) -> RawResult:
        """Give *command* to the DUT's login shell, unfenced.

        *timeout_s* is wall-clock and covers the connection. More than *keep* bytes on a stream end the command; with
        *on_stdout* each piece of stdout goes there and is not kept. Messages name the command *shown_as*. Raises
        HostUnreachable, HostKeyRejected, CommandTimeout, OutputFlood.
        """

    @abc.abstractmethod
    def close(self) -> None:
        """Drop the connection, if there is one."""

    @property
    def client_dir(self) -> str:
        """Where the client lives on the DUT."""
        return self.info.get("client_dir", "/usr/local/autotest")

    @property
    def python(self) -> str:
        """The DUT's Python."""
        return self.info.get("python", "python3")

    def limit(self, attribute: str, default_s: float) -> float:
        """A limit (seconds, megabytes) from the attributes of the host. Raises ConfigError when it is no number."""
        text = self.info.get(attribute)
        try:
            return float(text) if text else default_s
        except ValueError:
            raise errors.ConfigError(f"{self.hostname}: {attribute} {text!r} is not a number") from None

    # Commands

    def take(self) -> None:
        """Raise the fence: the first command of every step. Raises StaleLease when a newer lease holds the DUT."""
        result = self.execute(self.fence.raising(), timeout_s=60, shown_as="the raising of the fence")
        stderr = encoding.to_text(result.stderr)
        self.fence.check(result.exit_status, stderr)
        if self.fence.is_unwritable(stderr):
            logger.warning("%s cannot write %s/lease; strays will not be refused", self.hostname, self.client_dir)

    def run(
        self,
        command: str,
        timeout_s: float = COMMAND_LIMIT_S,
        ignore_status: bool = False,
        stdin: bytes | BinaryIO | None = None,
        keep: int = KEEP_BYTES,
        on_stdout: Callable[[bytes], None] | None = None,
    ) -> CommandResult:
        """Run *command* under the fence and wait for its end.

        Raises CommandFailed for a status other than 0 (unless *ignore_status*), StaleLease, and what execute raises.
        """
        logger.debug("%s: run %s", self.hostname, shorten(command))
        raw = self.execute(
            self.fence.wrap(command),
            timeout_s=timeout_s,
            stdin=stdin,
            keep=keep,
            on_stdout=on_stdout,
            shown_as=command,
        )
        result = CommandResult(
            command, raw.exit_status, encoding.to_text(raw.stdout), encoding.to_text(raw.stderr), raw.duration_s
        )
        self.fence.check(result.exit_status, result.stderr)
        if result.exit_status and not ignore_status:
            words = (result.stderr.strip() or result.stdout.strip())[-500:]
            raise errors.CommandFailed(
                self.hostname, f"{self.hostname}: {shorten(command)} ended with {result.exit_status}: {words}"
            )
        return result

    def run_output(self, command: str, timeout_s: float = COMMAND_LIMIT_S) -> str:
        """The output of *command* without the white space at its end."""
        return self.run(command, timeout_s=timeout_s).stdout.rstrip()

    # Up and down

    def is_up(self, timeout_s: float = 10.0) -> bool:
        """Whether the DUT runs a command within *timeout_s*."""
        try:
            return self.execute("true", timeout_s=timeout_s, connect_s=timeout_s).exit_status == 0
        except errors.HostError as problem:
            logger.debug("%s", problem)
            return False

    def boot_id(self, timeout_s: float = 10.0) -> str | None:
        """What tells one boot of the DUT from another; None when it does not say."""
        command = f"cat {shlex.quote(self.info.get('boot_id_file', '/proc/sys/kernel/random/boot_id'))}"
        try:
            result = self.execute(command, timeout_s=timeout_s, connect_s=timeout_s, keep=4096)
        except errors.HostError as problem:
            logger.debug("%s", problem)
            return None
        return encoding.to_text(result.stdout).strip() or None if result.exit_status == 0 else None

    def kernel(self) -> str:
        """The running kernel, '' when the DUT does not say."""
        try:
            return self.run_output("uname -r", timeout_s=_SHORT_S).replace("\t", " ").replace("\n", " ")
        except errors.HostError as problem:
            logger.debug("%s", problem)
            return ""

    def wait_up(self, timeout_s: float) -> bool:
        """Whether the DUT runs a command at some moment of the next *timeout_s*."""
        return self._wait(lambda left: self.is_up(min(10.0, left)), timeout_s)

    def wait_boot(self, old_boot_id: str | None, timeout_s: float) -> str | None:
        """The boot id of the DUT once it is up and has another one than *old_boot_id*; None when that never came."""
        found: list[str] = []

        def look(left: float) -> bool:
            now = self.boot_id(min(10.0, left))
            if now is None:
                self.close()
            elif now != old_boot_id:
                found.append(now)
            return bool(found)

        return found[0] if self._wait(look, timeout_s) else None

    def wait_down(self, old_boot_id: str | None, timeout_s: float) -> bool:
        """Whether, within *timeout_s*, the DUT stopped answering or shows another boot id."""

        def look(left: float) -> bool:
            now = self.boot_id(min(10.0, left))
            return now is None or now != old_boot_id

        return self._wait(look, timeout_s)

    def reboot(self) -> None:
        """Reboot and wait until the DUT is back, with the status lines of vectors S1 and S2. Raises RebootFailed."""
        self.record("START", "", "reboot")
        try:
            self._reboot()
        except errors.HostError as problem:
            trace = traceback.format_exc()
            self.record("END FAIL", "", "reboot", f"{problem}\n{trace}")
            raise
        self.record("END GOOD", "", "reboot", fields=_kernel_field(self.kernel()))

    def _reboot(self) -> None:
        old = self.boot_id()
        later = shlex.quote(f"sleep 1; {self.info.get('reboot_command', 'reboot')}")
        try:
            self.run(f"sync; nohup sh -c {later} >/dev/null 2>&1 </dev/null &", timeout_s=60)
        except errors.HostError as problem:
            self.record("ABORT", "", "reboot.start", "reboot command failed")
            raise errors.RebootFailed(self.hostname, f"{self.hostname}: reboot command failed: {problem}") from problem
        self.record("GOOD", "", "reboot.start")
        self.wait_for_restart(old)

    def wait_for_restart(self, old_boot_id: str | None) -> str:
        """The new boot id, once the DUT went down and came back; records reboot.verify. Raises RebootFailed."""
        if not self.wait_down(old_boot_id, self.limit("down_limit", DOWN_LIMIT_S)):
            self.record("ABORT", "", "reboot.verify", "shut down failed")
            raise errors.RebootFailed(self.hostname, "Host did not shut down")
        self.close()
        boot_id = self.wait_boot(old_boot_id, self.limit("boot_limit", BOOT_LIMIT_S))
        if boot_id is None:
            self.record("ABORT", "", "reboot.verify", "Host did not return from reboot")
            raise errors.RebootFailed(self.hostname, "Host did not return from reboot")
        self.take()
        self.record("GOOD", "", "reboot.verify")
        return boot_id

    def _wait(self, look: Callable[[float], bool], timeout_s: float) -> bool:
        deadline = time.monotonic() + timeout_s
        while (left := deadline - time.monotonic()) > 0:
            if look(left):
                return True
            time.sleep(min(_POLL_S, max(0.0, deadline - time.monotonic())))
        return False

    # Files: through plain commands, because a DUT may lack sftp.

    def send_file(self, source: Path, target: str, timeout_s: float = COMMAND_LIMIT_S) -> None:
        """Copy one file to *target* on the DUT, whole or not at all."""
        with source.open("rb") as file:
            self.send_bytes(file, target, timeout_s)

    def send_bytes(self, content: bytes | BinaryIO, target: str, timeout_s: float = COMMAND_LIMIT_S) -> None:
        """Write *content* into the file *target* on the DUT, whole or not at all."""
        scratch, place = shlex.quote(f"{target}.part"), shlex.quote(target)
        self.run(f"cat >{scratch} && mv -f {scratch} {place}", timeout_s=timeout_s, stdin=content)

    def get_file(self, source: str, target: Path, limit_bytes: int, timeout_s: float = COMMAND_LIMIT_S) -> None:
        """Copy the file *source* of the DUT to *target*. Raises OutputFlood when it has more than *limit_bytes*."""
        self.stream_to(f"cat {shlex.quote(source)}", target, limit_bytes, timeout_s)

    def stream_to(self, command: str, target: Path, limit_bytes: int, timeout_s: float = COMMAND_LIMIT_S) -> None:
        """Write the output of *command* into *target*. Raises OutputFlood beyond *limit_bytes*; no part stays then."""
        scratch = target.with_name(f"{target.name}.part")
        with _removed(scratch), scratch.open("wb") as file:

            def take(data: bytes) -> None:
                if file.tell() + len(data) > limit_bytes:
                    raise errors.OutputFlood(
                        self.hostname,
                        f"{self.hostname} sent more than {limit_bytes} bytes for {shorten(command)}; it was not kept",
                    )
                file.write(data)

            self.run(command, timeout_s=timeout_s, on_stdout=take)
            file.flush()
            scratch.replace(target)


def shorten(command: str, length: int = 100) -> str:
    """*command* on one line, cut to *length* characters, for messages."""
    line = " ".join(command.split())
    return line if len(line) <= length else f"{line[: length - 3]}..."


@contextlib.contextmanager
def _removed(path: Path) -> Iterator[None]:
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def _kernel_field(kernel: str) -> dict[str, str]:
    return {"kernel": kernel} if kernel else {}
