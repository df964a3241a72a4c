"""`autotest db`: migrate, status, check."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator

import click

from autotest import errors, settings
from autotest.models import database, schema

#: Seconds in which a database that does not answer is tried again.
_PATIENCE = 5.0
_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object instead of lines.")


@click.group()
def db() -> None:
    """The database: which migrations it has, and whether it matches the models."""


@db.command()
@click.option("--down", "target", metavar="NAME", help="Take back every migration down to NAME; 'zero' takes back all.")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@_JSON
def migrate(target: str | None, dry_run: bool, as_json: bool) -> None:
    """Apply what is pending; with --down take migrations back, newest first. That deletes what their tables hold."""
    with _opened():
        if dry_run:
            names = _applied_since(target) if target else _pending()
        else:
            names = schema.take_back(target) if target else schema.migrate()
    verb = ("would take back" if dry_run else "took back") if target else ("would apply" if dry_run else "applied")
    if as_json:
        click.echo(json.dumps({"action": verb, "migrations": names}))
    else:
        click.echo(f"{verb} {', '.join(names)}" if names else "Nothing to do.")


@db.command()
@_JSON
def status(as_json: bool) -> None:
    """List the migrations, and when each was applied."""
    with _opened():
        rows = schema.status()
        address = database.described()
    if as_json:
        click.echo(json.dumps({"database": address, "migrations": rows}, indent=1))
        return
    click.echo(address)
    for row in rows:
        click.echo(f"  {row['name']}: {row['applied'] or 'pending'}")


@db.command()
@_JSON
@click.pass_context
def check(ctx: click.Context, as_json: bool) -> None:
    """Compare the database with the models; exit 1 when they differ."""
    with _opened():
        found = schema.differences()
        address = database.described()
    if as_json:
        click.echo(json.dumps({"database": address, "ok": not found, "differences": found}, indent=1))
    else:
        click.echo("\n".join(found) if found else f"{address} matches the models.")
    ctx.exit(1 if found else 0)


def _pending() -> list[str]:
    return [str(row["name"]) for row in schema.status() if row["applied"] is None]


def _applied_since(target: str) -> list[str]:
    """What --down TARGET would take back, newest first. Raises NotFound."""
    applied = [str(row["name"]) for row in schema.status() if row["applied"] is not None]
    if target != "zero" and target not in applied:
        raise errors.NotFound(f"{target!r} is not applied; applied: {', '.join(applied) or 'none'}")
    return list(reversed(applied if target == "zero" else applied[applied.index(target) :]))


@contextlib.contextmanager
def _opened() -> Iterator[None]:
    """A connection for the block. Raises DatabaseUnreachable, naming the address, once it was tried for long enough."""
    database.connect(settings.load().database_url)
    database.wait_until_reachable(_PATIENCE)
    with database.connection():
        yield
