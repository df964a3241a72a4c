"""`autotest results attribute`: give results attributes, beside those that tests wrote."""

from __future__ import annotations

import click

from autotest import plurals
from autotest.models import database
from autotest.results.query import attributes
from autotest.results.query.questions import Question
from autotest.results.query_options import opened, scope

_DRY_RUN = click.option("--dry-run", is_flag=True, help="Only say how many results it would be.")


@click.group("attribute")
def attribute() -> None:
    """Attributes that people give to results; `attr.NAME` asks for them."""


@attribute.command("set")
@click.argument("name")
@click.argument("value")
@scope
@_DRY_RUN
def set_attribute(name: str, value: str, where: str, with_invalid: bool, with_job_records: bool, dry_run: bool) -> None:
    """Give every result that --where means an attribute; one that a test wrote itself stays."""
    _change(name, value, Question(where, with_invalid, with_job_records), dry_run)


@attribute.command("remove")
@click.argument("name")
@scope
@_DRY_RUN
def remove(name: str, where: str, with_invalid: bool, with_job_records: bool, dry_run: bool) -> None:
    """Take an attribute off every result that --where means."""
    _change(name, None, Question(where, with_invalid, with_job_records), dry_run)


def _change(name: str, value: str | None, question: Question, dry_run: bool) -> None:
    with opened():
        meant = attributes.set_on(name, value, question, database.utc_now(), dry_run)
    click.echo(f"{name}: {plurals.counted(meant, 'result')} {'would change' if dry_run else 'changed'}")
