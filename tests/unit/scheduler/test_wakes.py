"""Wakes go to the queue of who can act, at the step of how urgent it is."""

from __future__ import annotations

import pytest

from autotest.scheduler import wakes
from autotest.states import Step


@pytest.mark.parametrize(
    ("priority", "step"),
    [(1000, 1), (80, 1), (79, 2), (70, 2), (60, 3), (50, 4), (40, 5), (30, 6), (20, 7), (19, 8), (0, 8), (-50, 8)],
)
def test_any_priority_takes_the_rung_at_or_below_it(priority, step):
    assert wakes.entry_queued("k", priority, False, "").step == step
    assert wakes.suite_queued(1, priority, "").step == step


def test_who_names_a_host_goes_first():
    assert wakes.entry_queued("k", -50, True, "").step == 1


def test_running_entries_go_before_all_that_wait():
    assert wakes.step_due("desk", 7, Step.REPAIR, "")[:4] == ("lab.desk", "autotest.repair", (7,), 0)
    assert wakes.parse_due("desk", 7, "")[:4] == ("results.desk", "autotest.parse", (7,), 0)
    assert wakes.parse_due(None, 7, "")[:4] == ("suites", "autotest.parse", (7,), 0)
    assert wakes.suite_ended(7, "")[:4] == ("suites", "autotest.finish_suite", (7,), 0)


def test_a_wake_for_a_freed_host_is_spare_and_one_for_a_new_entry_is_not():
    assert wakes.queue_waits("k", 40, False, "a").spare
    assert not wakes.entry_queued("k", 40, False, "a").spare
