"""The tables of states.py close: every state is somewhere, and every entry can end."""

from __future__ import annotations

import pytest

from autotest import states
from autotest.states import EntryStatus, HostStatus, Outcome, Priority, TaskKind


def test_final_states_lead_nowhere():
    ends = {EntryStatus.COMPLETED, EntryStatus.FAILED, EntryStatus.ABORTED, EntryStatus.STOPPED, EntryStatus.TEMPLATE}
    assert ends == states.FINAL


@pytest.mark.parametrize("status", sorted(set(EntryStatus) - states.FINAL))
def test_every_open_entry_can_reach_a_final_state(status):
    reached, fresh = set(), {status}
    while fresh:
        reached |= fresh
        fresh = {after for before in fresh for after in states.MAY_FOLLOW.get(before, ())} - reached
    assert reached & states.FINAL


@pytest.mark.parametrize("status", sorted(states.MAY_FOLLOW))
def test_no_state_follows_itself(status):
    assert status not in states.MAY_FOLLOW[status]


def test_only_parsing_ends_what_ran():
    for status in (EntryStatus.RUNNING, EntryStatus.GATHERING):
        assert not states.MAY_FOLLOW[status] & states.FINAL
    assert states.MAY_FOLLOW[EntryStatus.PARSING] <= states.FINAL


@pytest.mark.parametrize("status", sorted(states.ACTIVE))
def test_an_active_entry_may_be_queued_again(status):
    assert EntryStatus.QUEUED in states.MAY_FOLLOW[status]


def test_every_task_shows_on_its_host():
    assert set(states.HOST_STATUS_OF) == set(TaskKind)
    assert set(states.HOST_STATUS_OF.values()) <= set(HostStatus)


@pytest.mark.parametrize(
    ("value", "priority"),
    [("cq", 70), ("Super", 80), (" postbuild ", 30), ("90", 90), ("-5", -5), (110, 110)],
)
def test_a_priority_is_a_name_or_a_number(value, priority):
    assert states.priority_of(value) == priority


def test_an_unknown_priority_names_the_ladder():
    with pytest.raises(ValueError, match="'urgent' is neither a number nor one of WEEKLY, DAILY"):
        states.priority_of("urgent")


@pytest.mark.parametrize(
    ("priority", "step"), [(1000, 1), (90, 1), (80, 1), (79, 2), (70, 2), (40, 5), (20, 7), (19, 8), (0, 8), (-50, 8)]
)
def test_any_priority_takes_the_rung_at_or_below_it(priority, step):
    assert states.broker_step(priority) == step


def test_the_ladder_keeps_its_order_in_the_broker():
    steps = [states.broker_step(priority) for priority in sorted(Priority)]
    assert steps == sorted(steps, reverse=True)
    assert len(set(steps)) == len(Priority)


@pytest.mark.parametrize(
    ("status", "than", "worse"),
    [
        ("FAIL", Outcome.WARN, True),
        ("ABORT", Outcome.FAIL, True),
        ("WARN", Outcome.WARN, False),
        ("GOOD", Outcome.WARN, False),
        ("TEST_NA", Outcome.GOOD, False),
        ("gone", Outcome.GOOD, False),
    ],
)
def test_severity_goes_from_abort_to_nostatus_and_test_na_is_apart(status, than, worse):
    assert states.is_worse(status, than) is worse
