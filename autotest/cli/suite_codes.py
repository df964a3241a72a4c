"""Exit codes of `suite run` and `suite wait`: run_suite's, also when no suite came about (spec section 4.8)."""

from __future__ import annotations

import traceback
from typing import Any

import click

from autotest import errors
from autotest.cli import failures
from autotest.cli.failures import Failure

OK = 0
#: A test failed; with --pre-check also: there is nothing to run.
ERROR = 1
WARNING = 2
INFRA_FAILURE = 3
SUITE_TIMEOUT = 4
BOARD_NOT_AVAILABLE = 5
INVALID_OPTIONS = 6

_BAD_REQUESTS = (errors.ValidationError, errors.SuiteArgumentException, errors.NotFound)


class _InvalidOptions(click.UsageError):
    exit_code = INVALID_OPTIONS


class SuiteCommand(click.Command):
    """A command that ends with one of these codes, whatever happens.

    Without it a mistyped option would end with click's 2, which a script takes for a warning, and a crash with 1, which
    it takes for a failed test.
    """

    def make_context(self, info_name: str | None, args: list[str], *rest: Any, **extra: Any) -> click.Context:
        try:
            return super().make_context(info_name, args, *rest, **extra)
        except click.UsageError as problem:
            raise _InvalidOptions(problem.format_message(), problem.ctx) from problem

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (click.exceptions.Exit, click.Abort, Failure):
            raise
        except click.UsageError as problem:
            raise _InvalidOptions(problem.format_message(), ctx) from problem
        except Exception as problem:
            if failures.is_gone(problem):
                failures.leave_quietly(ctx, INFRA_FAILURE)
            if ctx.find_root().params.get("debug"):
                traceback.print_exc()
            raise Failure(failures.of(problem).message, code_of(problem)) from problem


def code_of(problem: Exception) -> int:
    """The code for a suite that could not be created, or not be waited for."""
    if isinstance(problem, errors.NoEligibleHost):
        return INFRA_FAILURE
    if isinstance(problem, _BAD_REQUESTS):
        return INVALID_OPTIONS
    return SUITE_TIMEOUT if isinstance(problem, errors.NotFinished) else INFRA_FAILURE
