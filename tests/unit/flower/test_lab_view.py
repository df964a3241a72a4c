"""Lab view: what the address asks for is what is listed, and each line says its state in words."""

from __future__ import annotations

import datetime
from urllib.parse import parse_qsl

import hypothesis
import pytest
from hypothesis import strategies

from autotest.flower import lab_view
from autotest.flower.lab_rows import Details, Doing, Last, Look
from autotest.flower.lab_view import Page, Question
from autotest.flower.steps_seen import StepKey
from autotest.scheduler.waiting import Holder, HostState

NOW = datetime.datetime(2026, 3, 1, 12, 0, tzinfo=datetime.timezone.utc)
DEAD_AFTER_S = 30.0
HOSTS = [
    HostState(1, "rack1-host10", frozenset({"board:pi4"}), lab="rack1", silent_s=1),
    HostState(2, "rack1-host9", frozenset({"board:pi4"}), lab="rack1", silent_s=1, status="Running",
              holder=Holder(71, "run_test", 12)),
    HostState(3, "desk1", frozenset({"board:pi5"}), lab="desk", silent_s=1, locked=True, locked_by="ann",
              lock_reason="new camera"),
    HostState(4, "desk2", lab="desk", silent_s=1, status="Repair Failed", status_reason="no power"),
    HostState(5, "far1", frozenset({"board:pi4"}), lab="far", silent_s=500),
]  # fmt: skip


def names(**asked):
    lines = lab_view.lines(HOSTS, DEAD_AFTER_S)
    return [line.hostname for line in lab_view.chosen(lines, Look(NOW, HOSTS, []), Question(**asked))]


def line_of(hostname):
    return next(line for line in lab_view.lines(HOSTS, DEAD_AFTER_S) if line.hostname == hostname)


def queue(key, **facts):
    row = {"key": key, "labels": ["board:pi4"], "host": None, "entries": 1, "priority": 40, "hosts": 1, "free": 0}
    return {**row, "oldest_job": 1, "waiting_since": "2026-03-01 11:00:00", "served": True, "why": "", **facts}


def test_hosts_come_in_natural_order():
    assert names() == ["desk1", "desk2", "far1", "rack1-host9", "rack1-host10"]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"search": "HOST9"}, ["rack1-host9"]),
        ({"search": "board:pi4 rack1"}, ["rack1-host9", "rack1-host10"]),
        ({"search": "job 12"}, ["rack1-host9"]),
        ({"search": "camera"}, ["desk1"]),
        ({"search": "nowhere"}, []),
        ({"state": "free"}, ["rack1-host10"]),
        ({"state": "busy"}, ["rack1-host9"]),
        ({"state": "blocked"}, ["desk1", "desk2", "far1"]),
        ({"state": "Locked"}, ["desk1"]),
        ({"state": "Repair Failed"}, ["desk2"]),
        ({"lab": "desk"}, ["desk1", "desk2"]),
        ({"lab": "desk", "search": "pi5"}, ["desk1"]),
    ],
)
def test_only_what_was_asked_for_is_listed(asked, found):
    assert names(**asked) == found


@pytest.mark.parametrize(
    ("hostname", "word", "tone", "note"),
    [
        ("rack1-host10", "Ready", "free", ""),
        ("rack1-host9", "Running", "busy", ""),
        ("desk1", "Locked", "held", "locked by ann (new camera)"),
        ("desk2", "Repair Failed", "blocked", "no power"),
        ("far1", "Without a worker", "blocked", "of lab far, no worker seen for 500 s"),
    ],
)
def test_a_host_says_its_state_in_words(hostname, word, tone, note):
    line = line_of(hostname)
    assert (line.word, line.tone, line.note) == (word, tone, note)


def test_a_busy_host_that_is_locked_says_so():
    host = HostState(1, "h1", lab="a", silent_s=1, holder=Holder(1, "verify", None), locked=True, locked_by="ann",
                     lock_reason="cable")  # fmt: skip
    (line,) = lab_view.lines([host], DEAD_AFTER_S)
    assert (line.standing, line.note) == ("busy", "then locked by ann (cable)")


def test_hosts_are_counted_by_where_they_stand():
    assert lab_view.counts(lab_view.lines(HOSTS, DEAD_AFTER_S)) == {"": 5, "free": 1, "busy": 1, "blocked": 3}


