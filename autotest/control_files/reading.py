"""One reading of one control file: which assignments count, what they say, what is missing and what does not fit.

Rules and error texts: control-files-and-suites.md sections 1.1 to 1.7. A lab reads thousands of files at once, so the
plain case - a known name, a text in ASCII - takes no call that it does not need.
"""

from __future__ import annotations

import ast
import re
import sys
from typing import Any

from autotest import errors
from autotest.control_files import values as control_values
from autotest.control_files.conversions import CONVERSIONS, SETS, Unset, joined_suites
from autotest.control_files.diagnosis import Notes, Severity, near
from autotest.control_files.dialect import OBSOLETE, UNUSED, VARIABLES, Rules

_STEP = re.compile(r"step[0-9]+")
_CONSTANT = "write the value as a constant"
#: What an assignment says that the reading drops; None is a value.
_NOTHING = object()
# More digits than any of them has make str() an error.
_SMALL = 2**64
#: The usual spellings of the names that have a meaning in some reading; interned, as the parser's own are.
_SPELLED = {sys.intern(spelling): name for name in CONVERSIONS for spelling in (name, name.upper())}
_Assign, _Constant, _Function, _Name = ast.Assign, ast.Constant, ast.FunctionDef, ast.Name
_AUGMENTED = (ast.AugAssign, ast.AnnAssign)
_UNSET = (None,)
_EMPTY: frozenset[str] = frozenset()
_LIMIT = "max_result_size_kb"

#: By lower-case name: the value of the last accepted assignment - text, a list or a dict of such values, or None
#: (modern: unset) - and the assignment.
Variables = dict[str, tuple[Any, ast.Assign]]


def attributes(tree: ast.Module, path: str, rules: Rules, notes: Notes) -> dict[str, Any]:
    """The attributes of a ControlFile that *tree* sets, all others being as they are by default.

    Raises ControlVariableException, in the strict readings ValueError and TypeError too (section 1.4).
    """
    reading = _Reading(path, rules, notes)
    return reading.attributes(reading.variables(tree))


def single_target(statement: ast.stmt) -> str:
    """The name of ``NAME = value``, an empty text for any other statement."""
    if type(statement) is ast.Assign and len(statement.targets) == 1:
        target = statement.targets[0]
        if type(target) is ast.Name:
            return target.id
    return ""


