"""`autotest results query`, matrix, history, details, reasons, builds, perf, machines and saved: questions over all
stored results."""

from __future__ import annotations

import getpass
import json
from pathlib import Path
from typing import Any

import click

from autotest import errors, settings
from autotest.models import database
from autotest.results import attribute_command, query_output
from autotest.results.perf import graph, pictures
from autotest.results.query import answers, details, questions, saved, table
from autotest.results.query.questions import (
    Builds,
    Details,
    History,
    Matrix,
    Perf,
    Qualification,
    Question,
    Reasons,
    Table,
)
from autotest.results.query_options import CSV, JSON, LAST, form, opened, scope
from autotest.results.retention import restore


@click.command("query")
@scope
@click.option("--columns", "-c", default=",".join(Table.columns), show_default=True, metavar="FIELD,...")
@click.option("--sort", default=Table.sort, show_default=True, metavar="[-]FIELD", help="A '-' before it: descending.")
@click.option("--group", "grouped", is_flag=True, help="Count results of each combination, and how many passed.")
@click.option("--limit", type=click.IntRange(1, questions.MOST_ROWS), default=Table.limit, show_default=True)
@click.option("--offset", type=click.IntRange(0), default=0, metavar="N", help="Leave out the first N.")
@click.option("--count", "only_count", is_flag=True, help="Only say how many results are meant.")
@form
def query(columns: str, only_count: bool, as_json: bool, as_csv: bool, save_as: str | None, **asked: Any) -> None:
    """List results, one a line, or count them by any fields."""
    question = Table(columns=_names(columns), **asked)
    if not only_count:
        _answer(question, as_json, as_csv, save_as)
        return
    if as_csv or save_as is not None or question.grouped:
        raise click.UsageError("--count goes with --where and --json")
    with opened():
        amount = table.count(question, database.utc_now())
    click.echo(json.dumps({"count": amount}) if as_json else amount)


@click.command("matrix")
@scope
@click.option("--rows", default="test", show_default=True, metavar="FIELD,...")
@click.option("--columns", default="build", show_default=True, metavar="FIELD,...")
@LAST
@click.option("--latest", is_flag=True, help="Only the last result of each cell.")
@form
def matrix(rows: str, columns: str, as_json: bool, as_csv: bool, save_as: str | None, **asked: Any) -> None:
    """Show passed of complete results, any fields against any others."""
    _answer(Matrix(rows=_names(rows), columns=_names(columns), **asked), as_json, as_csv, save_as)


@click.command("history")
@click.argument("test")
@scope
@click.option("--limit", type=click.IntRange(1, questions.MOST_ROWS), default=History.limit, show_default=True)
@form
def history(as_json: bool, as_csv: bool, save_as: str | None, **asked: Any) -> None:
    """Show the last runs of a test, and since when it does not pass."""
    _answer(History(**asked), as_json, as_csv, save_as)


@click.command("details")
@click.argument("results", nargs=-1, metavar="[RESULT]...")
@scope
@click.option("--limit", type=click.IntRange(1, details.MOST_RESULTS), default=Details.limit, show_default=True)
@form
def show_details(results: tuple[str, ...], as_json: bool, as_csv: bool, save_as: str | None, **asked: Any) -> None:
    """Show every fact of single results: attributes, iterations, keyvals, labels, and where the logs are.

    RESULT is a number (`query -c id` shows them), the folder of a test (17-ann/host1/sleeptest), or that of a job.
    Without one, --where says which, the newest first.
    """
    question = Details(**asked)
    if bool(results) == bool(question.where.strip()):
        raise click.UsageError("name results, or say with --where which")
    _check_form(as_json, as_csv)
    if results:
        named = " or ".join(map(details.named, results))
        question = Details(named, with_invalid=True, with_job_records=True, limit=question.limit)
    with opened():
        found = details.ask(question, database.utc_now())
        if results and not found.results:
            raise errors.NotFound(f"no result is stored as {', '.join(results)}")
        _keep(question, save_as)
    if as_json or as_csv:
        _print(found, as_json, as_csv)
        return
    out, results_dir = query_output.console(), settings.load().results_dir
    for place, one in enumerate(found.results):
        if place:
            out.print()
        for part in query_output.details_shown(one, restore.whereabouts(results_dir, one.folder)):
            out.print(part)
    if found.more:
        click.echo("There are older ones: --limit shows more.")


