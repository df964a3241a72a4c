"""`autotest members`: what a suite control file asks for, before anything is created."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import click

from autotest import control_file, errors, plurals
from autotest.control_file import ControlFile
from autotest.control_files import tree as control_tree
from autotest.suite import runner
from autotest.suite.runner import Decision
from autotest.suite.spec import PLAIN, SuiteSpec

#: Beside test_suites/, with a folder for each test.
_FOLDER = "control"


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--suite-args", default="{}", metavar="JSON", help="Arguments of the suite, a JSON object.")
@click.option("--board", default="any", help="The board that the file is told.")
@click.option("--build", default="any", help="The build that the file is told.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object: spec, members, notes, unreadable.")
def members(file: Path, suite_args: str, board: str, build: str, as_json: bool) -> None:
    """Run the suite control file FILE, test_suites/control.NAME, and list the tests that it means; creates nothing.

    The tests are those of the folder control/ beside test_suites/.
    """
    text = control_file.read(file, "lenient").text
    root = file.absolute().parent.parent
    tests, unreadable = _tests(root)
    spec = SuiteSpec(name="any", board=board, builds={PLAIN: build}, test_source_build=build)
    path = file.absolute().relative_to(root).as_posix()
    decision = runner.decide(text, path, spec.arguments(_object(suite_args)), tests)
    if as_json:
        rows = [{"name": test.name, "path": test.path, "experimental": test.experimental} for test in decision.members]
        report = {"spec": decision.spec.to_json(), "members": rows, "notes": decision.notes, "unreadable": unreadable}
        click.echo(json.dumps(report, indent=1, sort_keys=True))
    else:
        _print(decision, unreadable)


def _print(decision: Decision, unreadable: dict[str, str]) -> None:
    width = max((len(test.name or "") for test in decision.members), default=0)
    for test in decision.members:
        mark = "  (experimental)" if test.experimental else ""
        click.echo(f"{test.name or '':{width}}  {test.path}{mark}")
    what = plurals.counted(len(decision.members), "test")
    click.echo(f"suite {decision.spec.name}: {what}, {decision.spec.wanted}", err=True)
    for note in decision.notes:
        click.echo(f"note: {note}", err=True)
    for path, reason in unreadable.items():
        click.echo(f"not read: {path}: {reason}", err=True)


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as problem:
        raise errors.ValidationError({"suite_args": f"not JSON: {problem}"}) from problem
    if not isinstance(found, dict):
        raise errors.ValidationError({"suite_args": 'must be a JSON object, such as {"tests": ["sleeptest"]}'})
    return found


def _tests(root: Path) -> tuple[list[ControlFile], dict[str, str]]:
    """The tests below *root* as a suite sees them, and why others cannot be read, by path."""
    try:
        tree = control_tree.read(root / _FOLDER)
    except errors.NoControlFileList:
        return [], {}
    tests = [dataclasses.replace(test, path=f"{_FOLDER}/{test.path}") for test in tree.tests]
    return tests, {f"{_FOLDER}/{path}": reason for path, reason in tree.unreadable}
