"""Control files: NAME, SUITE, DEPENDENCIES ... read with ast, never executed here.

Rules and error texts: control-files-and-suites.md sections 1.1 to 1.7. The readings share one extractor:

* *strict* and *lenient* equal the original parser, its quirks included; *classic* and *classic-lenient* the first one;
* *modern* (section 8) computes sums and products of constants, takes lists and tuples of strings as sets and None as
  unset, accepts EXPERIMENTAL, and refuses a file with one error that names all of its faults.

What a reading drops or guesses is never silent: it is a :class:`Diagnosis` of the :class:`ControlFile`.
"""

from __future__ import annotations

import ast
import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, get_args

from autotest import control_source, control_values, errors
from autotest.control_conversions import CONVERSIONS, SETS, Unset
from autotest.control_diagnosis import Diagnosis, Notes, near
from autotest.control_dialect import OBSOLETE, REQUIRED, RULES, TIMES, UNUSED, VARIABLES, Mode
from autotest.control_source import LARGEST

__all__ = ["LARGEST", "REQUIRED", "TIMES", "ControlFile", "Diagnosis", "Mode", "content", "decode", "parse", "read"]

DEFAULT_MAX_RESULT_SIZE_KB = 20000

_STEP = re.compile(r"step[0-9]+")
_CONSTANT = "write the value as a constant"
#: What an assignment says that the reading drops; None is a value.
_NOTHING = object()
_ATTRIBUTE = {"max_result_size_kb": "max_result_size_KB"}


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
    if len(data) > LARGEST:
        raise _unparsable(path, f"it is larger than {LARGEST} bytes")
    try:
        text = control_source.decoded(data)
    except (SyntaxError, ValueError) as problem:
        raise _unparsable(path, str(problem)) from problem
    return parse(text, path, mode)


def parse(text: str, path: str = "", mode: Mode = "modern") -> ControlFile:
    """Read the metadata of *text*; *path* is for messages.

    Raises ControlVariableException for text that is neither Python 3 nor Python 2 or too large to be parsed, and for
    missing required variables. A value that does not fit is a ControlVariableException in modern mode, ValueError or
    TypeError in strict mode (section 1.4), and skipped in lenient mode.
    """
    if mode not in RULES:
        raise ValueError(f"mode {mode!r} is not one of {', '.join(get_args(Mode))}")
    if len(text) > LARGEST:
        raise _unparsable(path, f"it is larger than {LARGEST} characters")
    notes = Notes(path)
    reading = _Reading(path, mode, notes)
    variables = reading.variables(_tree(text, path, notes))
    return ControlFile(path=path, text=text, **reading.attributes(variables), diagnoses=notes.in_order())


def _unparsable(path: str, reason: str) -> errors.ControlVariableException:
    return errors.ControlVariableException(f"Error parsing {path or 'data'} because {reason}")


def _tree(text: str, path: str, notes: Notes) -> ast.Module:
    try:
        tree, complaint = control_source.tree(text)
    except (SyntaxError, ValueError) as problem:
        raise _unparsable(path, str(problem)) from problem
    except (RecursionError, MemoryError) as problem:
        # CPython's word for a parser stack that is full is MemoryError.
        raise _unparsable(path, "it is nested too deep") from problem
    if complaint is not None:
        said = f"recovered from Python 2: {complaint.msg}"
        notes.add(complaint.lineno or 0, "", said, "the body will not run on Python 3")
    return tree


class _Variable(NamedTuple):
    """An accepted assignment: *value* is text, a list or a dict of such values, or None (modern: unset)."""

    value: Any
    line: int


