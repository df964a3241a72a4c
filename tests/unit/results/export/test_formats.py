"""Each format keeps what a record says, whatever a machine put into it."""

from __future__ import annotations

import csv
import dataclasses
import datetime
import io
import json
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autotest.results.export import csv as csv_format
from autotest.results.export import html, jsonl, junit
from autotest.results.export.base import Record, clean

BEGAN = datetime.datetime(2026, 11, 21, 12, 0, tzinfo=datetime.timezone.utc)
RECORD = Record(
    build="eve-release/R1-1.0.0",
    board="eve",
    suite="bvt",
    test="gpu",
    status="FAIL",
    reason="too slow",
    host="h1",
    job_id=17,
    job="nightly",
    folder="17-ann/h1/gpu",
    started=BEGAN,
    finished=BEGAN + datetime.timedelta(seconds=90),
    attributes={},
    keyvals={},
    perf={"fps": [1.0, 2.0, 4.0]},
)
HOSTILE = "<script>alert(1)</script>\x1b[31m\x00]]>\ud800'\"&\U0001f600"
TEXTS = st.text(max_size=40) | st.sampled_from([HOSTILE, "=1+1", " @x", "\t=1", "a\r\nb", '"; "'])


def with_text(text):
    """A record that says *text* wherever a machine may say something."""
    told = dict.fromkeys(("build", "board", "suite", "test", "reason", "host", "job", "folder"), text)
    return dataclasses.replace(RECORD, **told, attributes={text: [text]}, keyvals={text: text}, perf={text: [1.5]})


def written(write, *records):
    out = io.StringIO(newline="")
    write(iter(records), "Job 17: results", out)
    return out.getvalue()


@given(TEXTS)
def test_json_lines_read_back_as_they_were(text):
    record = with_text(text)
    (line,) = written(jsonl.write, record).splitlines()
    told = json.loads(line)
    assert told.pop("started") == "2026-11-21 12:00:00"
    assert told.pop("finished") == "2026-11-21 12:01:30"
    assert told == {key: value for key, value in vars(record).items() if key not in ("started", "finished")}


@given(TEXTS)
def test_csv_reads_back_and_no_cell_is_a_formula(text):
    headings, row = csv.reader(io.StringIO(written(csv_format.write, with_text(text)), newline=""))
    told = dict(zip(headings, row, strict=True))
    assert tuple(headings) == csv_format.HEADINGS
    assert told["reason"].removeprefix("'") == clean(text).removeprefix("'")
    assert json.loads(told["attributes"]) == {text: [text]}
    assert not any(cell.lstrip(" ")[:1] in set("=+-@\t\r\n") - {""} for cell in row)


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(1)", "  =1", "\t=1", "\uff1d1"])
def test_a_formula_becomes_text(text):
    _, row = csv.reader(io.StringIO(written(csv_format.write, with_text(text)), newline=""))
    assert row[csv_format.HEADINGS.index("reason")] == f"'{text}"


@given(TEXTS)
def test_junit_is_xml_whatever_a_machine_said(text):
    xml = ElementTree.fromstring(written(junit.write, with_text(text)))
    failure = xml.find("testsuite/testcase/failure")
    assert failure is not None
    assert failure.get("message", "") == clean(text)


def test_junit_counts_by_what_became_of_each_test():
    statuses = ["GOOD", "WARN", "FAIL", "ERROR", "ABORT", "TEST_NA", "RUNNING"]
    records = [dataclasses.replace(RECORD, status=status) for status in statuses]

    xml = ElementTree.fromstring(written(junit.write, *records))

    assert [xml.get(name) for name in ("tests", "failures", "errors", "skipped")] == ["7", "1", "3", "1"]
    (suite,) = xml.findall("testsuite")
    assert suite.get("name") == "bvt eve"
    assert {case.get("time") for case in suite.findall("testcase")} == {"90.0"}


class Tags(HTMLParser):
    """Every tag of a page with its attributes, and its text."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.words = [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.words.append(data)


@given(TEXTS)
def test_a_page_has_no_tag_of_a_machine_and_nothing_from_elsewhere(text):
    page = Tags(written(html.write, with_text(text)))
    plain = Tags(written(html.write, with_text("gpu")))
    assert [tag for tag, _ in page.tags] == [tag for tag, _ in plain.tags]
    assert not {"script", "link", "img", "iframe"} & {tag for tag, _ in page.tags}
    names = {name for _, attributes in page.tags for name in attributes}
    assert names <= {"lang", "charset", "http-equiv", "content", "name", "class", "type", "id"}


def test_a_page_counts_and_sums_up():
    page = written(html.write, RECORD, dataclasses.replace(RECORD, status="GOOD", perf={"ms": [None]}))
    words = "".join(Tags(page).words)
    assert "2 results: 1 FAIL, 1 GOOD" in words
    assert "2 (median of 3: 1 to 4)" in words
    assert "no number" in words


@pytest.mark.parametrize("write", [jsonl.write, csv_format.write, junit.write, html.write])
def test_no_result_is_no_error(write):
    assert "gpu" not in written(write)
