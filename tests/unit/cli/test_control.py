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


def test_a_refusal_names_its_line_on_stderr(parse):
    for extra, said in (
        ("FAST=1", "control.0:7: FAST: fast must be either"),
        ("def (:", "control.0:7: does not parse"),
    ):
        result = parse(GOOD + extra)
        assert result.exit_code == 1
        assert said in result.stderr


def test_what_a_file_says_does_not_steer_the_terminal(parse):
    result = parse(GOOD + 'NAME="\\x1b[2J"\n', options=())
    assert "\x1b" not in result.output
    assert "name: \ufffd[2J" in result.stdout


def test_people_get_plain_lines(parse):
    result = parse(GOOD, "", options=())
    assert "    name: n\n" in result.stdout
    assert "ControlVariableException: WARNING: Not all required" in result.stdout


@pytest.fixture
def tree(tmp_path):
    def write(**texts):
        for name, text in texts.items():
            (tmp_path / name).mkdir()
            (tmp_path / name / "control").write_bytes(text.encode())
        return tmp_path

    return write


def run(*words):
    return CliRunner().invoke(main, ["control", *map(str, words)])


def test_lint_of_clean_files_says_so(tree):
    result = run("lint", tree(a=GOOD))
    assert (result.exit_code, result.output) == (0, "1 control file: 0 errors, 0 warnings, 0 notes\n")


def test_lint_ends_with_1_on_errors_and_names_them(tree):
    root = tree(a=GOOD + "SYNC_COUNT=f()\n", b="def (:\n", c=GOOD.replace('"n"', '"o"') + 'DEPENDENCY="x"\n')
    result = run("lint", root)
    assert result.exit_code == 1
    assert f"{root}/a/control:7: error: SYNC_COUNT: a call is dropped" in result.stdout
    assert f"{root}/b/control:1: error: does not parse: invalid syntax" in result.stdout
    assert f"{root}/c/control:7: warning: DEPENDENCY: is not a control variable" in result.stdout
    assert result.stdout.endswith("3 control files: 2 errors, 1 warning, 0 notes\n")


def test_warnings_alone_end_with_0(tree):
    assert run("lint", tree(a=GOOD + "DEPENDENCY=1\n")).exit_code == 0


def test_lint_takes_files_too_and_names_one_that_is_not_there(tree):
    root = tree(a=GOOD)
    result = run("lint", "--json", root / "a/control", root / "nowhere")
    report = json.loads(result.stdout)
    assert (result.exit_code, report["files"], report["fixed"]) == (1, 2, [])
    (finding,) = report["findings"]
    assert set(finding) == {"path", "line", "variable", "problem", "hint", "severity"}
    assert (finding["path"], finding["severity"]) == (f"{root}/nowhere", "error")


def test_a_dry_run_shows_the_change_and_makes_none(tree):
    root = tree(a=GOOD + "EXPERIMENTAL = True\n")
    result = run("lint", "--fix", "--dry-run", root)
    assert "\n-EXPERIMENTAL = True\n" in result.stdout
    assert (root / "a/control").read_text() == GOOD + "EXPERIMENTAL = True\n"


def test_fix_takes_experimental_out_and_keeps_the_mode_of_the_file(tree):
    root = tree(a=GOOD + "EXPERIMENTAL = True\n", b=GOOD)
    (root / "a/control").chmod(0o640)
    result = run("lint", "--fix", "--json", root)
    assert json.loads(result.stdout)["fixed"] == [f"{root}/a/control"]
    assert (root / "a/control").read_text() == GOOD
    assert (root / "a/control").stat().st_mode & 0o777 == 0o640
    assert [path.name for path in (root / "a").iterdir()] == ["control"]


def test_fix_says_what_it_did(tree):
    root = tree(a=GOOD + "EXPERIMENTAL = True\nDEPENDENCIES = ['x', 'y']\n")
    lines = run("lint", "--fix", root).stdout.splitlines()
    assert lines[:2] == [
        f"{root}/a/control: line 7: EXPERIMENTAL taken out",
        f'{root}/a/control: line 8: DEPENDENCIES = "x, y"',
    ]
    assert lines[-1] == "1 control file: 0 errors, 0 warnings, 0 notes"


def test_a_refused_file_keeps_its_other_findings(tree):
    root = tree(a='NAME="n"\nSYNC_COUNT=0\nDEPENDENCY="x"\nSUITE=f()\n')
    lines = run("lint", root).stdout.splitlines()
    assert [line.removeprefix(f"{root}/a/") for line in lines[:4]] == [
        "control: error: required variables are missing: author, doc, time, test_type",
        "control:2: error: SYNC_COUNT: sync_count is 0, which is below the minimum of 1",
        "control:3: warning: DEPENDENCY: is not a control variable and is ignored; did you mean DEPENDENCIES?",
        "control:4: error: SUITE: a call is dropped; write the value as a constant",
    ]
    assert run("lint", root / "a/control").stdout.splitlines()[:4] == lines[:4]


def test_dry_run_without_fix_is_a_usage_error(tree):
    assert run("lint", "--dry-run", tree(a=GOOD)).exit_code == 2


def test_list_chooses_by_suite_and_label(tree):
    needs = GOOD.replace('"n"', '"needy"').replace("SHORT", "LONG") + 'DEPENDENCIES="servo"\n'
    root = tree(a=GOOD, b=needs, c="def (:\n")
    result = run("list", root, "--json")
    assert [row["path"] for row in json.loads(result.stdout)] == ["b/control", "a/control"]
    assert "not read: c/control: Error parsing" in result.stderr
    assert [row["name"] for row in json.loads(run("list", root, "--needs", "servo", "--json").stdout)] == ["needy"]
    assert len(json.loads(run("list", root, "--suite", "a", "--json").stdout)) == 2
    assert json.loads(run("list", root, "--suite", "nosuch", "--json").stdout) == []


def test_list_in_the_originals_reading_skips_what_it_refuses(tree):
    root = tree(a=GOOD, b=GOOD + "EXPERIMENTAL=True\n", c=GOOD + "FAST=1\n")
    result = run("list", root, "--json", "--mode", "strict")
    assert (result.exit_code, [row["path"] for row in json.loads(result.stdout)]) == (0, ["a/control"])
    assert "not read: b/control: WARNING: Obsolete variables" in result.stderr
    assert "not read: c/control: Bad c/control: fast must be" in result.stderr


def test_an_unforgiving_list_ends_with_1_and_one_line(tree):
    result = run("list", tree(a=GOOD, b="def (:\n"), "--unforgiving")
    assert result.exit_code == 1
    assert result.stderr.startswith("autotest: Failed parsing b/control")


def test_test_args_are_written_into_each_file(tree):
    result = run("list", tree(a=GOOD), "--mode", "strict", "--json", "--test-args", '{"fast": true, "name": "q"}')
    (row,) = json.loads(result.stdout)
    assert (row["fast"], row["name"]) == (True, "n")


def test_list_for_people_is_a_table(tree):
    assert "control" in run("list", tree(a=GOOD)).stdout
