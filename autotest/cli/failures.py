"""Failures: what a command raises, as one line on stderr and an exit code."""

from __future__ import annotations

import errno
import os
import sys
from typing import Any

import click

from autotest import errors

# Exit codes; 2 is click's own for a command line that makes no sense.
FAILED = 1
UNREACHABLE = 3
INTERRUPTED = 130


class Failure(click.ClickException):
    """A problem as one line on stderr, and the exit code *code*."""

    def __init__(self, message: str, code: int = FAILED):
        super().__init__(" ".join(message.split()))
        self.exit_code = code  # type: ignore[misc] # click declares it for classes and reads it from the instance

    def show(self, file: Any = None) -> None:
        click.echo(f"autotest: {self.message}", err=True)


def of(problem: Exception) -> Failure:
    """How a command says *problem*; what nobody expected says its type and how to see more."""
    if isinstance(problem, (errors.BrokerUnreachable, errors.DatabaseUnreachable)):
        return Failure(str(problem), UNREACHABLE)
    if isinstance(problem, (errors.RequestError, errors.LabError)):
        return Failure(str(problem))
    what = f"{type(problem).__name__}: {problem}".rstrip(": ")
    return Failure(f"{what} (not expected; `autotest --debug ...` shows where)")


def is_gone(problem: Exception) -> bool:
    """Whether the reader of our output is gone (``| head``)."""
    return isinstance(problem, OSError) and problem.errno == errno.EPIPE


def leave_quietly(ctx: click.Context, code: int) -> None:
    """End, with no reader left: nothing more can be said, at exit either."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    ctx.exit(code)
