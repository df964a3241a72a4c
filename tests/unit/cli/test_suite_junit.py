"""A suite as JUnit XML: what a CI system counts as failed is what the verdict counts, and any text is valid XML."""

from __future__ import annotations

import dataclasses
import datetime
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from junitparser import JUnitXml

from autotest.cli import suite_junit
from autotest.results import verdict
from autotest.results.summary import Row, SuiteSummary
from autotest.results.verdict import View
from autotest.states import Outcome

NOW = datetime.datetime(2026, 3, 1, 12, 0, tzinfo=datetime.timezone.utc)


def row(name="a", status="GOOD", reason="", retry=0, experimental=False, suite=False):
    """One result that took a minute and a half."""
    view = View(name, Outcome(status), is_suite=suite, is_experimental=experimental)
    end = NOW + datetime.timedelta(seconds=90)
    return Row(name, status, reason, 5, "h1", "Completed", f"5-ann/h1/{name}", retry, NOW, end, view)


def summary(*rows):
    """A suite that ended with these results."""
    judged = verdict.of(each.view for each in rows)
    return SuiteSummary(4, "", "smoke", "b1", "ann", "Completed", True, rows, {}, {}, {}, judged)


def cases(*rows):
    """(kind, message) of each case by name, as a reader of the XML sees them."""
    xml = JUnitXml.fromstring(suite_junit.document(summary(*rows), "/r").tostring())
    return {
        case.name: [(result._tag, result.message) for result in case.result] for suite in xml for case in suite
    }  # fmt: skip


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (row(), []),
        (row(status="WARN", reason="odd"), []),
        (row(status="FAIL", reason="broke"), [("failure", "broke")]),
        (row(status="ERROR", reason="no disk"), [("error", "no disk")]),
        (row(status="ABORT"), [("error", "no result")]),
        (row(status="TEST_NA", reason="no wifi"), [("skipped", "no wifi")]),
        (row(status="RUNNING"), [("error", "no result")]),
        (row(status="FAIL", reason="broke", experimental=True), [("skipped", "experimental: FAIL: broke")]),
        (row(experimental=True), []),
    ],
)
def test_each_outcome_is_what_a_ci_system_understands(one, expected):
    assert cases(one) == {"a": expected}


def test_a_suite_holds_its_counts_facts_times_and_logs():
    rows = (row("a", retry=1), row("b", "FAIL", "x"), row("c", "TEST_NA"), row("d", "WARN", "odd"))
    (suite,) = JUnitXml.fromstring(suite_junit.document(summary(*rows), "/r").tostring())
    assert (suite.name, suite.tests, suite.failures, suite.errors, suite.skipped) == ("smoke", 4, 1, 0, 1)
    facts = {each.name: each.value for each in suite.properties()}
    assert (
        facts.items() >= {"build": "b1", "job_id": "4", "return_code": "1", "return_message": "Tests failed."}.items()
    )
    first, *_, last = suite
    assert (first.classname, first.time) == ("smoke.h1", 90.0)
    assert first.system_out == "job 5\nlogs: /r/5-ann/h1/a\nretry_count: 1"
    assert last.system_out.endswith("WARN: odd")


def test_experimental_tests_have_a_suite_of_their_own():
    xml = suite_junit.document(summary(row("a"), row("new", "FAIL", experimental=True)), "/r")
    assert [(suite.name, suite.tests, suite.failures) for suite in xml] == [
        ("smoke", 1, 0),
        ("smoke (experimental)", 1, 0),
    ]


def test_the_suite_job_is_a_case_only_when_it_went_wrong():
    assert cases(row("Suite job", suite=True), row()) == {"a": []}
    assert cases(row("Suite job", "FAIL", "no build", suite=True)) == {"Suite job": [("failure", "no build")]}
    assert cases() == {}


@given(st.text(st.characters()), st.text(st.characters()), st.sampled_from(["GOOD", "FAIL", "TEST_NA"]))
def test_whatever_a_test_says_the_file_is_xml(name, reason, status):
    found = summary(dataclasses.replace(row(status=status), name=name, reason=reason, log_folder=reason))
    (case,) = ElementTree.fromstring(suite_junit.document(found, "/r").tostring()).iter("testcase")
    assert case.get("name").isprintable()


@given(st.lists(st.builds(row, status=st.sampled_from([each.value for each in Outcome]), experimental=st.booleans())))
def test_a_ci_system_sees_failures_exactly_when_tests_failed_or_did_not_run(rows):
    xml = suite_junit.document(summary(*rows), "/r")
    bad = sum(suite.failures + suite.errors for suite in xml)
    wrong = {"FAIL", "ERROR", "ABORT", "RUNNING", "NOSTATUS"}
    counted = [each for each in rows if each.status in wrong and not each.view.is_experimental]
    pending = [each for each in rows if each.status in {"RUNNING", "NOSTATUS"} and each.view.is_experimental]
    assert bad == len(counted) + len(pending)


def test_the_file_is_written_whole_or_not_at_all(tmp_path):
    place = tmp_path / "out.xml"
    suite_junit.write(summary(row()), "/r", place)
    assert [case.name for suite in JUnitXml.fromfile(str(place)) for case in suite] == ["a"]
    with pytest.raises(OSError, match="nowhere"):
        suite_junit.write(summary(row()), "/r", tmp_path / "nowhere" / "out.xml")
    assert list(tmp_path.iterdir()) == [place]
