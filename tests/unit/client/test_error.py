"""Exceptions of tests: their status, and their text wherever they travel."""

from __future__ import annotations

import pickle

import pytest

from autotest.client import error
from autotest.client.process import CmdResult

STATUS = {"TestError": "ERROR", "TestNAError": "TEST_NA", "TestFail": "FAIL", "TestBug": "BUG", "TestWarn": "WARN"}


@pytest.mark.parametrize("kind", error.PUBLIC, ids=lambda kind: kind.__name__)
def test_every_class_survives_a_journey(kind):
    args = ("exit 3", CmdResult("exit 3", exit_status=3), "why") if issubclass(kind, error.CmdError) else ("why",)
    back = pickle.loads(pickle.dumps(kind(*args)))
    assert type(back) is kind
    assert back.args == args
    assert str(back) == str(kind(*args))
    assert kind.__doc__


@pytest.mark.parametrize(("name", "status"), STATUS.items())
def test_every_verdict_has_its_status(name, status):
    assert getattr(error, name).exit_status == status
    assert name in error.__all__


def test_an_unhandled_exception_is_told_with_its_traceback():
    try:
        raise ValueError("boom")
    except ValueError as reason:
        text = str(error.UnhandledTestFail(reason))
    assert text.startswith("Unhandled ValueError: boom\nTraceback")
    assert text.endswith("ValueError: boom")


def test_a_class_given_itself_does_not_wrap_twice():
    once = error.UnhandledTestFail("Unhandled ValueError: boom")
    assert str(error.UnhandledTestFail(once)) == "Unhandled ValueError: boom"
    assert str(error.UnhandledJobError(once)).startswith("Unhandled UnhandledTestFail: Unhandled ValueError: boom\n")


def test_a_description_is_bounded():
    assert len(error.describe(ValueError("x" * 10**6))) < 101000


def test_the_context_is_where_the_exception_was_raised():
    @error.context_aware
    def inner():
        error.context("reading")
        raise error.TestFail("no answer")

    @error.context_aware
    def outer():
        error.context("talking")
        inner()

    with pytest.raises(error.TestFail) as caught:
        outer()
    assert error.exception_context(caught.value) == "    [context: talking --> reading]"
    assert error.get_context() == ""
    assert error.exception_context(ValueError()) == ""


def test_a_context_outside_of_any_function_is_nothing():
    error.context("nobody asks")
    assert error.get_context() == ""


def test_a_command_that_did_not_end_says_so():
    text = str(error.CmdError("x", CmdResult("x")))
    assert text.startswith("Command <x> failed and is not responding to signals\n* Command: x")
