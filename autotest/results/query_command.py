"""`autotest results query`, matrix, history, builds, perf, machines and saved: questions over all stored results."""

from __future__ import annotations

import contextlib
import getpass
import json
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import click

from autotest import settings
from autotest.models import database, schema
from autotest.results import query_output
from autotest.results.query import answers, questions, saved
from autotest.results.query.questions import Builds, History, Matrix, Perf, Qualification, Question, Table

_F = TypeVar("_F", bound=Callable[..., Any])
WHERE = click.option(
    "--where", "-w", default="", metavar="CONDITION", help="Which results, e.g. 'suite = bvt and finished > -7d'."
)
_INVALID = click.option("--invalid", "with_invalid", is_flag=True, help="Also what was retried or invalidated.")
_JOB_RECORDS = click.option(
    "--job-records", "with_job_records", is_flag=True, help="Also SERVER_JOB, CLIENT_JOB.N and what suites repeat."
)
_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object.")
_CSV = click.option("--csv", "as_csv", is_flag=True, help="Comma-separated values.")
_SAVE = click.option(
    "--save", "save_as", metavar="NAME", help="Keep the question for `autotest results saved run NAME`."
)
_LAST = click.option("--last", type=click.IntRange(0), default=0, metavar="N", help="Only the last N builds.")


def scope(command: _F) -> _F:
    """The options that say which results are meant."""
    return WHERE(_INVALID(_JOB_RECORDS(command)))


def _form(command: _F) -> _F:
    """The options that say what becomes of the answer."""
    return _JSON(_CSV(_SAVE(command)))


@contextlib.contextmanager
def opened() -> Iterator[None]:
    """The database of the settings, for the block. Raises ConfigError while it lacks a migration."""
    database.connect(settings.load().database_url)
    with database.connection():
        schema.require_current()
        yield


@click.command("query")
@scope
@click.option("--columns", "-c", default=",".join(Table.columns), show_default=True, metavar="FIELD,...")
@click.option("--sort", default=Table.sort, show_default=True, metavar="[-]FIELD", help="A '-' before it: descending.")
@click.option("--group", "grouped", is_flag=True, help="Count results of each combination, and how many passed.")
@click.option("--limit", type=click.IntRange(1, questions.MOST_ROWS), default=Table.limit, show_default=True)
@click.option("--offset", type=click.IntRange(0), default=0, metavar="N", help="Leave out the first N.")
@_form
def query(columns: str, as_json: bool, as_csv: bool, save_as: str | None, **asked: Any) -> None:
    """List results, one a line, or count them by any fields."""
    _answer(Table(columns=_names(columns), **asked), as_json, as_csv, save_as)


@click.command("matrix")
@scope
@click.option("--rows", default="test", show_default=True, metavar="FIELD,...")
@click.option("--columns", default="build", show_default=True, metavar="FIELD,...")
@_LAST
@click.option("--latest", is_flag=True, help="Only the last result of each cell.")
@_form
def matrix(rows: str, columns: str, as_json: bool, as_csv: bool, save_as: str | None, **asked: Any) -> None:
    """Show passed of complete results, any fields against any others."""
    _answer(Matrix(rows=_names(rows), columns=_names(columns), **asked), as_json, as_csv, save_as)


@click.command("history")
@click.argument("test")
@scope
@click.option("--limit", type=click.IntRange(1, questions.MOST_ROWS), default=History.limit, show_default=True)
@_form
def history(as_json: bool, as_csv: bool, save_as: str | None, **asked: Any) -> None:
    """Show the last runs of a test, and since when it does not pass."""
    _answer(History(**asked), as_json, as_csv, save_as)


@click.command("builds")
@scope
@click.option("--last", type=click.IntRange(1, 1000), default=1, show_default=True, metavar="N")
@_form
def builds(as_json: bool, as_csv: bool, save_as: str | None, **asked: Any) -> None:
    """Show how each suite did on the last builds."""
    _answer(Builds(**asked), as_json, as_csv, save_as)


@click.command("perf")
@click.argument("metric", default="")
@scope
@click.option("--x", default=Perf.x, show_default=True, metavar="FIELD", help="What the values are listed over.")
@click.option("--by", default="", metavar="FIELD,...", help="A series for each value of these.")
@_LAST
@click.option("--relative", default="", metavar="first|SERIES", help="In per cent of the first point, or of a series.")
@click.option("--bins", type=click.IntRange(0, 200), default=0, metavar="N", help="A histogram of N bins instead.")
@_form
def perf(as_json: bool, as_csv: bool, save_as: str | None, **asked: Any) -> None:
    """Show what iterations measured as METRIC; without one, list the metrics."""
    _answer(Perf(**asked), as_json, as_csv, save_as)


@click.command("machines")
@scope
@click.option("--tests", default="", metavar="CONDITION", help="Which of their results count.")
@click.option("--interval", type=click.IntRange(1, 100), default=Qualification.interval, show_default=True)
@_form
def machines(as_json: bool, as_csv: bool, save_as: str | None, **asked: Any) -> None:
    """Sort machines by how often tests pass on them, to find those that are not fit."""
    _answer(Qualification(**asked), as_json, as_csv, save_as)


@click.group("saved")
def saved_questions() -> None:
    """Questions that were kept with --save."""


@saved_questions.command("list")
@click.option("--all", "everybody", is_flag=True, help="Those of everybody.")
@_JSON
def list_saved(everybody: bool, as_json: bool) -> None:
    """List saved questions."""
    with opened():
        found = saved.all_of(None if everybody else getpass.getuser())
    if as_json:
        click.echo(json.dumps([each._asdict() for each in found], indent=1))
        return
    for each in found:
        click.echo(f"{each.owner}  {each.name}  {each.token}")
    if not found:
        click.echo("Nothing is saved.")


@saved_questions.command("run")
@click.argument("name")
@click.option("--owner", default="", metavar="LOGIN", help="Whose question; yours by default.")
@_JSON
@_CSV
def run_saved(name: str, owner: str, as_json: bool, as_csv: bool) -> None:
    """Ask a saved question again."""
    with opened():
        question = saved.load(owner or getpass.getuser(), name)
    _answer(question, as_json, as_csv, None)


@saved_questions.command("delete")
@click.argument("name")
def delete_saved(name: str) -> None:
    """Forget a question of yours."""
    with opened():
        saved.delete(getpass.getuser(), name)
    click.echo(f"deleted {name}")


def _answer(question: Question, as_json: bool, as_csv: bool, save_as: str | None) -> None:
    if as_json and as_csv:
        raise click.UsageError("--json and --csv exclude each other")
    with opened():
        answer = answers.to(question, database.utc_now())
        if save_as is not None:
            saved.save(getpass.getuser(), save_as, question)
    if as_json:
        click.echo(json.dumps(answer.to_json(), indent=1))
    elif as_csv:
        click.echo(query_output.as_csv(answer), nl=False)
    else:
        out = query_output.console()
        for part in query_output.shown(answer, out.width):
            out.print(part)


def _names(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


COMMANDS = (query, matrix, history, builds, perf, machines, saved_questions)
