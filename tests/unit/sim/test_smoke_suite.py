"""The shipped tests: their control files are complete, they run on the oldest DUT, and smoke has every kind."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
CONTROL_FILES = sorted(path for path in (ROOT / "control").glob("*/control*") if path.is_file())
TEST_FILES = sorted((ROOT / "control").glob("*/*.py"))


def variables(path: Path) -> dict[str, object]:
    return {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.Assign)
    }


@pytest.mark.parametrize("path", CONTROL_FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_control_file_says_all_that_must_be_said(path):
    found = variables(path)
    assert re.fullmatch(r"control(\..+)?", path.name)
    assert {"AUTHOR", "NAME", "DOC", "TIME", "TEST_TYPE", "TEST_CLASS", "TEST_CATEGORY"} <= set(found)
    assert found["TIME"] in ("FAST", "SHORT")
    assert found["TEST_TYPE"] in ("client", "server")


def test_names_are_unique():
    names = [variables(path)["NAME"] for path in CONTROL_FILES]
    assert sorted(set(names)) == sorted(names)


@pytest.mark.parametrize("path", CONTROL_FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_test_that_a_control_file_runs_is_shipped(path):
    text = path.read_text(encoding="utf-8")
    wanted = re.findall(r"run_test\('(\w+)'", text)
    # A file may also say its result by itself.
    assert wanted or "job.record('" in text
    if variables(path)["TEST_TYPE"] == "server":
        # A server test is a function of its control file.
        wanted.remove(path.parent.name)
    assert all((ROOT / "control" / name / f"{name}.py").is_file() for name in wanted)


@pytest.mark.parametrize("path", TEST_FILES, ids=lambda path: path.stem)
def test_a_test_is_python_3_6_and_its_class_is_named_like_its_module(path):
    tree = ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 6))
    [found] = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    assert found.name == path.stem == path.parent.name
    assert "version = 1" in ast.unparse(found)


def test_the_suite_has_every_kind_of_member():
    found = map(variables, CONTROL_FILES)
    members = {test["NAME"]: test for test in found if test.get("ATTRIBUTES") == "suite:smoke"}
    assert members["thermaltest"]["DEPENDENCIES"] == "thermal_chamber"
    assert members["bluetoothtest"]["DEPENDENCIES"] == "bluetooth"
    assert set(members) == {
        "bluetoothtest", "errortest", "failtest", "filetest", "perftest", "reboottest",
        "sleeptest", "sleeptest.outruns", "thermaltest",
    }  # fmt: skip


def test_the_suite_file_is_an_ordinary_control_file():
    found = variables(ROOT / "test_suites/control.smoke")
    assert (found["NAME"], found["TEST_CLASS"], found["TEST_TYPE"]) == ("smoke", "suite", "server")
    assert "ATTRIBUTES" not in found