class _Reading:
    """One pass over one file."""

    __slots__ = ("notes", "path", "rules")

    def __init__(self, path: str, rules: Rules, notes: Notes):
        self.path = path
        self.rules = rules
        self.notes = notes

    # Section 1.3: which assignments count.

    def variables(self, tree: ast.Module) -> Variables:
        """The accepted assignments: those of the last step function that has any, overlaid by the top level."""
        top: Variables = {}
        in_step: Variables = {}
        for function in self._accept(tree.body, top):
            if self.rules.reads_collections and _STEP.match(function.name):
                inside: Variables = {}
                self._accept(function.body, inside, in_step=True)
                in_step = inside or in_step
        return {**in_step, **top} if in_step else top

    def _accept(self, body: list[ast.stmt], found: Variables, in_step: bool = False) -> list[ast.FunctionDef]:
        """Add the accepted assignments of *body* to *found*. Returns its functions.

        Whether a step function has any variable is asked of all names, the top level only of those that may matter.
        """
        functions = []
        spelled = _SPELLED
        for statement in body:
            if type(statement) is _Assign:
                targets, node = statement.targets, statement.value
                target = targets[0]
                if type(target) is not _Name or len(targets) != 1:
                    self._note_ignored_targets(targets, statement.lineno)
                    continue
                name = spelled.get(target.id)
                constant = node.value if type(node) is _Constant else None
                if name and type(constant) is str and constant.isascii():
                    if name in found:
                        self._note_lost(target.id, found[name][1], statement)
                    found[name] = constant.strip(), statement
                elif name and type(constant) is int and constant < _SMALL:
                    if name in found:
                        self._note_lost(target.id, found[name][1], statement)
                    found[name] = str(constant), statement
                elif name or in_step or not target.id.islower():
                    self._accept_other(target.id, statement, found, in_step)
            elif type(statement) is _Function:
                functions.append(statement)
            elif isinstance(statement, _AUGMENTED):
                self._note_ignored_targets([statement.target], statement.lineno)
        return functions

    def _accept_other(self, name: str, statement: ast.Assign, found: Variables, in_step: bool) -> None:
        """Add the assignment of *name* to *found*, whatever it says, and note where it has no effect."""
        lower = name.lower()
        is_known = lower in self.rules.expected
        if is_known or in_step:
            value = self._value(statement.value, name, is_known)
            if value is not _NOTHING:
                if is_known and lower in found:
                    self._note_lost(name, found[lower][1], statement)
                found[lower] = value, statement
        if not is_known:
            self._note_name(name, lower, statement.lineno)

    def _value(self, node: ast.expr, name: str, is_known: bool) -> Any:
        """What *node* says, or _NOTHING where the reading drops it."""

        def lost(line: int, problem: str) -> None:
            if is_known:
                self.notes.add(line, name, problem, severity="error")

        try:
            value = control_values.value(node, self.rules, lost)
        except (control_values.Dropped, RecursionError) as problem:
            if is_known:
                is_deep = isinstance(problem, RecursionError)
                said = f"{'an expression nested too deep' if is_deep else problem} is dropped"
                self.notes.add(node.lineno, name, said, _CONSTANT, "error")
            return _NOTHING
        if self.rules.is_modern and is_known and (said := control_values.only_modern(node)):
            self.notes.add(node.lineno, name, f"the original reader {said}", _CONSTANT)
        return value

    def _note_ignored_targets(self, targets: list[Any], line: int) -> None:
        for target in targets:
            for node in target.elts if isinstance(target, (ast.Tuple, ast.List)) else [target]:
                if isinstance(node, ast.Name) and node.id.lower() in self.rules.expected:
                    said = "only a plain NAME = value counts; this assignment is dropped"
                    self.notes.add(line, node.id, said, severity="error")

    def _note_lost(self, name: str, first: ast.Assign, again: ast.Assign) -> None:
        """Say of the *first* assignment of *name* that another one follows, unless both say the same."""
        values = [node.value if isinstance(node, ast.Constant) else node for node in (first.value, again.value)]
        if not self.notes.is_full and values[0] != values[1]:
            self.notes.add(first.lineno, name, f"is assigned again in line {again.lineno}, and that one counts")

    def _note_name(self, name: str, lower: str, line: int) -> None:
        """Say of a variable that looks as if it had an effect that it has none, and which one was meant."""
        if lower in UNUSED:
            self.notes.add(line, name, "has no effect", severity="note")
        elif name in VARIABLES:
            self.notes.add(line, name, "is not a variable of this reading and is ignored", severity="note")
        elif name.isupper() and not self.notes.is_full:
            meant = near(name, VARIABLES)
            said = "is not a control variable and is ignored"
            self.notes.add(line, name, said, meant, "warning" if meant else "note")

    # Section 1.4: what is missing, and what does not fit.

    def attributes(self, variables: Variables) -> dict[str, Any]:
        """The attributes of ControlFile that *variables* set."""
        rules = self.rules
        faults = self._faults(variables)
        found: dict[str, Any] = {}
        known, is_modern = rules.known, rules.is_modern
        for name, (value, statement) in variables.items():
            if name not in known:
                if name != OBSOLETE:
                    self._note_name(name.upper(), name, statement.lineno)
                continue
            if value is None and is_modern:
                continue
            try:
                found[name] = CONVERSIONS[name](rules, name, value)
            except Unset as reason:
                self.notes.add(statement.lineno, name.upper(), f"{reason}; ignored", severity="error")
            except (ValueError, TypeError) as problem:
                if rules.is_strict:
                    raise
                faults.append(f"line {statement.lineno}: {problem}")
                skipped = "" if is_modern else "; skipping"
                self.notes.add(statement.lineno, name.upper(), f"{problem}{skipped}", severity="error")
            if not is_modern and name in SETS and isinstance(value, list):
                said = "a list becomes garbage members"
                self.notes.add(statement.lineno, name.upper(), said, "write one string", "error")
        if faults and is_modern:
            said = f"{self.path or 'control file'}: {'; '.join(faults)}"
            raise errors.ControlVariableException(said, self.notes.in_order())
        if _LIMIT in found:
            found["max_result_size_KB"] = found.pop(_LIMIT)
        if "attributes" in found or "suite" in found:
            found["suite"] = joined_suites(found.get("suite"), found.get("attributes", _EMPTY), is_modern)
        return found

    def _faults(self, variables: Variables) -> list[str]:
        """Missing and obsolete variables: raised when strict, noted otherwise; the missing are a fault when modern."""
        faults = []
        rules = self.rules
        if missing := [name for name in rules.required if variables.get(name, _UNSET)[0] is None]:
            faults.append(f"required variables are missing: {', '.join(missing)}")
            said = (
                f"WARNING: Not all required control variables were specified in {self.path}.  "
                f"Please define {', '.join(missing)}."
            )
            self.notes.add(0, "", faults[0] if rules.is_modern else said, severity="error")
            if rules.is_strict:
                raise errors.ControlVariableException(said, self.notes.in_order())
        if OBSOLETE in variables and (rules.is_modern or not rules.has_experimental):
            said = f"WARNING: Obsolete variables were specified in {self.path}.  Please remove {OBSOLETE}."
            shown, hint = ("is obsolete", "take it out") if rules.is_modern else (said, "")
            severity: Severity = "error" if rules.is_strict else "warning"
            self.notes.add(variables[OBSOLETE][1].lineno, OBSOLETE.upper(), shown, hint, severity)
            if rules.is_strict:
                raise errors.ControlVariableException(said, self.notes.in_order())
        return faults
