"""The options of a new suite, as arguments of api.create_suite_job (control-files-and-suites.md section 4.7)."""

from __future__ import annotations

import inspect

import click
import pytest

from autotest import api, errors
from autotest.cli import suite_options

WORDS = ("smoke", "-b", "pi4", "-i", "b1")


def arguments(*words):
    """What the command line *words* become."""
    seen = {}

    @click.command()
    @suite_options.creation
    def command(**given):
        seen.update(suite_options.arguments(given))

    command.main([*WORDS, *words], standalone_mode=False)
    return seen


def changed(*words):
    """What *words* make different."""
    usual = arguments()
    return {name: value for name, value in arguments(*words).items() if value != usual[name]}


def test_without_options_a_suite_is_as_the_api_has_it_by_default():
    plain = {"suite_name": "smoke", "board": "pi4", "build": "b1", "pool": "", "check_hosts": True}
    limits = {"timeout_mins": 1440, "max_runtime_mins": 1440, "priority": "Default", "delay_minutes": 0}
    found = arguments()
    assert found.items() >= {**plain, **limits}.items()
    assert not any(found[name] for name in ("builds", "suite_args", "test_args", "job_keyvals", "child_dependencies"))


def test_every_argument_is_one_of_the_api():
    known = inspect.signature(api.create_suite_job).parameters
    assert arguments().keys() <= known.keys()
    assert {name for name, one in known.items() if one.default is one.empty} <= arguments().keys()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("-p", "suites"), {"pool": "suites"}),
        (("--model", "b"), {"child_dependencies": ["model:b"]}),
        (("--model", "b", "--label", "wifi", "--label", "bt"), {"child_dependencies": ["model:b", "wifi", "bt"]}),
        (("-r", "CQ"), {"priority": "CQ"}),
        (("-t", "30", "-x", "20"), {"timeout_mins": 30, "max_runtime_mins": 20}),
        (
            ("-t", "30", "-x", "20", "--delay-minutes", "5"),
            {"timeout_mins": 35, "max_runtime_mins": 25, "delay_minutes": 5},
        ),
        (("--retry", "--max-retries", "3"), {"job_retry": True, "max_retries": 3}),
        (("--retry",), {"job_retry": True}),
        (("-f", "-u", "2"), {"file_bugs": True, "num": 2}),
        (("--suite-min-duts", "2"), {"suite_min_duts": 2}),
        (("--minimum-duts", "2"), {}),
        (("--no-wait",), {"wait_for_results": False}),
        (("--skip-duts-check",), {"check_hosts": False}),
        (("--skip-check",), {"check_hosts": False}),
        (("--offload-failures-only", "--run-prod-code"), {"offload_failures_only": True, "run_prod_code": True}),
        (("--test-source-build", "b0"), {"test_source_build": "b0"}),
        (("--firmware-rw-build", "fw/1"), {"builds": {"version": "b1", "fwrw-version": "fw/1"}}),
        (
            ("--cheets-build", "c", "--firmware-ro-build", "o", "--builds", "cros-version=x"),
            {"builds": {"version": "b1", "cros-version": "x", "cheets-version": "c", "fwro-version": "o"}},
        ),
        (
            ("--suite-args", '{"num": 3}', "--suite-args", "tests=a"),
            {"suite_args": {"num": 3, "tests": "a"}},
        ),
        (("--test-args", "iterations=5"), {"test_args": {"iterations": "5"}}),
        (("--keyval", "ticket=7", "--job-keyval", '{"n": 1}'), {"job_keyvals": {"ticket": "7", "n": "1"}}),
        (
            ("--use-suite-attr",),
            {"suite_name": "suite_attr_wrapper", "suite_args": {"attr_filter": "suite:smoke"}},
        ),
        (("--owner", "bob"), {"owner": "bob"}),
    ],
)
def test_an_option_changes_what_it_says_and_nothing_else(words, expected):
    assert changed(*words) == expected


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("--max-retries", "2"), "--max-retries: goes with --retry"),
        (("--use-suite-attr", "--suite-args", "a=b"), "--use-suite-attr: does not go with --suite-args"),
        (("--suite-args", "{"), "--suite-args: not JSON: "),
        (("--suite-args", "[1]"), r"--suite-args: must be KEY=VALUE or a JSON object, not \[1\]"),
        (("--test-args", "iterations"), "--test-args: 'iterations' is not KEY=VALUE"),
        (("--test-args", "=5"), "--test-args: '=5' is not KEY=VALUE"),
        (("--keyval", "ticket"), "--job-keyval: 'ticket' is not KEY=VALUE"),
        (("--builds", "x"), "--builds: 'x' is not KEY=VALUE"),
        (("--suite-args", "[" * 100_000), "--suite-args: not JSON"),
    ],
)
def test_options_that_make_no_sense_are_refused_by_name(words, text):
    with pytest.raises(errors.ValidationError, match=text):
        arguments(*words)


def test_data_is_never_run():
    assert arguments("--suite-args", "a=__import__('os')")["suite_args"] == {"a": "__import__('os')"}
