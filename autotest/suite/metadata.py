"""The metadata of tests as JSON rows, so that a child process can look at them; texts and diagnoses stay at home."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from autotest.control_file import ControlFile

_LEFT_OUT = ("text", "diagnoses")
_FIELDS = [field for field in dataclasses.fields(ControlFile) if field.name not in _LEFT_OUT]
_DEFAULTS = {name: getattr(ControlFile(), name) for name in (field.name for field in _FIELDS)}
_SETS = frozenset(name for name, value in _DEFAULTS.items() if isinstance(value, frozenset))


def to_row(test: ControlFile) -> dict[str, Any]:
    """The fields of *test* that differ from their defaults, as JSON values."""
    row = {}
    for name, default in _DEFAULTS.items():
        value = getattr(test, name)
        if value != default:
            row[name] = sorted(value) if name in _SETS else value
    return row


def from_row(row: Mapping[str, Any]) -> ControlFile:
    """The inverse of to_row, without text and diagnoses."""
    fields: dict[str, Any] = {name: frozenset(value) if name in _SETS else value for name, value in row.items()}
    return ControlFile(**fields)