class _Reading:
    """One pass over one file."""

    def __init__(self, path: str, mode: Mode, notes: Notes):
        self.path = path
        self.rules = RULES[mode]
        self.notes = notes
        #: Lower-case names that an author expects to have an effect.
        self.known = self.rules.known | {OBSOLETE}

    # Section 1.3: which assignments count.

    def variables(self, tree: ast.Module) -> dict[str, _Variable]:
        """The accepted assignments by lower-case name: those of the last step function, overlaid by the top level."""
        in_step: dict[str, _Variable] = {}
        for statement in tree.body if self.rules.reads_collections else ():
            if isinstance(statement, ast.FunctionDef) and _STEP.match(statement.name):
                in_step = dict(self._accepted(statement.body)) or in_step
        return {**in_step, **dict(self._accepted(tree.body))}

    def _accepted(self, body: list[ast.stmt]) -> Iterator[tuple[str, _Variable]]:
        known = self.known
        for statement in body:
            name = single_target(statement)
            if not name:
                if isinstance(statement, (ast.Assign, ast.AugAssign, ast.AnnAssign)):
                    self._note_ignored_targets(statement)
                continue
            assert isinstance(statement, ast.Assign)
            node = statement.value
            lower = name.lower()
            # Nearly all are of this kind, and a lab reads thousands of files at once.
            if type(node) is ast.Constant and type(node.value) is str and node.value.isascii():
                value = node.value.strip()
            elif (value := self._value(node, name)) is _NOTHING:
                continue
            yield lower, _Variable(value, statement.lineno)
            if lower not in known:
                self._note_name(name, statement.lineno)

    def _value(self, node: ast.expr, name: str) -> Any:
        """What *node* says, or _NOTHING where the reading drops it."""
        is_known = name.lower() in self.known
        try:
            value = control_values.value(node, self.rules, self._lost(name, is_known))
        except (control_values.Dropped, RecursionError) as problem:
            if is_known:
                is_deep = isinstance(problem, RecursionError)
                said = f"{'an expression nested too deep' if is_deep else problem} is dropped"
                self.notes.add(node.lineno, name, said, _CONSTANT, "error")
            return _NOTHING
        if self.rules.is_modern and is_known and (said := control_values.only_modern(node)):
            self.notes.add(node.lineno, name, f"the original reader {said}", _CONSTANT)
        return value

    def _lost(self, name: str, is_known: bool) -> control_values.Lost:
        def lost(line: int, problem: str) -> None:
            if is_known:
                self.notes.add(line, name, problem, severity="error")

        return lost

    def _note_ignored_targets(self, statement: ast.Assign | ast.AugAssign | ast.AnnAssign) -> None:
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        for target in targets:
            for node in target.elts if isinstance(target, (ast.Tuple, ast.List)) else [target]:
                if isinstance(node, ast.Name) and node.id.lower() in self.known:
                    said = "only a plain NAME = value counts; this assignment is dropped"
                    self.notes.add(statement.lineno, node.id, said, severity="error")

    def _note_name(self, name: str, line: int) -> None:
        """Say of a variable that it has no effect, if it looks as if it should have one."""
        lower = name.lower()
        if self.notes.is_full:
            return
        if lower in UNUSED:
            self.notes.add(line, name, "has no effect", severity="note")
        elif name.isupper():
            meant = near(name, VARIABLES)
            said = "is not a control variable and is ignored"
            self.notes.add(line, name, said, meant, "warning" if meant else "note")

    # Section 1.4: what is missing, and what does not fit.

    def attributes(self, variables: dict[str, _Variable]) -> dict[str, Any]:
        """The attributes of ControlFile that *variables* set."""
        faults = self._faults(variables)
        found: dict[str, Any] = {}
        settable = self.known if self.rules.has_experimental else self.rules.known
        for name, (value, line) in variables.items():
            if name not in settable or (value is None and self.rules.is_modern):
                continue
            if isinstance(value, list) and name in SETS and not self.rules.is_modern:
                self.notes.add(line, name.upper(), "a list becomes garbage members", "write one string", "error")
            try:
                found[_ATTRIBUTE.get(name, name)] = CONVERSIONS[name](self.rules, name, value)
            except Unset as reason:
                self.notes.add(line, name.upper(), f"{reason}; ignored", severity="error")
            except (ValueError, TypeError) as problem:
                if self.rules.is_strict:
                    raise
                faults.append(f"line {line}: {problem}")
                self.notes.add(line, name.upper(), f"{problem}; skipping", severity="error")
        if faults and self.rules.is_modern:
            raise errors.ControlVariableException(f"{self.path or 'control file'}: {'; '.join(faults)}")
        found.update(self._suite(found))
        return found

    def _faults(self, variables: dict[str, _Variable]) -> list[str]:
        """Missing and obsolete variables: raised when strict, noted otherwise; the missing are a fault when modern."""
        faults = []
        missing = [name for name in self.rules.required if name not in variables or variables[name].value is None]
        if missing:
            said = (
                f"WARNING: Not all required control variables were specified in {self.path}.  "
                f"Please define {', '.join(missing)}."
            )
            if self.rules.is_strict:
                raise errors.ControlVariableException(said)
            faults.append(f"required variables are missing: {', '.join(missing)}")
            self.notes.add(0, "", said, severity="error")
        if OBSOLETE in variables and (self.rules.is_modern or not self.rules.has_experimental):
            said = f"WARNING: Obsolete variables were specified in {self.path}.  Please remove {OBSOLETE}."
            if self.rules.is_strict:
                raise errors.ControlVariableException(said)
            self.notes.add(variables[OBSOLETE].line, OBSOLETE.upper(), said)
        return faults

    def _suite(self, found: dict[str, Any]) -> dict[str, Any]:
        """Section 1.5: the suite rebuilt from SUITE and the ``suite:`` attributes."""
        tags = {part.strip() for part in found.get("suite", "").split(",")}
        tags |= {member[len("suite:") :] for member in found.get("attributes", ()) if member.startswith("suite:")}
        if self.rules.is_modern:
            tags = {tag.strip() for tag in tags}
        tags.discard("")
        if tags:
            return {"suite": ",".join(sorted(tags))}
        return {"suite": None} if self.rules.is_modern else {}


def single_target(statement: ast.stmt) -> str:
    """The name of ``NAME = value``, an empty text for any other statement."""
    if type(statement) is ast.Assign and len(statement.targets) == 1:
        target = statement.targets[0]
        if type(target) is ast.Name:
            return target.id
    return ""
