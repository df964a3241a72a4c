"""Control files: NAME, SUITE, DEPENDENCIES ... read with ast, never executed here.

Rules and error texts: control-files-and-suites.md sections 1.1 to 1.5. Three readings share one extractor:

* *strict* and *lenient* equal the original parser, its quirks included;
* *modern* (section 8) computes sums and products of constants, takes lists and tuples of strings as sets and None as
  unset, accepts EXPERIMENTAL, and refuses a file with one error that names all of its faults.

What a reading drops or guesses is never silent: it is a :class:`Diagnosis` of the :class:`ControlFile`.
"""

from __future__ import annotations

import ast
import dataclasses
import difflib
import io
import re
import tokenize
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

from autotest import control_recovery, errors

Mode = Literal["modern", "strict", "lenient"]

#: Bytes of a control file that we are willing to read.
LARGEST = 1024 * 1024
TIMES = ("fast", "short", "medium", "long", "lengthy")
REQUIRED = ("author", "doc", "name", "time", "test_type")
DEFAULT_MAX_RESULT_SIZE_KB = 20000

_OBSOLETE = "experimental"
_UNUSED = frozenset(("retries", "criteria", "purpose", "extended_timeout"))
_MOST_DIAGNOSES = 100
_LARGEST_FOLDED = 2**64
_STEP = re.compile(r"step[0-9]+")


class Diagnosis(NamedTuple):
    """Something that a reading dropped, guessed or recovered; *line* counts from 1, 0 means the whole file."""

    line: int
    variable: str
    message: str
    hint: str = ""

    def __str__(self) -> str:
        what = f"{self.variable}: {self.message}" if self.variable else self.message
        return f"{what}; {self.hint}" if self.hint else what


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
    try:
        with open(path, "rb") as file:
            data = file.read(LARGEST + 1)
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or problem
        raise errors.ControlFileNotFound(f"{path} cannot be read: {reason}") from problem
    if len(data) > LARGEST:
        raise _unparsable(str(path), f"it is larger than {LARGEST} bytes")
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        text = data.decode(encoding)
    except (SyntaxError, ValueError) as problem:
        raise _unparsable(str(path), str(problem)) from problem
    return parse(text, str(path), mode)


def parse(text: str, path: str = "", mode: Mode = "modern") -> ControlFile:
    """Read the metadata of *text*; *path* is for messages.

    Raises ControlVariableException for text that is neither Python 3 nor Python 2, and for missing required
    variables. A value that does not fit is a ControlVariableException in modern mode, ValueError or TypeError in
    strict mode (section 1.4), and skipped in lenient mode.
    """
    if mode not in get_args(Mode):
        raise ValueError(f"mode {mode!r} is not one of {', '.join(get_args(Mode))}")
    if len(text) > LARGEST:
        raise _unparsable(path, f"it is larger than {LARGEST} characters")
    reading = _Reading(path, mode)
    variables = reading.variables(_tree(text, path, reading.note))
    return ControlFile(path=path, text=text, **reading.attributes(variables), diagnoses=tuple(reading.diagnoses))


def _unparsable(path: str, reason: str) -> errors.ControlVariableException:
    return errors.ControlVariableException(f"Error parsing {path or 'data'} because {reason}")


