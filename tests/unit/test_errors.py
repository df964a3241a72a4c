"""The exception tree: drawn as it is, one root, the lab's trouble apart from the caller's."""

from __future__ import annotations

import inspect
import re

from autotest import errors

CLASSES = {name: value for name, value in vars(errors).items() if inspect.isclass(value)}


def test_the_drawing_shows_every_class_under_its_parent():
    parents: list[str] = []
    drawn = {}
    for line in (errors.__doc__ or "").partition("\n\n")[2].splitlines():
        match = re.match(r"( ?[ │├└─]*)([A-Z]\w+)", line)
        if match:
            depth = (len(match[1]) + 1) // 5
            parents[depth:] = [match[2]]
            drawn[match[2]] = parents[depth - 1] if depth else "Exception"
    assert drawn == {name: value.__base__.__name__ for name, value in CLASSES.items()}


def test_every_class_says_what_it_means():
    assert [name for name, value in CLASSES.items() if not value.__doc__] == []


def test_the_lab_and_the_caller_are_never_both_to_blame():
    for value in CLASSES.values():
        assert not (issubclass(value, errors.LabError) and issubclass(value, errors.RequestError))


def test_a_host_error_carries_its_host():
    assert errors.HostUnreachable("rack1-h3", "rack1-h3 did not answer").hostname == "rack1-h3"


def test_a_validation_error_names_every_argument():
    error = errors.ValidationError({"pool": "no such label", "num": "must be positive"})
    assert str(error) == "pool: no such label; num: must be positive"
    assert set(error.problems) == {"pool", "num"}
