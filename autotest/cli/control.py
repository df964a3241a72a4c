"""`autotest control`: what control files say, without running them."""

from __future__ import annotations

import json
from typing import Any

import click

from autotest import control_file, errors


@click.group()
def control() -> None:
    """Read and check control files."""


@control.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--lenient", is_flag=True, help="Skip what does not fit, instead of refusing the file.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line: path, ok, error, fields.")
@click.pass_context
def parse(ctx: click.Context, files: tuple[str, ...], lenient: bool, as_json: bool) -> None:
    """Parse control files as the original parser does; exit 1 if one of them fails.

    What the parser drops or guesses goes to stderr, with file and line.
    """
    reports = [_report(path, "lenient" if lenient else "strict", as_json) for path in files]
    ctx.exit(0 if all(reports) else 1)


def _report(path: str, mode: control_file.Mode, as_json: bool) -> bool:
    """Print what *path* says; True when it parses."""
    try:
        found = control_file.read(path, mode)
    except (errors.ControlFileError, ValueError, TypeError) as problem:
        error = {"type": type(problem).__name__, "message": str(problem)}
        click.echo(_json_line(path, error, None) if as_json else f"{path}: {error['type']}: {error['message']}")
        return False
    for diagnosis in found.diagnoses:
        click.echo(f"{path}:{diagnosis.line}: {diagnosis}", err=True)
    click.echo(_json_line(path, None, found.as_fields()) if as_json else _readable(found))
    return True


def _json_line(path: str, error: dict[str, str] | None, fields: dict[str, Any] | None) -> str:
    return json.dumps({"path": path, "ok": error is None, "error": error, "fields": fields}, sort_keys=True)


def _readable(found: control_file.ControlFile) -> str:
    said = {name: value for name, value in found.as_fields().items() if value not in (None, "", [])}
    return "\n".join([f"{found.path}:", *(f"    {name}: {value}" for name, value in sorted(said.items()))])
