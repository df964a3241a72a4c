"""Metadata rows: what a control file says survives the way to a child."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from autotest import control_file
from autotest.control_file import ControlFile
from autotest.suite import metadata

ROOT = Path(__file__).resolve().parents[3]


def test_an_empty_file_is_an_empty_row():
    assert metadata.to_row(ControlFile()) == {}
    assert metadata.from_row({}) == ControlFile()


@pytest.mark.parametrize("path", sorted((ROOT / "control").glob("*/control*")), ids=lambda path: path.parent.name)
def test_every_shipped_test_survives(path):
    test = control_file.read(path)
    row = json.loads(json.dumps(metadata.to_row(test)))
    assert metadata.from_row(row) == dataclasses.replace(test, text="", diagnoses=())
    assert "text" not in row