@click.command("reasons")
@scope
@click.option("--limit", type=click.IntRange(1, questions.MOST_ROWS), default=Reasons.limit, show_default=True)
@form
def reasons(as_json: bool, as_csv: bool, save_as: str | None, **asked: Any) -> None:
    """Count why results did not pass, the most frequent reason first; NN stands for any number."""
    _answer(Reasons(**asked), as_json, as_csv, save_as)


@click.command("builds")
@scope
@click.option("--last", type=click.IntRange(1, 1000), default=1, show_default=True, metavar="N")
@form
def builds(as_json: bool, as_csv: bool, save_as: str | None, **asked: Any) -> None:
    """Show how each suite did on the last builds."""
    _answer(Builds(**asked), as_json, as_csv, save_as)


@click.command("perf")
@click.argument("metric", default="")
@scope
@click.option("--x", default=Perf.x, show_default=True, metavar="FIELD", help="What the values are listed over.")
@click.option("--by", default="", metavar="FIELD,...", help="A series for each value of these.")
@LAST
@click.option("--relative", default="", metavar="first|SERIES", help="In per cent of the first point, or of a series.")
@click.option("--bins", type=click.IntRange(0, 200), default=0, metavar="N", help="A histogram of N bins instead.")
@pictures.option()
@form
def perf(as_json: bool, as_csv: bool, save_as: str | None, output: Path | None, **asked: Any) -> None:
    """Show what iterations and charts measured as METRIC; without one, list the metrics."""
    _answer(Perf(**asked), as_json, as_csv, save_as, output)


@click.command("machines")
@scope
@click.option("--tests", default="", metavar="CONDITION", help="Which of their results count.")
@click.option("--interval", type=click.IntRange(1, 100), default=Qualification.interval, show_default=True)
@pictures.option()
@form
def machines(as_json: bool, as_csv: bool, save_as: str | None, output: Path | None, **asked: Any) -> None:
    """Sort machines by how often tests pass on them, to find those that are not fit."""
    _answer(Qualification(**asked), as_json, as_csv, save_as, output)


@click.group("saved")
def saved_questions() -> None:
    """Questions that were kept with --save."""


@saved_questions.command("list")
@click.option("--all", "everybody", is_flag=True, help="Those of everybody.")
@JSON
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
@pictures.option()
@JSON
@CSV
def run_saved(name: str, owner: str, output: Path | None, as_json: bool, as_csv: bool) -> None:
    """Ask a saved question again."""
    with opened():
        question = saved.load(owner or getpass.getuser(), name)
    _answer(question, as_json, as_csv, None, output)


@saved_questions.command("delete")
@click.argument("name")
def delete_saved(name: str) -> None:
    """Forget a question of yours."""
    with opened():
        saved.delete(getpass.getuser(), name)
    click.echo(f"deleted {name}")


def _answer(question: Question, as_json: bool, as_csv: bool, save_as: str | None, output: Path | None = None) -> None:
    _check_form(as_json, as_csv, output)
    with opened():
        answer = answers.to(question, database.utc_now())
        drawn = None if output is None else graph.of_answer(answer)
        _keep(question, save_as)
    if output is not None and drawn is not None:
        pictures.write(drawn, output)
        click.echo(output)
        return
    _print(answer, as_json, as_csv)


def _keep(question: Question, save_as: str | None) -> None:
    if save_as is not None:
        saved.save(getpass.getuser(), save_as, question)


def _check_form(as_json: bool, as_csv: bool, output: Path | None = None) -> None:
    """Before anything is asked or saved."""
    if as_json + as_csv + (output is not None) > 1:
        raise click.UsageError("--json, --csv and --output exclude each other")


def _print(answer: answers.Answer, as_json: bool, as_csv: bool) -> None:
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


COMMANDS = (
    *(query, matrix, history, show_details, reasons, builds, perf, machines, saved_questions),
    attribute_command.attribute,
)