def test_what_can_be_chosen_is_what_there_is():
    states, labs = lab_view.choices(lab_view.lines(HOSTS, DEAD_AFTER_S))
    assert states == ("Locked", "Ready", "Repair Failed", "Running", "Without a worker")
    assert labs == ("desk", "far", "rack1")


def test_queues_that_nobody_serves_come_first_then_the_fullest():
    rows = [queue("a", entries=2), queue("b", entries=9), queue("c", served=False, why="no host carries board:x")]
    lines = lab_view.queue_lines(Look(NOW, [], rows), NOW)
    assert [line.key for line in lines] == ["c", "b", "a"]
    assert lines[0].why == "no host carries board:x"
    assert lines[0].oldest is not None
    assert lines[0].oldest.age == "1 h"


def test_a_queue_links_to_the_hosts_it_may_use():
    rows = [queue("a", labels=["board:pi4", "pool:a&b"]), queue("b", labels=[], host="rack1-host9")]
    by_labels, bound = lab_view.queue_lines(Look(NOW, [], rows), NOW)
    assert dict(parse_qsl(by_labels.address[1:])) == {"q": "board:pi4 pool:a&b"}
    assert bound.wants == ("host rack1-host9",)
    assert dict(parse_qsl(bound.address[1:])) == {"q": "rack1-host9"}


def test_a_host_shows_its_step_its_lease_and_its_last_result():
    doing = Doing(71, "run_test", "sleeptest", 12, NOW - datetime.timedelta(seconds=33), True, "12-ann/.runs/71")
    last = Last(9, "perftest", "Failed", NOW - datetime.timedelta(days=3), "9-ann/rack1-host9")
    page = Page.of([line_of("rack1-host9")], 1, 50)
    seen = {StepKey("run_test", "rack1-host9", 12): "u1"}
    (line,) = lab_view.detailed(page, Details({2: doing}, {2: last}), seen, NOW).lines
    assert (line.task, line.doing, line.last) == ("u1", doing, last)
    assert (line.since.age, line.since.clock) == ("30 s", "11:59:27")
    assert (line.ended.age, line.ended.clock) == ("3 d", "2026-02-26 12:00")
    assert not line.last_is_good


@pytest.mark.parametrize(
    ("status", "failed", "good"), [("Completed", 0, True), ("Completed", 1, False), ("Aborted", 0, False)]
)
def test_a_last_result_is_good_when_its_job_completed_and_no_test_failed(status, failed, good):
    last = Last(9, "perftest", status, NOW, "9-ann/rack1-host9", failed)
    (line,) = lab_view.detailed(Page.of([line_of("rack1-host9")], 1, 50), Details({}, {2: last}), {}, NOW).lines
    assert line.last_is_good is good


def test_a_step_that_nobody_began_has_no_task():
    doing = Doing(71, "run_test", "sleeptest", 12, NOW, False, "12-ann/.runs/71")
    seen = {StepKey("run_test", "rack1-host9", 12): "the one before"}
    (line,) = lab_view.detailed(Page.of([line_of("rack1-host9")], 1, 50), Details({2: doing}, {}), seen, NOW).lines
    assert line.task == ""


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(-5, "0 s"), (4, "0 s"), (59, "55 s"), (60, "1 min"), (3599, "59 min"), (3600, "1 h"), (172_800, "2 d")],
)
def test_an_age_is_coarse(seconds, shown):
    assert lab_view.age(seconds) == shown


@pytest.mark.parametrize("number", ["0", "-1", "x", "", "²", "9" * 30, " 2"])
def test_a_page_that_makes_no_sense_is_the_first(number):
    assert Question.parse({"page": number, "queues": number}) == Question()


def test_a_page_behind_the_last_is_the_last():
    page = Page.of(range(101), 9, 50)
    assert (list(page.lines), page.number, page.pages, page.first) == ([100], 3, 3, 101)


def test_nothing_is_one_empty_page():
    page = Page.of([], 1, 50)
    assert (list(page.lines), page.number, page.pages, page.total) == ([], 1, 1, 0)


TEXTS = strategies.text(strategies.characters(exclude_categories=["Cs"]), max_size=50)


@hypothesis.given(search=TEXTS.map(str.strip), state=TEXTS, lab=TEXTS, page=strategies.integers(1, 999_999))
def test_an_address_asks_the_same_question_again(search, state, lab, page):
    question = Question(search, state, lab, page)
    assert Question.parse(dict(parse_qsl(question.address()[1:]))) == question
