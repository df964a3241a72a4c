"""A report: the same fault gives the same fingerprint, and templates of test and suite shape it."""

from __future__ import annotations

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paper_faults import FAULT

from autotest import errors
from autotest.results.notify import report
from autotest.results.notify.report import Fault, Report


def changed(**fields):
    return dataclasses.replace(FAULT, **fields)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("exit status 3", "exit status 127"),
        ("no answer after 12.5 s", "no answer after 3 s"),
        ("at 0xdeadbeef", "at 0x7f00"),
        ("commit 9fceb02d0ae598e95dc970b74767f19372d61af8 broke", "commit 1234567890abcdef broke"),
        ("cannot open /tmp/a/b.log", "cannot open /var/tmp/run-7/c.log"),
        ("two\nlines", "two   lines"),
        ("lumpy is gone", "BOARD_PLACEHOLDER is gone"),
        ("rack1-host3 is gone", "HOST is gone"),
        ("at 2026-03-01 12:00:01", "at 2025-12-31 08:15:59"),
    ],
)
def test_what_differs_from_run_to_run_is_one_fault(one, other):
    assert changed(reason=one).fingerprint == changed(reason=other).fingerprint


@pytest.mark.parametrize(
    "fields",
    [{"test": "wifi.scan"}, {"status": "ERROR"}, {"reason": "no route to host"}, {"reason": "no link to 10.0.0.7"}],
)
def test_another_test_status_or_reason_is_another_fault(fields):
    assert changed(**fields).fingerprint != FAULT.fingerprint


def test_board_build_and_host_make_no_other_fault():
    link = changed(board="x86-link", build="b2", hostname="h9", reason=FAULT.reason.replace("lumpy", "x86_link"))

    assert link.fingerprint == FAULT.fingerprint


@given(st.text(max_size=200))
def test_any_text_is_normalised_to_one_that_stays(text):
    once = report.normalised(text)

    assert report.normalised(once) == once
    assert "\n" not in once


@given(st.builds(Fault, *[st.text()] * 7, st.integers(), st.integers(), st.text()))
def test_a_report_comes_back_from_json(fault):
    made = report.of(fault, {"cc": ["a@b.co"], "labels": ["x"]})

    assert Report.from_json(json.loads(json.dumps(made.to_json()))) == made


def test_without_a_template_the_title_says_what_failed_where():
    made = report.of(FAULT, {})

    assert made.title == "[bvt] wifi.connect Failure on lumpy-release/R50-1.0.0"
    assert (made.owner, made.labels, made.cc, made.lab_error) == ("", (), (), False)
    for fact in (FAULT.reason, FAULT.folder, "Job: 42", "Suite: bvt, job 41", "Status: FAIL"):
        assert fact in made.summary


def test_a_warning_says_so_and_is_labelled():
    made = report.of(changed(status="WARN"), {"labels": ["net"]})

    assert made.title == "[bvt] wifi.connect Warning on lumpy-release/R50-1.0.0"
    assert made.labels == ("net", "Test-Warning")


def test_the_record_of_a_job_points_at_the_lab():
    assert report.of(changed(test="wifi_SERVER_JOB"), {}).lab_error


def test_the_tests_template_goes_before_the_suites_and_lists_are_joined():
    merged = report.merged(
        {"owner": "t@x.org", "labels": ["a", "b"], "cc": [], "title": "", "components": "Net"},
        {"owner": "s@x.org", "labels": ["b", "c"], "cc": ["s@x.org"], "title": "suite's", "summary": "why"},
    )

    assert merged == {
        "owner": "t@x.org",
        "labels": ["a", "b", "c"],
        "cc": ["s@x.org"],
        "title": "suite's",
        "summary": "why",
        "components": ["Net"],
    }
    made = report.of(FAULT, merged)
    assert (made.title, made.owner, made.components) == ("suite's", "t@x.org", ("Net",))
    assert made.summary.startswith("why\n\nStatus: FAIL")


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ({"priority": "1"}, "unknown keys priority; known: owner, labels"),
        ({"cc": "a@b.co"}, "cc must be a list of texts"),
        ({"labels": [1]}, "labels must be a list of texts"),
        ({"owner": "nobody"}, "'nobody' is not an address"),
        ({"cc": ["a@b.co", "x y@z.de"]}, "'x y@z.de' is not an address"),
        ({"title": ["a"]}, "title must be text"),
    ],
)
def test_a_template_that_cannot_be_meant_is_refused_and_counts_as_empty(template, reason):
    with pytest.raises(errors.InvalidBugTemplate, match=reason):
        report.check(template)

    assert report.merged(template, {"owner": "s@x.org"}) == {"owner": "s@x.org"}


def test_empty_addresses_are_taken_out_first():
    assert report.check({"owner": "", "cc": ["", "a@b.co"], "status": None}) == {"cc": ["a@b.co"]}