def _tree(text: str, path: str, note: Callable[[Diagnosis], None]) -> ast.Module:
    try:
        tree, complaint = control_recovery.tree(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as problem:
        raise _unparsable(path, str(problem) or type(problem).__name__) from problem
    if complaint is not None:
        message = f"recovered from Python 2: {complaint.msg}"
        note(Diagnosis(complaint.lineno or 0, "", message, "the body will not run on Python 3"))
    return tree


class _Variable(NamedTuple):
    """An accepted assignment: *value* is text, a list or a dict of such values, or None (modern: unset)."""

    value: Any
    line: int


class _Dropped(Exception):
    """An expression that has no constant value for this reading."""


class _Unset(Exception):
    """A value that leaves the variable at its default, without being an error."""


class _Reading:
    """One pass over one file."""

    def __init__(self, path: str, mode: Mode):
        self.path = path
        self.mode = mode
        self.modern = mode == "modern"
        self.diagnoses: list[Diagnosis] = []

    def note(self, diagnosis: Diagnosis) -> None:
        if len(self.diagnoses) < _MOST_DIAGNOSES:
            self.diagnoses.append(diagnosis)

    # Section 1.3: which assignments count.

    def variables(self, tree: ast.Module) -> dict[str, _Variable]:
        """The accepted assignments by lower-case name: those of the last step function, overlaid by the top level."""
        in_step: dict[str, _Variable] = {}
        for statement in tree.body:
            if isinstance(statement, ast.FunctionDef) and _STEP.match(statement.name):
                in_step = dict(self._accepted(statement.body)) or in_step
        return {**in_step, **dict(self._accepted(tree.body))}

    def _accepted(self, body: list[ast.stmt]) -> Iterator[tuple[str, _Variable]]:
        for statement in body:
            name = _single_target(statement)
            if not name:
                self._note_ignored_targets(statement)
                continue
            assert isinstance(statement, ast.Assign)
            try:
                value = self._value(statement.value, name)
            except (_Dropped, RecursionError) as problem:
                if name.lower() in _SETTERS:
                    reason = str(problem) if isinstance(problem, _Dropped) else "an expression nested too deep"
                    hint = "write the value as a constant"
                    self.note(Diagnosis(statement.lineno, name, f"{reason} is dropped", hint))
                continue
            yield name.lower(), _Variable(value, statement.lineno)
            self._note_unknown(name, statement.lineno)

    def _note_ignored_targets(self, statement: ast.stmt) -> None:
        targets: list[ast.expr] = []
        if isinstance(statement, ast.Assign):
            targets = statement.targets
        elif isinstance(statement, (ast.AugAssign, ast.AnnAssign)):
            targets = [statement.target]
        for target in targets:
            for node in target.elts if isinstance(target, (ast.Tuple, ast.List)) else [target]:
                if isinstance(node, ast.Name) and node.id.lower() in _SETTERS:
                    message = "only a plain NAME = value counts; this assignment is dropped"
                    self.note(Diagnosis(statement.lineno, node.id, message))

    def _note_unknown(self, name: str, line: int) -> None:
        lower = name.lower()
        if lower in _SETTERS or lower == _OBSOLETE or len(self.diagnoses) >= _MOST_DIAGNOSES:
            return
        if lower in _UNUSED:
            self.note(Diagnosis(line, name, "has no effect"))
        elif name.isupper():
            near = difflib.get_close_matches(lower[:40], _SETTERS, n=1, cutoff=0.8)
            hint = f"did you mean {near[0].upper()}?" if near else ""
            self.note(Diagnosis(line, name, "is not a control variable and is ignored", hint))

    def _value(self, node: ast.expr, name: str) -> Any:
        """The value of *node*, constants as stripped text. Raises _Dropped for what is not accepted."""
        if self.modern:
            node = _folded(node)
            if isinstance(node, ast.Constant) and node.value is None:
                return None
        if isinstance(node, ast.Constant):
            return self._text(node)
        if isinstance(node, ast.List):
            members = (self._member(member, name) for member in node.elts)
            return [member for member in members if member is not None]
        if isinstance(node, ast.Dict):
            items = zip(node.keys, node.values, strict=True)
            pairs = ((self._key(key, name), self._member(value, name)) for key, value in items)
            return {key: value for key, value in pairs if key is not None and value is not None}
        raise _Dropped(_kind_of(node))

    def _member(self, node: ast.expr, name: str) -> Any:
        try:
            return self._value(node, name)
        except _Dropped as problem:
            if name.lower() in _SETTERS:
                self.note(Diagnosis(node.lineno, name, f"{problem} inside the value is dropped"))
            return None

    def _key(self, node: ast.expr | None, name: str) -> str | None:
        if isinstance(node, ast.Constant) and not isinstance(node.value, (bool, type(None))):
            return self._member(node, name)
        if name.lower() in _SETTERS:
            line = node.lineno if node is not None else 0
            self.note(Diagnosis(line, name, "a key that is neither text nor a number is dropped"))
        return None

    def _text(self, node: ast.Constant) -> str:
        value = node.value
        if isinstance(value, bytes):
            return value.decode("utf-8", "replace").strip()
        if isinstance(value, str):
            if node.kind == "u" and not value.isascii() and not self.modern:
                raise _Dropped("a u'' literal beyond ASCII")
            if any("\ud800" <= character <= "\udfff" for character in value):
                raise _Dropped("text with half a surrogate pair")
            return value.strip()
        if value is None or isinstance(value, (bool, int, float)):
            try:
                return str(value)
            except ValueError as problem:
                raise _Dropped("a number with too many digits") from problem
        raise _Dropped(_kind_of(node))

    # Section 1.4: what is missing, and what does not fit.

    def attributes(self, variables: dict[str, _Variable]) -> dict[str, Any]:
        """The attributes of ControlFile that *variables* set."""
        faults = self._faults(variables)
        found: dict[str, Any] = {}
        for name, variable in variables.items():
            setter = _SETTERS.get(name)
            if setter is None or (self.modern and variable.value is None):
                continue
            try:
                found[_ATTRIBUTE.get(name, name)] = setter(self, name, variable)
            except _Unset as reason:
                self.note(Diagnosis(variable.line, name.upper(), f"{reason}; ignored"))
            except (ValueError, TypeError) as problem:
                if self.mode == "strict":
                    raise
                faults.append(f"line {variable.line}: {problem}")
                self.note(Diagnosis(variable.line, name.upper(), f"{problem}; skipping"))
        if faults and self.modern:
            raise errors.ControlVariableException(f"{self.path or 'control file'}: {'; '.join(faults)}")
        if self.modern and _OBSOLETE in variables:
            found[_OBSOLETE] = str(variables[_OBSOLETE].value).lower() == "true"
        found.update(self._suite(found))
        return found

    def _faults(self, variables: dict[str, _Variable]) -> list[str]:
        """Missing and obsolete variables: raised when strict, noted otherwise; the missing are a fault when modern."""
        faults = []
        given = {name for name, variable in variables.items() if variable.value is not None}
        missing = [name for name in REQUIRED if name not in given]
        if missing:
            message = (
                f"WARNING: Not all required control variables were specified in {self.path}.  "
                f"Please define {', '.join(missing)}."
            )
            if self.mode == "strict":
                raise errors.ControlVariableException(message)
            faults.append(f"required variables are missing: {', '.join(missing)}")
            self.note(Diagnosis(0, "", message))
        if _OBSOLETE in variables:
            message = f"WARNING: Obsolete variables were specified in {self.path}.  Please remove {_OBSOLETE}."
            if self.mode == "strict":
                raise errors.ControlVariableException(message)
            self.note(Diagnosis(variables[_OBSOLETE].line, _OBSOLETE.upper(), message))
        return faults

    def _suite(self, found: dict[str, Any]) -> dict[str, Any]:
        """Section 1.5: the suite rebuilt from SUITE and the ``suite:`` attributes."""
        tags = {part.strip() for part in found.get("suite", "").split(",")}
        tags |= {member[len("suite:") :] for member in found.get("attributes", ()) if member.startswith("suite:")}
        if self.modern:
            tags = {tag.strip() for tag in tags}
        tags.discard("")
        if tags:
            return {"suite": ",".join(sorted(tags))}
        return {"suite": None} if self.modern else {}


def _single_target(statement: ast.stmt) -> str:
    if isinstance(statement, ast.Assign) and len(statement.targets) == 1 and isinstance(statement.targets[0], ast.Name):
        return statement.targets[0].id
    return ""


def _kind_of(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return f"a {type(node.value).__name__} literal"
    return f"an expression ({type(node).__name__})"


def _folded(node: ast.expr) -> ast.expr:
    """Section 8.1: sums, differences and products of constants and signs computed; tuples and sets as lists."""
    if isinstance(node, (ast.Tuple, ast.Set)):
        return ast.copy_location(ast.List(elts=node.elts, ctx=ast.Load()), node)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.UAdd)):
        operand = _folded(node.operand)
        if isinstance(operand, ast.Constant):
            computed = _computed(0, ast.Sub() if isinstance(node.op, ast.USub) else ast.Add(), operand.value)
            if computed is not None:
                return ast.copy_location(ast.Constant(computed), node)
    if isinstance(node, ast.BinOp):
        left, right = _folded(node.left), _folded(node.right)
        if isinstance(left, ast.Constant) and isinstance(right, ast.Constant):
            computed = _computed(left.value, node.op, right.value)
            if computed is not None:
                return ast.copy_location(ast.Constant(computed), node)
    return node


