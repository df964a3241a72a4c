"""StubHost: a DUT that answers from a script, for tests of hosts that you do not have."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

from autotest import errors
from autotest.host_info import HostInfo
from autotest.server import fence as fences
from autotest.server.hosts import remote

Answer = str | bytes | int | Exception | Callable[[str], Any]


class StubHost(remote.RemoteHost):
    """Answers each command by the first pattern (a regular expression, searched) that it matches.

    An answer is the stdout (text or bytes), an exit status (int), an exception to raise, or a function of the command
    that returns one of these. A list is used up one by one, its last answer for ever. What nothing matches succeeds
    silently. *commands* holds every command in order, without the fence around it; *received* what came on stdin.
    """

    def __init__(
        self,
        answers: Mapping[str, Answer | list[Answer]] | None = None,
        info: HostInfo | None = None,
        fence: fences.Fence | None = None,
        record: remote.Recorder = remote.record_nothing,
    ):
        super().__init__(info or HostInfo("stub"), fence, record)
        self.answers: dict[str, Answer | list[Answer]] = dict(answers or {})
        self.commands: list[str] = []
        self.received: list[bytes] = []
        self.is_closed = False

    def close(self) -> None:
        """Remember that somebody hung up."""
        self.is_closed = True

    def execute(
        self,
        command: str,
        *,
        timeout_s: float,
        stdin: bytes | BinaryIO | None = None,
        keep: int = remote.KEEP_BYTES,
        on_stdout: Callable[[bytes], None] | None = None,
        connect_s: float = 30.0,
        shown_as: str = "",
    ) -> remote.RawResult:
        """Answer from the script."""
        command = shown_as or command
        self.commands.append(command)
        if stdin is not None:
            self.received.append(stdin if isinstance(stdin, bytes) else stdin.read())
        answer = self._answer(command)
        if callable(answer):
            answer = answer(command)
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, int):
            return remote.RawResult(answer, b"", b"", 0.0)
        data = answer.encode() if isinstance(answer, str) else answer
        if len(data) > keep:
            raise errors.OutputFlood(self.hostname, f"{self.hostname} wrote more than {keep} bytes")
        if on_stdout is not None:
            on_stdout(data)
            data = b""
        return remote.RawResult(0, data, b"", 0.0)

    def _answer(self, command: str) -> Answer:
        for pattern, answer in self.answers.items():
            if re.search(pattern, command):
                if isinstance(answer, list):
                    return answer.pop(0) if len(answer) > 1 else answer[0]
                return answer
        return ""
