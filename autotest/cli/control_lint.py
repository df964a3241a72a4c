"""`autotest control lint`: what is wrong with control files, and the changes that mend it."""

from __future__ import annotations

import collections
import difflib
import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import click

from autotest import control_file, errors, plurals
from autotest.cli import printing
from autotest.control_files import fixes as control_fixes
from autotest.control_files import tree as control_tree
from autotest.control_files.diagnosis import Diagnosis

_SEVERITIES = ("error", "warning", "note")


class Report(NamedTuple):
    """What a check found: how many files were looked at, and what is wrong with them."""

    files: int
    findings: list[Diagnosis]

    @property
    def counts(self) -> collections.Counter[str]:
        """How many findings of each severity."""
        return collections.Counter(finding.severity for finding in self.findings)

    def to_json(self, fixed: list[str]) -> dict[str, Any]:
        """A JSON object; *fixed* are the paths of the changes."""
        return {"files": self.files, "findings": [finding._asdict() for finding in self.findings], "fixed": fixed}


class Change(NamedTuple):
    """The bytes of one file before and after its fixes."""

    path: Path
    old: bytes
    new: bytes
    #: What each fix did.
    done: list[str]

    def lines(self) -> list[str]:
        """What was done, a line each."""
        return [printing.plain(f"{self.path}: {what}") for what in self.done]

    def diff(self) -> str:
        """The change as a unified diff."""
        before, after = (data.decode("utf-8", "replace").splitlines() for data in (self.old, self.new))
        lines = difflib.unified_diff(before, after, str(self.path), str(self.path), lineterm="")
        return "\n".join(map(printing.plain, lines))


def check(paths: Sequence[Path]) -> Report:
    """Read the files *paths*, and all control files below those that are folders. Raises NoControlFileList."""
    files = 0
    findings: list[Diagnosis] = []
    for path in paths:
        if path.is_dir():
            tree = control_tree.read(path)
            files += len(tree.tests) + len(tree.unreadable)
            findings += (finding._replace(path=str(path / finding.path)) for finding in tree.diagnoses)
        else:
            files += 1
            findings += _check_file(path)
    return Report(files, findings)


def _check_file(path: Path) -> Sequence[Diagnosis]:
    try:
        return control_file.read(path).diagnoses
    except errors.ControlVariableException as problem:
        return problem.diagnoses
    except errors.ControlFileNotFound as problem:
        return [Diagnosis(str(path), 0, "", str(problem), "", "error")]


def fixes(paths: Sequence[Path]) -> list[Change]:
    """The changes that mend the files *paths* and the control files below folders, as far as a machine can."""
    changes = []
    for path in paths:
        for file in [path / test.path for test in control_tree.read(path).tests] if path.is_dir() else [path]:
            try:
                old = control_file.content(file)
            except errors.ControlFileError:
                continue
            new, done = control_fixes.mended(old)
            if done and not file.is_symlink():
                changes.append(Change(file, old, new, done))
    return changes


def make(changes: Sequence[Change]) -> None:
    """Write each file anew, as a whole or not at all. Raises OSError."""
    for change in changes:
        descriptor, draft = tempfile.mkstemp(prefix=f".{change.path.name}.", dir=change.path.parent)
        try:
            with open(descriptor, "wb") as file:
                file.write(change.new)
            shutil.copymode(change.path, draft)
            os.replace(draft, change.path)
        except OSError:
            os.unlink(draft)
            raise


def show(report: Report) -> None:
    """Print a line for each finding, then a table of the files with findings, then the sum."""
    by_file: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    for finding in report.findings:
        place = finding.path if not finding.line else f"{finding.path}:{finding.line}"
        click.echo(printing.plain(f"{place}: {finding.severity}: {finding}"))
        by_file[finding.path][finding.severity] += 1
    if by_file:
        rows = [(path, *(counts[severity] for severity in _SEVERITIES)) for path, counts in sorted(by_file.items())]
        printing.table(("file", "errors", "warnings", "notes"), rows, "")
    counts = ", ".join(plurals.counted(report.counts[severity], severity) for severity in _SEVERITIES)
    click.echo(f"{plurals.counted(report.files, 'control file')}: {counts}")