def _computed(left: Any, operator: ast.operator, right: Any) -> Any:
    if isinstance(left, str) and isinstance(right, str):
        return left + right if isinstance(operator, ast.Add) and len(left) + len(right) <= LARGEST else None
    if type(left) not in (int, float) or type(right) not in (int, float):
        return None
    if max(abs(left), abs(right)) > _LARGEST_FOLDED:
        return None
    if isinstance(operator, ast.Add):
        return left + right
    if isinstance(operator, ast.Sub):
        return left - right
    return left * right if isinstance(operator, ast.Mult) else None


# Section 1.2: the conversions. Each takes the reading, the lower-case name and the variable.


def _string(reading: _Reading, name: str, variable: _Variable) -> str:
    if reading.modern and not isinstance(variable.value, str):
        raise ValueError(f"{name} must be text")
    return str(variable.value)


def _lowered(reading: _Reading, name: str, variable: _Variable) -> str:
    if not isinstance(variable.value, str):
        raise _Unset("must be text")
    return variable.value.lower()


def _option(*options: str) -> Callable[[_Reading, str, _Variable], str]:
    def convert(reading: _Reading, name: str, variable: _Variable) -> str:
        if str(variable.value).lower() not in options:
            raise ValueError(f"{name} must be one of the following options: {', '.join(options)}")
        return str(variable.value)

    return convert


