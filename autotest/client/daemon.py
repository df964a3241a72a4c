"""A run that outlives the SSH session which started it: start, and follow its status log (DUT side).

``RUN/alive`` is locked while the daemon lives, ``RUN/exit_code`` is there once the run has ended, and
``GROUPS/<pgid>`` names the process group that a later lease may kill.
"""

import contextlib
import errno
import fcntl
import os
import select
import signal
import stat
import sys
from typing import BinaryIO, Callable, NoReturn, Optional

from autotest.client import durable, process_tree

_POLL_MS = 100
_CHUNK = 1 << 20


def start(run: str, groups: str, main: Callable[[], int]) -> int:
    """Call *main* in a daemon and return its process group once it lives. Raises RuntimeError if it cannot.

    The daemon is the leader of the group and watches *main* in a child, so that a death of the run is told too.
    """
    os.makedirs(run, exist_ok=True)
    os.makedirs(groups, exist_ok=True)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    heard, told = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(heard)
        _be_daemon(run, groups, main, told)
    os.close(told)
    with open(heard, "rb") as pipe:
        answer = pipe.read().decode("utf-8", "replace")
    if answer != "alive":
        raise RuntimeError(answer or f"the daemon of {run} died before it began; see {run}/stderr")
    return pid


def _be_daemon(run: str, groups: str, main: Callable[[], int], told: int) -> NoReturn:
    try:
        os.setsid()
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_IGN)
        try:
            alive = os.open(os.path.join(run, "alive"), os.O_RDWR | os.O_CREAT, 0o644)
            exit_file = os.path.join(run, "exit_code")
            # With its exit code written, a daemon lets go in a moment.
            patience = 0 if os.path.exists(exit_file) else fcntl.LOCK_NB
            fcntl.flock(alive, fcntl.LOCK_EX | patience)
            if os.path.exists(exit_file):
                os.remove(exit_file)
            group_file = os.path.join(groups, str(os.getpgrp()))
            open(group_file, "w").close()
            _redirect(run, keep={told, alive})
        except OSError as reason:
            busy = reason.errno in (errno.EAGAIN, errno.EACCES)
            os.write(told, (f"{run} has a daemon already" if busy else str(reason)).encode("utf-8", "replace"))
            os._exit(1)
        code = _watch(main, alive, told)
        _kill_rest()
        # Whoever reads the exit code may start the next run at once: it comes last.
        with contextlib.suppress(FileNotFoundError):
            os.remove(group_file)
        durable.write(exit_file, f"{code}\n")
    finally:
        os._exit(0)


def _redirect(run: str, keep: set) -> None:
    """Give up every inherited file: an SSH session ends only when nobody holds its ends."""
    for number, path in enumerate((os.devnull, os.path.join(run, "stdout"), os.path.join(run, "stderr"))):
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND if number else os.O_RDONLY, 0o644)
        os.dup2(handle, number)
        os.close(handle)
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2 and int(name) not in keep:
            try:
                os.close(int(name))
            except OSError:
                # The handle of the listing itself is closed by now.
                continue


def _watch(main: Callable[[], int], alive: int, told: int) -> int:
    """Run *main* in a child and wait: its exit code, or 128 and the signal that ended it."""
    pid = os.fork()
    if not pid:
        _be_runner(main, alive, told)
    os.write(told, b"alive")
    os.close(told)
    status = process_tree.wait(pid)
    return 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def _be_runner(main: Callable[[], int], alive: int, told: int) -> NoReturn:
    code = 1
    try:
        # Children must not hold the lock when the daemon is gone.
        os.close(alive)
        os.close(told)
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        try:
            code = main()
        except Exception:
            sys.excepthook(*sys.exc_info())
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
    finally:
        os._exit(code)


def _kill_rest() -> None:
    """Whatever the run left in its process group must not meet the next test."""
    me, group = os.getpid(), os.getpgrp()
    process_tree.kill([one for one in process_tree.processes() if one.group == group and one.pid != me])


def follow(run: str, offset: int, output: BinaryIO) -> None:
    """Copy the status log from byte *offset* on to *output*, whole lines only, until the run has ended.

    The last line is ``AUTOTEST_EXIT:<code>``, or ``AUTOTEST_EXIT:lost`` when the daemon vanished. Ends early, and
    silently, when nobody reads *output* any more.
    """
    reader_gone = select.poll()
    reader_gone.register(output.fileno(), 0)
    path = os.path.join(run, "results", "status")
    try:
        while True:
            ending = _ending(run)
            offset += _copy_lines(path, offset, output)
            if ending is not None:
                output.write(f"AUTOTEST_EXIT:{ending}\n".encode("ascii"))
                output.flush()
                return
            if reader_gone.poll(_POLL_MS):
                return
    except BrokenPipeError:
        return


def _ending(run: str) -> Optional[str]:
    """How the run ended; None while it lives."""
    code = _exit_code(run)
    if code is None and not _is_alive(run):
        # It may have ended between the two looks.
        code = _exit_code(run) or "lost"
    return code


def _exit_code(run: str) -> Optional[str]:
    try:
        with open(os.path.join(run, "exit_code"), encoding="ascii") as file:
            return str(int(file.read(20)))
    except (OSError, ValueError):
        return None


def _is_alive(run: str) -> bool:
    try:
        with open(os.path.join(run, "alive")) as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return False


def _copy_lines(path: str, offset: int, output: BinaryIO) -> int:
    """Copy the whole lines behind *offset*; returns how many bytes they have."""
    copied = 0
    try:
        # A test may have left a FIFO or a link here: never follow it, never wait for its other end.
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return copied
    with open(handle, "rb") as log:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            return copied
        while True:
            log.seek(offset + copied)
            data = log.read(_CHUNK)
            # A line longer than a chunk is no status line; it is passed on as it comes.
            whole = data.rfind(b"\n") + 1 or (len(data) if len(data) == _CHUNK else 0)
            if not whole:
                return copied
            output.write(data[:whole])
            output.flush()
            copied += whole
