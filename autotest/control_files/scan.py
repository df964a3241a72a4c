"""A scan of control files as the original makes it: in any reading, with test_args injected, forgiving or not.

Rules and error texts: control-files-and-suites.md sections 1.6 and 4.3. Suites use :mod:`.tree`, which
forgives, takes arguments as data and reports what it skips; this is for comparing the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from autotest import errors
from autotest.control_files import control_file, tree
from autotest.control_files.control_file import ControlFile
from autotest.control_files.dialect import Mode
from autotest.control_files.tree import Unreadable


class Scan(NamedTuple):
    """The tests that were found, slowest first, then by name and path; what was skipped, by path."""

    tests: list[ControlFile]
    skipped: list[Unreadable]


def scan(root: Path, mode: Mode = "strict", test_args: Mapping[str, Any] | None = None, forgiving: bool = True) -> Scan:
    """Read the control files below *root*; a ControlFile's text has *test_args* in it, where there are any.

    A file that raises ControlVariableException is skipped, or, if not *forgiving*, ends the scan with "Failed parsing
    <path>" and the reason; one that raises anything else (strict: a value that does not fit) is skipped as "Bad <path>"
    in any case. Raises NoControlFileList when *root* cannot be listed, ControlVariableException.
    """
    stamps, odd = tree.walk(str(root))
    tests = []
    skipped = [Unreadable(path, refusal.reason) for path, refusal in odd.items()]
    for path in sorted(stamps):
        try:
            tests.append(_read(root / path, path, mode, test_args))
        except errors.ControlVariableException as problem:
            if not forgiving:
                said = f"Failed parsing {path}\n{problem}"
                raise errors.ControlVariableException(said, problem.diagnoses) from problem
            skipped.append(Unreadable(path, str(problem)))
        except (errors.ControlFileNotFound, ValueError, TypeError) as problem:
            skipped.append(Unreadable(path, f"Bad {path}: {problem}"))
    tests.sort(key=tree.in_suite_order)
    return Scan(tests, sorted(skipped))


def _read(place: Path, path: str, mode: Mode, test_args: Mapping[str, Any] | None) -> ControlFile:
    data = control_file.content(place)
    if not test_args:
        return control_file.decode(data, path, mode)
    return control_file.parse(injected(control_file.text_of(data, path), test_args), path, mode)


def injected(text: str, values: Mapping[str, Any]) -> str:
    """*text* after the assignments of *values*, as the original writes them into a file (section 4.3)."""
    return "\n".join(
        [
            "# INJECT_BEGIN - DO NOT DELETE THIS LINE",
            *(f"{key}={value!r}" for key, value in values.items()),
            f"args_dict={dict(values)!r}",
            "# INJECT_END - DO NOT DELETE LINE",
            text,
        ]
    )
