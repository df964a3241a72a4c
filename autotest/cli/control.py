"""`autotest control`: what control files say, without running them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import click

from autotest import control_file, errors
from autotest.cli import control_lint, printing, suite_options
from autotest.control_files import scan as control_scan
from autotest.control_files.diagnosis import Diagnosis
from autotest.control_files.dialect import Mode


@click.group()
def control() -> None:
    """Read and check control files."""


@control.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...")
@click.option("--lenient", "mode", flag_value="lenient", help="Skip what does not fit, instead of refusing the file.")
@click.option("--mode", type=click.Choice(get_args(Mode)), default="strict", show_default=True, help="The reading.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line: path, ok, error, fields.")
@click.pass_context
def parse(ctx: click.Context, files: tuple[str, ...], mode: Mode, as_json: bool) -> None:
    """Say what files say, as the original parser does.

    Ends with 1 if one of them is refused. What the parser drops or guesses goes to stderr, with file and line.
    """
    reports = [_report(path, mode, as_json) for path in files]
    ctx.exit(0 if all(reports) else 1)


@control.command()
@click.argument("paths", nargs=-1, metavar="[PATH...]", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON object: files, findings, fixed.")
@click.option("--fix", is_flag=True, help="Mend what a machine can mend.")
@click.option("--dry-run", is_flag=True, help="With --fix: show the changes, and make none.")
@click.pass_context
def lint(ctx: click.Context, paths: tuple[Path, ...], as_json: bool, fix: bool, dry_run: bool) -> None:
    """Check control files, and folders of them.

    Without a PATH, the current folder. Ends with 1 on errors. An error is something that the author wrote and that is
    lost; a warning is read, and not as everybody reads it.

    --fix takes out EXPERIMENTAL and None, and writes lists, sums and products as the constants they are, where that
    changes nothing of what the file says or does.
    """
    if dry_run and not fix:
        raise click.UsageError("--dry-run goes with --fix", ctx)
    wanted = paths or (Path("."),)
    changes = control_lint.fixes(wanted) if fix else []
    if not dry_run:
        control_lint.make(changes)
    report = control_lint.check(wanted)
    if as_json:
        printing.as_json(report.to_json([str(change.path) for change in changes]))
    else:
        for change in changes:
            click.echo(change.diff() if dry_run else "\n".join(change.lines()))
        control_lint.show(report)
    ctx.exit(1 if report.counts["error"] else 0)


@control.command(name="list")
@click.argument("root", default=".", metavar="[PATH]", type=click.Path(path_type=Path))
@click.option("--suite", help="Only the tests of this suite.")
@click.option("--needs", metavar="LABEL", help="Only the tests with this label among their DEPENDENCIES.")
@click.option("--mode", type=click.Choice(get_args(Mode)), default="modern", show_default=True, help="The reading.")
@click.option("--test-args", multiple=True, metavar="KEY=VALUE|JSON", help="Written into each file, as once was done.")
@click.option("--unforgiving", is_flag=True, help="Fail with the first file that does not parse.")
@click.option("--json", "as_json", is_flag=True, help="A JSON array: path and the fields of each test.")
def list_(
    root: Path,
    suite: str | None,
    needs: str | None,
    mode: Mode,
    test_args: tuple[str, ...],
    unforgiving: bool,
    as_json: bool,
) -> None:
    """List the tests below PATH, slowest first.

    What cannot be read is named on stderr, and ends nothing unless --unforgiving is given.
    """
    scan = control_scan.scan(root, mode, suite_options.data(test_args, "--test-args"), not unforgiving)
    tests = [
        test
        for test in scan.tests
        if (suite is None or suite in test.suite_tag_parts) and (needs is None or needs in test.dependencies)
    ]
    if as_json:
        printing.as_json([{"path": test.path, **test.as_fields()} for test in tests])
    else:
        rows = [(test.name, test.time, test.suite, ", ".join(sorted(test.dependencies)), test.path) for test in tests]
        printing.table(("name", "time", "suites", "needs", "path"), rows, "No tests.")
    for unreadable in scan.skipped:
        click.echo(f"not read: {printing.plain(unreadable.path)}: {printing.plain(unreadable.reason)}", err=True)


def _report(path: str, mode: Mode, as_json: bool) -> bool:
    """Print what *path* says; True when it parses."""
    try:
        found = control_file.read(path, mode)
    except (errors.ControlFileError, ValueError, TypeError) as problem:
        error = {"type": type(problem).__name__, "message": str(problem)}
        shown = printing.plain(f"{path}: {error['type']}: {error['message']}")
        click.echo(_json_line(path, error, None) if as_json else shown)
        _explain(path, _causes(path, mode, problem))
        return False
    _explain(path, found.diagnoses)
    click.echo(_json_line(path, None, found.as_fields()) if as_json else _readable(found))
    return True


def _causes(path: str, mode: Mode, problem: Exception) -> Sequence[Diagnosis]:
    """What is wrong with a file that is refused; for the original's own errors, what its lenient reading says."""
    if isinstance(problem, errors.ControlVariableException):
        return problem.diagnoses
    if isinstance(problem, errors.ControlFileError):
        return ()
    return control_file.read(path, "classic-lenient" if mode == "classic" else "lenient").diagnoses


def _explain(path: str, diagnoses: Sequence[Diagnosis]) -> None:
    for diagnosis in diagnoses:
        place = f"{path}:{diagnosis.line}" if diagnosis.line else path
        click.echo(printing.plain(f"{place}: {diagnosis}"), err=True)


def _json_line(path: str, error: dict[str, str] | None, fields: dict[str, Any] | None) -> str:
    return json.dumps({"path": path, "ok": error is None, "error": error, "fields": fields}, sort_keys=True)


def _readable(found: control_file.ControlFile) -> str:
    said = {name: value for name, value in found.as_fields().items() if value not in (None, "", [])}
    lines = [f"{found.path}:", *(f"    {name}: {value}" for name, value in sorted(said.items()))]
    return "\n".join(map(printing.plain, lines))
