"""Scans of control files are the original's: vectors 50 and 51 of control-files-and-suites.md section 9.1."""

from __future__ import annotations

import os

import pytest

from autotest import control_file, errors
from autotest.control_files import scan as control_scan

BASE = 'AUTHOR="a"\nNAME="n"\nDOC="d"\nTIME="SHORT"\nTEST_TYPE="client"\n'


@pytest.fixture
def put(tmp_path):
    def write(path, text):
        place = tmp_path / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)

    return write


def test_a_forgiving_scan_skips_what_is_refused(put, tmp_path):
    put("good/control", BASE)
    put("bad/control", "X=1\n")
    scan = control_scan.scan(tmp_path)
    assert [test.path for test in scan.tests] == ["good/control"]
    (skipped,) = scan.skipped
    assert skipped.path == "bad/control"
    assert skipped.reason.startswith("WARNING: Not all required control variables were specified in bad/control.  ")


def test_an_unforgiving_scan_ends_with_the_path_and_the_cause(put, tmp_path):
    put("good/control", BASE)
    put("bad/control", "X=1\n")
    with pytest.raises(errors.ControlVariableException) as caught:
        control_scan.scan(tmp_path, forgiving=False)
    assert str(caught.value).startswith("Failed parsing bad/control\nWARNING: Not all required")
    assert isinstance(caught.value.__cause__, errors.ControlVariableException)
    assert caught.value.diagnoses == caught.value.__cause__.diagnoses


@pytest.mark.parametrize("forgiving", [True, False])
@pytest.mark.parametrize(("extra", "said"), [("FAST=1\n", "fast must be either true or"), ("ATTR=1\n", "set_attr")])
def test_a_value_that_does_not_fit_is_skipped_even_by_an_unforgiving_scan(put, tmp_path, forgiving, extra, said):
    put("good/control", BASE)
    put("bad/control", BASE + extra)
    scan = control_scan.scan(tmp_path, forgiving=forgiving)
    assert [test.path for test in scan.tests] == ["good/control"]
    assert scan.skipped[0].reason.startswith(f"Bad bad/control: {said}")


def test_a_link_is_skipped_by_name(put, tmp_path):
    put("good/control", BASE)
    os.symlink(tmp_path / "good/control", tmp_path / "control")
    assert [one.path for one in control_scan.scan(tmp_path).skipped] == ["control"]


@pytest.mark.parametrize(("test_args", "fast", "name"), [({"fast": True}, True, "n"), ({"name": "q"}, False, "n")])
def test_injected_arguments_are_variables_that_the_file_has_the_last_word_on(put, tmp_path, test_args, fast, name):
    put("a/control", BASE)
    (test,) = control_scan.scan(tmp_path, test_args=test_args).tests
    assert (test.fast, test.name) == (fast, name)
    assert test.text == control_scan.injected(BASE, test_args)


def test_an_argument_that_is_no_name_makes_the_file_unparsable(put, tmp_path):
    put("a/control", BASE)
    (skipped,) = control_scan.scan(tmp_path, test_args={"a-b": 1}).skipped
    assert skipped.reason.startswith("Error parsing a/control because ")


def test_the_injected_text_is_the_originals():
    assert control_scan.injected("X\n", {"a": "b", "c": [1]}) == (
        "# INJECT_BEGIN - DO NOT DELETE THIS LINE\na='b'\nc=[1]\nargs_dict={'a': 'b', 'c': [1]}\n"
        "# INJECT_END - DO NOT DELETE LINE\nX\n"
    )


def test_tests_come_slowest_first_and_last_without_a_time(put, tmp_path):
    for name, time in (("a", "FAST"), ("b", "LENGTHY"), ("c", "NEVER"), ("d", "lengthy")):
        put(f"{name}/control", BASE + f'TIME="{time}"\n' if time != "NEVER" else BASE.replace("SHORT", time))
    scan = control_scan.scan(tmp_path, "lenient")
    assert [test.path[0] for test in scan.tests] == ["b", "d", "a", "c"]


def test_a_file_keeps_its_encoding_under_arguments(put, tmp_path):
    put("a/control", "")
    (tmp_path / "a/control").write_bytes(b"# coding: latin-1\n" + BASE.encode() + b'AUTHOR="caf\xe9"\n')
    for test_args in (None, {"x": 1}):
        assert [test.author for test in control_scan.scan(tmp_path, test_args=test_args).tests] == ["caf\u00e9"]
    assert control_file.read(tmp_path / "a/control").author == "caf\u00e9"
