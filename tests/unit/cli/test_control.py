"""`autotest control parse`: one JSON object a line, strict unless told otherwise."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from autotest.cli import main

GOOD = 'AUTHOR="a"\nNAME="n"\nDOC="d"\nTIME="SHORT"\nTEST_TYPE="client"\nATTRIBUTES="suite:b,suite:a"\n'


@pytest.fixture
def parse(tmp_path):
    def run(*texts, options=("--json",)):
        paths = [tmp_path / f"control.{number}" for number in range(len(texts))]
        for path, text in zip(paths, texts, strict=True):
            path.write_text(text)
        return CliRunner().invoke(main, ["control", "parse", *options, *map(str, paths)])

    return run


def test_a_good_file_gives_its_fields(parse, tmp_path):
    result = parse(GOOD)
    line = json.loads(result.stdout)
    assert result.exit_code == 0
    assert set(line) == {"path", "ok", "error", "fields"}
    assert (line["path"], line["ok"], line["error"]) == (str(tmp_path / "control.0"), True, None)
    assert line["fields"]["suite"] == ["a", "b"]
    assert line["fields"]["attributes"] == ["subsystem:default", "suite:a", "suite:b"]
    assert (line["fields"]["require_ssp"], line["fields"]["max_result_size_KB"]) == (None, 20000)


def test_each_file_has_its_line_and_one_failure_is_the_exit_code(parse):
    result = parse(GOOD, "def (:", GOOD)
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert result.exit_code == 1
    assert [line["ok"] for line in lines] == [True, False, True]
    assert (lines[1]["error"]["type"], lines[1]["fields"]) == ("ControlVariableException", None)


def test_a_file_that_is_not_there_is_an_error_of_its_own_line():
    result = CliRunner().invoke(main, ["control", "parse", "--json", "/nowhere/control"])
    assert result.exit_code == 1
    assert json.loads(result.stdout)["error"]["type"] == "ControlFileNotFound"


def test_lenient_takes_what_strict_refuses(parse):
    strict, lenient = parse(GOOD + "FAST=1"), parse(GOOD + "FAST=1", options=("--json", "--lenient"))
    assert json.loads(strict.stdout)["error"] == {"type": "ValueError", "message": "fast must be either true or false"}
    assert json.loads(lenient.stdout)["fields"]["fast"] is False
    assert "control.0:7: FAST: fast must be either true or false; skipping" in lenient.stderr


def test_people_get_plain_lines(parse):
    result = parse(GOOD, "", options=())
    assert "    name: n\n" in result.stdout
    assert "ControlVariableException: WARNING: Not all required" in result.stdout
