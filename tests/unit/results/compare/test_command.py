"""`autotest results compare`: sections for people, everything for programs, an exit code for CI."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from autotest.results import command

OLD, NEW = "R1-1.0.0", "R1-2.0.0"


@pytest.fixture
def compare(stored, db, monkeypatch, tmp_path):
    """compare(*arguments) runs the command on the database of the test."""
    monkeypatch.setenv("AUTOTEST_ROOT", str(tmp_path))
    monkeypatch.setenv("AUTOTEST_DATABASE", db)
    return lambda *arguments: CliRunner().invoke(command.results, ["compare", *arguments])


def test_people_read_what_changed_and_what_the_numbers_support(compare, stored):
    stored.add(OLD, "breaks")
    stored.add(NEW, "breaks", "FAIL", reason="no \x1b[31mreply [bold]")
    stored.add(OLD, "gpu", perf={"fps": [60, 61, 62]})
    stored.add(NEW, "gpu", perf={"fps": [10, 11, 12]})

    done = compare(OLD, NEW)

    assert done.exit_code == 0, done.output
    assert "Regressions: 1" in done.output
    assert "no \ufffd[31mreply [bold]" in done.output
    assert "rest on one run of each build: 1" in done.output
    assert "With fewer than 4 values on a side nothing is called a change" in done.output
    assert "Fixes" not in done.output


@pytest.mark.parametrize(
    ("fail_on", "code"), [((), 0), (("regression",), 4), (("flaky",), 0), (("perf", "flaky", "regression"), 4)]
)
def test_ci_is_told_by_the_exit_code(compare, stored, fail_on, code):
    stored.add(OLD)
    stored.add(NEW, status="FAIL")
    done = compare(OLD, NEW, *(word for what in fail_on for word in ("--fail-on", what)))
    assert done.exit_code == code
    assert ("1 regression between R1-1.0.0 and R1-2.0.0" in done.stderr) is (code == 4)


def test_programs_read_everything(compare, stored):
    stored.add(OLD, perf={"ms": [1, 2, 3, 4]})
    stored.add(NEW, status="FAIL", perf={"ms": [11, 12, 13, 14]}, host="h2")

    done = compare(OLD, NEW, "--json", "--suite", "bvt", "--lower-is-better", "ms", "--fail-on", "perf")

    told = json.loads(done.stdout)
    assert done.exit_code == 4
    assert [one["change"] for one in told["tests"]] == ["regression"]
    (metric,) = told["perf"]
    assert (metric["finding"], metric["effect"], metric["other_machines"]) == ("changed", "worse", True)
