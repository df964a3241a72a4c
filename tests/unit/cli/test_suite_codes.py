"""Exit codes of suite commands: run_suite's, for whatever keeps a suite from coming about (section 4.8)."""

from __future__ import annotations

import pytest

from autotest import api, errors
from autotest.cli import suite_codes

ARGUMENTS = ("smoke", "-b", "pi4", "-i", "b1", "--skip-duts-check")


@pytest.mark.parametrize(
    ("problem", "code"),
    [
        (errors.ValidationError({"priority": "soon"}), 6),
        (errors.SuiteArgumentException("needs board"), 6),
        (errors.NotFound("there is no job 9"), 6),
        (errors.NoEligibleHost({"check_hosts": "all are broken"}), 3),
        (errors.StageBuildFailure("b1 is not staged"), 3),
        (errors.ControlFileNotFound("no control.smoke"), 3),
        (errors.BrokerUnreachable("no answer"), 3),
        (errors.DatabaseUnreachable("no answer"), 3),
        (errors.NotFinished("it goes on"), 4),
        (errors.ConfigError("autotest.toml"), 3),
        (RuntimeError("a bug"), 3),
        (AttributeError("a bug"), 3),
    ],
)
def test_a_suite_that_cannot_be_created_says_whose_fault_it_is(installation, command, monkeypatch, problem, code):
    def fails(**_):
        raise problem

    installation.host("h1", ["board:pi4"])
    monkeypatch.setattr(api, "create_suite_job", fails)
    assert suite_codes.code_of(problem) == code
    result = command("suite", "run", *ARGUMENTS, code=code)
    assert str(problem).strip("'") in result.stderr
    assert (result.stdout, len(result.stderr.splitlines())) == ("", 1)


def test_a_crash_with_debug_shows_where_and_keeps_its_code(installation, command, monkeypatch):
    def fails(**_):
        raise RuntimeError("a bug")

    monkeypatch.setattr(api, "create_suite_job", fails)
    result = command("--debug", "suite", "run", *ARGUMENTS, code=3)
    assert "Traceback" in result.stderr
    assert "RuntimeError: a bug" in result.stderr


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("run",), "Missing argument 'SUITE'"),
        (("run", "smoke", "-i", "b1"), "Missing option '-b'"),
        (("run", "smoke", "-b", "pi4"), "Missing option '-i'"),
        (("run", *ARGUMENTS, "--nonsense"), "No such option"),
        (("run", *ARGUMENTS, "-t", "0"), "Invalid value for '-t'"),
        (("run", *ARGUMENTS, "--junit", "/nowhere/at/all.xml"), "the folder of /nowhere/at/all.xml does not exist"),
        (("run", *ARGUMENTS, "--max-retries", "2"), "--max-retries: goes with --retry"),
        (("create", "smoke"), "Missing option '-b'"),
        (("wait", "soon"), "'soon' is not a valid integer"),
    ],
)
def test_options_that_make_no_sense_end_with_six_and_not_with_the_code_of_a_warning(command, words, text):
    assert text in command("suite", *words, code=6).stderr


def test_help_is_no_failure(command):
    assert "5 no host has the labels" in command("suite", "run", "--help").stdout
