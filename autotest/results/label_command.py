"""`autotest results label`: put marks on results, take them off, and take results out of every answer."""

from __future__ import annotations

import json
from collections.abc import Callable

import click

from autotest import plurals
from autotest.models import database
from autotest.results.query import labels
from autotest.results.query.questions import Question
from autotest.results.query_options import opened, scope

_DRY_RUN = click.option("--dry-run", is_flag=True, help="Only say how many results it would be.")


@click.group("label")
def label() -> None:
    """Marks on results; `invalidated` takes results out of every answer."""


@label.command("list")
@click.option("--json", "as_json", is_flag=True, help="One JSON list.")
def list_labels(as_json: bool) -> None:
    """List labels, and how many results carry each."""
    with opened():
        found = labels.known()
    if as_json:
        click.echo(json.dumps([each._asdict() for each in found], indent=1))
        return
    for each in found:
        click.echo(f"{each.results:>8}  {each.name}" + (f"  ({each.description})" if each.description else ""))


@label.command("create")
@click.argument("name")
@click.option("--description", default="", help="What the mark means.")
def create(name: str, description: str) -> None:
    """Make a label, or describe it anew."""
    with opened():
        labels.create(name, description)
    click.echo(f"created {name}")


@label.command("delete")
@click.argument("name")
@_DRY_RUN
def delete(name: str, dry_run: bool) -> None:
    """Delete a label; the results stay."""
    with opened():
        carried = labels.delete(name, dry_run)
    click.echo(f"{'would delete' if dry_run else 'deleted'} {name}, which {plurals.counted(carried, 'result')} carried")


@label.command("add")
@click.argument("name")
@scope
@_DRY_RUN
def add(name: str, where: str, with_invalid: bool, with_job_records: bool, dry_run: bool) -> None:
    """Put the label on every result that --where means."""
    _change(labels.add, name, Question(where, with_invalid, with_job_records), dry_run)


@label.command("remove")
@click.argument("name")
@scope
@_DRY_RUN
def remove(name: str, where: str, with_invalid: bool, with_job_records: bool, dry_run: bool) -> None:
    """Take the label off every result that --where means."""
    _change(labels.remove, name, Question(where, with_invalid, with_job_records), dry_run)


@label.command("invalidate")
@scope
@_DRY_RUN
def invalidate(where: str, with_invalid: bool, with_job_records: bool, dry_run: bool) -> None:
    """Take results out of every answer; `restore` takes them in again."""
    _change(labels.add, labels.INVALIDATED, Question(where, with_invalid, with_job_records), dry_run)


@label.command("restore")
@scope
@_DRY_RUN
def restore(where: str, with_invalid: bool, with_job_records: bool, dry_run: bool) -> None:
    """Let results count again that somebody invalidated; those that were retried stay out."""
    _change(labels.remove, labels.INVALIDATED, Question(where, with_invalid, with_job_records), dry_run)


def _change(act: Callable[..., int], name: str, question: Question, dry_run: bool) -> None:
    with opened():
        changed = act(name, question, database.utc_now(), dry_run)
    click.echo(f"{name}: {plurals.counted(changed, 'result')} {'would change' if dry_run else 'changed'}")
