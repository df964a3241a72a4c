"""`autotest members`: a suite file tried out in a folder of tests."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from autotest.cli import main

TEST = 'AUTHOR = "a"\nNAME = "{0}"\nDOC = "d"\nTIME = "SHORT"\nTEST_TYPE = "client"\nATTRIBUTES = "suite:net"\n'
SUITE = "from autotest.suite import library\nlibrary.run(args_dict, library.selected(args_dict.pop('tests')))\n"


@pytest.fixture
def build(tmp_path: Path) -> Path:
    for name, more in (("ping", ""), ("pong", "EXPERIMENTAL = True\n"), ("bad", "TIME = 'soon'\n")):
        (tmp_path / "control" / name).mkdir(parents=True)
        (tmp_path / "control" / name / "control").write_text(TEST.format(name) + more)
    (tmp_path / "control" / "ping" / "controls.txt").write_text("not a control file")
    (tmp_path / "test_suites").mkdir()
    (tmp_path / "test_suites" / "control.net").write_text('NAME = "net"\n')
    (tmp_path / "test_suites" / "control.chosen").write_text(SUITE)
    return tmp_path


def members(build: Path, suite: str, *options: str) -> Result:
    return CliRunner().invoke(main, ["members", str(build / "test_suites" / f"control.{suite}"), *options])


def test_the_members_are_listed_with_what_is_odd_about_the_rest(build):
    result = members(build, "net")
    assert result.exit_code == 0
    assert result.stdout == "ping  control/ping/control\npong  control/pong/control  (experimental)\n"
    assert "suite net: 2 tests, in suite net" in result.stderr
    assert "not read: control/bad/control: " in result.stderr


def test_json_has_the_spec_too(build):
    result = members(build, "chosen", "--json", "--suite-args", '{"tests": ["ping"]}', "--board", "pi4")
    report = json.loads(result.stdout)
    assert [member["name"] for member in report["members"]] == ["ping"]
    assert (report["spec"]["board"], report["spec"]["predicate"]) == ("pi4", {"name": "ping"})
    assert list(report["unreadable"]) == ["control/bad/control"]


@pytest.mark.parametrize(
    ("suite", "options", "text"),
    [
        ("chosen", [], "test_suites/control.chosen, line 2: KeyError: 'tests'"),
        ("chosen", ["--suite-args", "{"], "suite_args: not JSON"),
        ("chosen", ["--suite-args", "[]"], "suite_args: must be a JSON object"),
        ("absent", [], "control.absent cannot be read: No such file or directory"),
    ],
)
def test_what_is_wrong_is_one_line(build, suite, options, text):
    result = members(build, suite, *options)
    assert result.exit_code == 1
    assert text in result.stderr
    assert result.stderr.count("\n") == 1
