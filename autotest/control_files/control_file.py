"""ControlFile: NAME, SUITE, DEPENDENCIES ... of one file, read with ast.

Rules and error texts: control-files-and-suites.md sections 1.1 to 1.7. The readings share one extractor:

* *strict* and *lenient* equal the original parser, its quirks included; *classic* and *classic-lenient* the first one;
* *modern* (section 8) computes sums and products of constants, takes lists and tuples of strings as sets and None as
  unset, accepts EXPERIMENTAL, and refuses a file with one error that names all of its faults.

What a reading drops or guesses is never silent: it is a :class:`Diagnosis` of the :class:`ControlFile`.
"""

from __future__ import annotations

import ast
import dataclasses
from pathlib import Path
from typing import Any, get_args

from autotest import errors
from autotest.control_files import reading, source
from autotest.control_files.diagnosis import Diagnosis, Notes
from autotest.control_files.dialect import REQUIRED, RULES, TIMES, Mode
from autotest.control_files.source import LARGEST

__all__ = ["LARGEST", "REQUIRED", "TIMES", "ControlFile", "Diagnosis", "Mode", "content", "decode", "parse", "read"]

DEFAULT_MAX_RESULT_SIZE_KB = 20000


@dataclasses.dataclass(frozen=True)
class ControlFile:
    """The metadata of one control file, under the attribute names of section 1.1; absent text is None."""

    path: str = ""
    text: str = dataclasses.field(default="", repr=False)
    author: str | None = None
    name: str | None = None
    doc: str | None = None
    #: One of TIMES, spelled as in the file.
    time: str | None = None
    #: ``server`` or ``client``, spelled as in the file.
    test_type: str | None = None
    test_class: str = ""
    test_category: str = ""
    dependencies: frozenset[str] = frozenset()
    attributes: frozenset[str] = frozenset()
    #: The names of SUITE and of the ``suite:`` attributes, sorted, joined by commas (section 1.5).
    suite: str | None = None
    sync_count: int = 1
    job_retries: int = 0
    priority: int = 40
    require_ssp: bool | None = None
    fast: bool = False
    run_verify: bool = True
    max_result_size_KB: int = DEFAULT_MAX_RESULT_SIZE_KB
    test_parameters: frozenset[str] = frozenset()
    bug_template: dict[str, Any] | None = dataclasses.field(default=None, hash=False)
    build: str | None = None
    builds: dict[str, Any] | None = dataclasses.field(default=None, hash=False)
    experimental: bool = False
    diagnoses: tuple[Diagnosis, ...] = dataclasses.field(default=(), compare=False)

    @property
    def suite_tag_parts(self) -> list[str]:
        """The suites that this file is in; upstream's reading of ``SUITE = " , "`` is two empty names."""
        return [] if self.suite is None else [part.strip() for part in self.suite.split(",")]

    @property
    def time_rank(self) -> int:
        """0 for FAST to 4 for LENGTHY. Raises ControlVariableException for a file without a valid TIME."""
        if self.time is None or self.time.lower() not in TIMES:
            raise errors.ControlVariableException(f"{self.time} is not a valid TIME.")
        return TIMES.index(self.time.lower())

    @property
    def is_server_side(self) -> bool:
        return (self.test_type or "").lower() == "server"

    def as_fields(self) -> dict[str, Any]:
        """The metadata as JSON values: sets and the suite as sorted lists, what is absent as None or its default."""
        fields = {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(self)
            if field.name not in ("path", "text", "diagnoses")
        }
        fields["suite"] = None if self.suite is None else sorted(self.suite_tag_parts)
        return {name: sorted(value) if isinstance(value, frozenset) else value for name, value in fields.items()}


def read(path: str | Path, mode: Mode = "modern") -> ControlFile:
    """Read the control file at *path*.

    Raises ControlFileNotFound when it cannot be opened, ControlVariableException when it is larger than LARGEST bytes
    or not text in its declared encoding (UTF-8 unless it says otherwise), and what :func:`parse` raises.
    """
    return decode(content(path), str(path), mode)


def content(path: str | Path) -> bytes:
    """The bytes of the file at *path*, at most LARGEST + 1. Raises ControlFileNotFound when it cannot be opened."""
    try:
        with open(path, "rb") as file:
            return file.read(LARGEST + 1)
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or problem
        raise errors.ControlFileNotFound(f"{path} cannot be read: {reason}") from problem


def decode(data: bytes, path: str = "", mode: Mode = "modern") -> ControlFile:
    """Read the metadata of the bytes of a file; *path* is for messages. Raises what :func:`read` raises for content."""
    with source.quiet():
        return decode_within(data, path, mode)


def decode_within(data: bytes, path: str = "", mode: Mode = "modern") -> ControlFile:
    """:func:`decode` for whoever reads many files, within :func:`source.quiet`."""
    return _parse(text_of(data, path), path, mode)


def text_of(data: bytes, path: str = "") -> str:
    """The text of the bytes of a file; raises ControlVariableException as :func:`read` does."""
    if len(data) > LARGEST:
        raise _unparsable(path, f"it is larger than {LARGEST} bytes")
    try:
        return source.decoded(data)
    except (SyntaxError, ValueError) as problem:
        raise _unparsable(path, str(problem)) from problem


def parse(text: str, path: str = "", mode: Mode = "modern") -> ControlFile:
    """Read the metadata of *text*; *path* is for messages.

    Raises ControlVariableException for text that is neither Python 3 nor Python 2 or too large to be parsed, and for
    missing required variables. A value that does not fit is a ControlVariableException in modern mode, ValueError or
    TypeError in strict mode (section 1.4), and skipped in lenient mode. The diagnoses of a ControlVariableException
    are those of the file, the reason of the refusal among them.
    """
    if mode not in RULES:
        raise ValueError(f"mode {mode!r} is not one of {', '.join(get_args(Mode))}")
    if len(text) > LARGEST:
        raise _unparsable(path, f"it is larger than {LARGEST} characters")
    with source.quiet():
        return _parse(text, path, mode)


def _parse(text: str, path: str, mode: Mode) -> ControlFile:
    notes = Notes(path)
    attributes = reading.attributes(_tree(text, path, notes), path, RULES[mode], notes)
    attributes["path"] = path
    attributes["text"] = text
    if notes.found:
        attributes["diagnoses"] = notes.in_order()
    # The constructor of a frozen dataclass makes a call for each field, and a lab has thousands of files.
    file = object.__new__(ControlFile)
    object.__setattr__(file, "__dict__", attributes)
    return file


def _unparsable(path: str, reason: str, said: str = "", line: int = 0) -> errors.ControlVariableException:
    diagnosis = Diagnosis(path, line, "", f"does not parse: {said or reason}", "", "error")
    return errors.ControlVariableException(f"Error parsing {path or 'data'} because {reason}", (diagnosis,))


def _tree(text: str, path: str, notes: Notes) -> ast.Module:
    try:
        tree, complaint = source.tree(text)
    except SyntaxError as problem:
        raise _unparsable(path, str(problem), problem.msg, problem.lineno or 0) from problem
    except ValueError as problem:
        raise _unparsable(path, str(problem)) from problem
    except (RecursionError, MemoryError) as problem:
        # CPython's word for a parser stack that is full is MemoryError.
        raise _unparsable(path, "it is nested too deep") from problem
    if complaint is not None:
        said = f"recovered from Python 2: {complaint.msg}"
        notes.add(complaint.lineno or 0, "", said, "the body will not run on Python 3")
    return tree
