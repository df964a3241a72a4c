"""Commands for tests: run, system, system_output (test-api-and-hosts.md section 7.1)."""

import logging
import os
import shlex
import signal
import subprocess
import tempfile
import textwrap
import time
from typing import IO, NamedTuple, Optional, Sequence, Union

from autotest.client import encoding, error, process_tree

_GRACE_S = 5.0


class CmdResult(NamedTuple):
    """How a command ended. *exit_status* is negative after a signal, None if it could not be ended; *duration* in s."""

    command: str
    stdout: str = ""
    stderr: str = ""
    exit_status: Optional[int] = None
    duration: float = 0.0

    def __repr__(self) -> str:
        wrapped = textwrap.fill(f"* Command: {self.command}", width=78, subsequent_indent="    ")
        text = f"{wrapped}\nExit status: {self.exit_status}\nDuration: {self.duration}\n"
        for name, stream in (("stdout", self.stdout), ("stderr", self.stderr)):
            if stream:
                text += f"\n{name}:\n{stream}"
        return text.rstrip()


def run(
    command: str,
    timeout: Optional[float] = None,
    ignore_status: bool = False,
    verbose: bool = True,
    stdin: Optional[Union[str, bytes]] = None,
    args: Sequence[str] = (),
) -> CmdResult:
    """Run *command* in a shell, with *args* quoted and appended; *timeout* in seconds.

    Raises CmdError for an exit status other than 0 unless *ignore_status*; CmdTimeoutError when it outran
    *timeout*, after it and all it started were ended; TypeError when *args* is a single text.
    """
    if isinstance(args, str):
        raise TypeError(f"args {args!r} is one text; give a list of arguments")
    command = " ".join([command, *(shlex.quote(str(arg)) for arg in args)])
    if verbose:
        logging.debug("Running '%s'", command)
    started = time.monotonic()
    # Files, not pipes: what a command leaves in the background holds a pipe open.
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        status = _wait(command, stdin, out, err, timeout)
        result = CmdResult(command, _text_of(out), _text_of(err), status, round(time.monotonic() - started, 3))
    if status is None:
        result = result._replace(exit_status=-signal.SIGTERM)
        raise error.CmdTimeoutError(command, result, f"Command(s) did not complete within {timeout} seconds")
    if status != 0 and not ignore_status:
        raise error.CmdError(command, result, "Command returned non-zero exit status")
    return result


def system(command: str, timeout: Optional[float] = None, ignore_status: bool = False, verbose: bool = True) -> int:
    """Run *command*, its output to the log. Returns its exit status; raises as :func:`run` does."""
    result = run(command, timeout, ignore_status, verbose)
    for level, text in ((logging.DEBUG, result.stdout), (logging.WARNING, result.stderr)):
        for line in text.splitlines():
            logging.log(level, "%s", line)
    return result.exit_status or 0


def system_output(
    command: str,
    timeout: Optional[float] = None,
    ignore_status: bool = False,
    retain_output: bool = False,
    args: Sequence[str] = (),
    verbose: bool = True,
) -> str:
    """The output of *command* without its last newline, logged if *retain_output*; raises as :func:`run` does."""
    text = run(command, timeout, ignore_status, verbose, args=args).stdout
    if retain_output:
        logging.debug("%s", text)
    return text[:-1] if text.endswith("\n") else text


def _wait(
    command: str, stdin: Optional[Union[str, bytes]], out: IO[bytes], err: IO[bytes], timeout: Optional[float]
) -> Optional[int]:
    """The exit status, or None when the command outran *timeout* and was ended."""
    shell = "/bin/bash" if os.path.exists("/bin/bash") else "/bin/sh"
    with tempfile.TemporaryFile() as given:
        given.write(encoding.to_bytes(stdin) if isinstance(stdin, str) else stdin or b"")
        given.seek(0)
        child = subprocess.Popen(command, shell=True, executable=shell, stdin=given, stdout=out, stderr=err)
    status = process_tree.wait(child.pid) if timeout is None else process_tree.wait_for(child.pid, timeout)
    timed_out = status is None
    if status is None:
        status = process_tree.end_child(child.pid, _GRACE_S)
    child.returncode = os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status)
    return None if timed_out else child.returncode


def _text_of(stream: IO[bytes]) -> str:
    stream.seek(0)
    return stream.read().decode("utf-8", "replace")