def _boolean(reading: _Reading, name: str, variable: _Variable) -> bool:
    text = str(variable.value).lower()
    if text not in ("true", "false"):
        raise ValueError(f"{name} must be either true or false")
    return text == "true"


def _integer(minimum: int | None = None) -> Callable[[_Reading, str, _Variable], int]:
    def convert(reading: _Reading, name: str, variable: _Variable) -> int:
        if isinstance(variable.value, str) and "_" in variable.value:
            raise ValueError(f"invalid literal for int() with base 10: {variable.value!r}")
        try:
            number = int(variable.value)
        except ValueError as problem:
            raise ValueError(f"{name}: {problem}" if reading.modern else str(problem)) from problem
        if minimum is not None and number < minimum:
            raise ValueError(f"{name} is {number}, which is below the minimum of {minimum}")
        return number

    return convert


def _comma_set(reading: _Reading, name: str, variable: _Variable) -> frozenset[str]:
    value = variable.value
    if isinstance(value, list):
        if reading.modern:
            value = ",".join(str(member) for member in value)
        else:
            reading.note(Diagnosis(variable.line, name.upper(), "a list becomes garbage members", "write one string"))
    parts = (part.strip() for part in str(value).split(","))
    return frozenset(part for part in parts if part)


def _attributes(reading: _Reading, name: str, variable: _Variable) -> frozenset[str]:
    members = _comma_set(reading, name, variable)
    if any(member.startswith("subsystem") for member in members):
        return members
    return members | {"subsystem:default"}


def _suite(reading: _Reading, name: str, variable: _Variable) -> str:
    if reading.modern and isinstance(variable.value, list):
        return ",".join(str(member) for member in variable.value)
    return _string(reading, name, variable)


def _dictionary(reading: _Reading, name: str, variable: _Variable) -> dict[str, Any]:
    if not isinstance(variable.value, dict):
        raise _Unset("must be a dict literal")
    return variable.value


def _accident(reading: _Reading, name: str, variable: _Variable) -> None:
    """Section 1.1: upstream's dispatcher stumbles over a variable called ATTR."""
    if reading.modern:
        raise _Unset("is not a control variable")
    raise TypeError("set_attr() takes exactly 3 arguments (2 given)")


_SETTERS: dict[str, Callable[[_Reading, str, _Variable], Any]] = {
    "author": _string,
    "name": _string,
    "doc": _string,
    "time": _option(*TIMES),
    "test_type": _option("server", "client"),
    "test_class": _lowered,
    "test_category": _lowered,
    "dependencies": _comma_set,
    "attributes": _attributes,
    "suite": _suite,
    "sync_count": _integer(minimum=1),
    "job_retries": _integer(),
    "priority": _integer(),
    "require_ssp": _boolean,
    "fast": _boolean,
    "run_verify": _boolean,
    "max_result_size_kb": _integer(),
    "test_parameters": _comma_set,
    "bug_template": _dictionary,
    "build": _string,
    "builds": _dictionary,
    "attr": _accident,
}
_ATTRIBUTE = {"max_result_size_kb": "max_result_size_KB"}
