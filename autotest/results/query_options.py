"""Query options: what every command that asks for results has in common."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import click

from autotest import settings
from autotest.models import database, schema

_F = TypeVar("_F", bound=Callable[..., Any])
WHERE = click.option(
    "--where", "-w", default="", metavar="CONDITION", help="Which results, e.g. 'suite = bvt and finished > -7d'."
)
_INVALID = click.option("--invalid", "with_invalid", is_flag=True, help="Also what was retried or invalidated.")
_JOB_RECORDS = click.option(
    "--job-records", "with_job_records", is_flag=True, help="Also SERVER_JOB, CLIENT_JOB.N and what suites repeat."
)
JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object.")
CSV = click.option("--csv", "as_csv", is_flag=True, help="Comma-separated values.")
_SAVE = click.option(
    "--save", "save_as", metavar="NAME", help="Keep the question for `autotest results saved run NAME`."
)
LAST = click.option("--last", type=click.IntRange(0), default=0, metavar="N", help="Only the last N builds.")


def scope(command: _F) -> _F:
    """The options that say which results are meant."""
    return WHERE(_INVALID(_JOB_RECORDS(command)))


def form(command: _F) -> _F:
    """The options that say what becomes of the answer."""
    return JSON(CSV(_SAVE(command)))


@contextlib.contextmanager
def opened() -> Iterator[None]:
    """The database of the settings, for the block. Raises ConfigError while it lacks a migration."""
    database.connect(settings.load().database_url)
    with database.connection():
        schema.require_current()
        yield
