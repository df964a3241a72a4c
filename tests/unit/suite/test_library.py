"""The library: predicates from keywords, and one call that asks for a suite."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from autotest import errors
from autotest.control_file import ControlFile
from autotest.suite import dynamic_suite, library
from autotest.suite.dynamic_suite import Recording
from autotest.suite.predicates import All, AnyOf, Attributes, FieldIn, InSuite, Named, NameMatches, Needs, PathMatches

ARGUMENTS: dict[str, Any] = {"board": "pi4", "builds": {"version": "R1"}, "pool": "suites", "max_runtime_mins": 1440}


@pytest.fixture
def record() -> Iterator[Recording]:
    found = Recording("kernel", "test_suites/control.kernel")
    with dynamic_suite.recording(found):
        yield found


def test_every_says_it_with_the_variables_of_a_control_file():
    wanted = library.every(test_class="kernel", test_category="Functional", time=("SHORT", "MEDIUM", "LONG"))
    assert wanted == All(
        (
            FieldIn("time", ("short", "medium", "long")),
            FieldIn("test_class", ("kernel",)),
            FieldIn("test_category", ("functional",)),
        )
    )


def test_several_values_are_alternatives_and_several_keywords_conditions():
    assert library.every(suite=("a", "b"), needs="servo") == All((AnyOf((InSuite("a"), InSuite("b"))), Needs("servo")))
    assert library.every(name="ping") == Named("ping")
    assert library.every().holds(ControlFile())


def test_the_other_words_are_predicates_too():
    assert library.attributes("a and b") == Attributes("a and b")
    assert library.name_matches("a") == NameMatches("a")
    assert library.path_matches("a") == PathMatches("a")
    assert library.selected(["a", "suite:b"]) == AnyOf((Named("a"), InSuite("b")))


def test_a_suite_is_called_like_its_file(record):
    library.run(ARGUMENTS, library.every(needs="servo"), max_runtime_mins=20)
    [asked] = record.asked
    assert (asked.spec.name, asked.spec.pool, asked.spec.max_runtime_mins) == ("kernel", "suites", 20)
    assert asked.spec.predicate == Needs("servo")
    assert ARGUMENTS["max_runtime_mins"] == 1440


def test_a_name_among_the_arguments_goes_before_the_file_name(record):
    library.run({**ARGUMENTS, "name": "mine"})
    assert record.asked[0].spec.name == "mine"
    assert record.asked[0].spec.wanted == InSuite("mine")


def test_a_function_is_kept_for_the_child(record):
    library.run(ARGUMENTS, lambda test: test.name == "ping")
    assert record.asked[0].spec.predicate is None
    assert record.asked[0].chooser is not None
    assert record.asked[0].chooser(ControlFile(name="ping"))


@pytest.mark.parametrize(("key", "hint"), [("max_runtime", "did you mean max_runtime_mins?"), ("owner", "known: name")])
def test_a_change_that_does_not_exist_is_refused(record, key, hint):
    with pytest.raises(errors.SuiteArgumentException) as caught:
        library.run(ARGUMENTS, **{key: 1})
    assert f"has no argument {key}; {hint}" in str(caught.value)


def test_an_argument_of_the_suite_is_taken_out_or_asked_for_with_an_example():
    given = {"attr_filter": "a", **ARGUMENTS}
    assert library.argument(given, "attr_filter", '"a"') == "a"
    assert given == ARGUMENTS
    with pytest.raises(KeyError, match=r'needs suite_args with attr_filter, such as "suite:a"'):
        library.argument(given, "attr_filter", '"suite:a"')


def test_a_second_call_is_refused(record):
    dynamic_suite.reimage_and_run(name="a", **ARGUMENTS)
    with pytest.raises(errors.SuiteArgumentException, match="called a second time"):
        dynamic_suite.reimage_and_run(name="b", **ARGUMENTS)


def test_outside_of_a_suite_file_the_call_says_so():
    with pytest.raises(errors.SuiteArgumentException, match="runs in a suite control file only"):
        library.run(ARGUMENTS)


def test_one_file_does_not_run_inside_another(record):
    with pytest.raises(RuntimeError), dynamic_suite.recording(record):
        raise AssertionError("never gets here")
