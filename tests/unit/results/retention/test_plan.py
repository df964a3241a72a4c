"""The plan: the oldest first, no more than needed, nothing that is kept, no suite before its children."""

from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autotest.results.retention import amounts, plan
from autotest.results.retention.candidates import Candidate

DAY = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)


def candidate(job_id, days, suite_id=None, is_kept=False):
    return Candidate(job_id, f"{job_id}-ann", DAY + datetime.timedelta(days=days), suite_id, is_kept)


PLANS = st.lists(
    st.tuples(st.integers(0, 50), st.sampled_from([None, 1, 2]), st.booleans()), min_size=3, max_size=12
).map(
    lambda rows: [
        candidate(number, days, suite if number > 2 else None, is_kept)
        for number, (days, suite, is_kept) in enumerate(rows, 1)
    ]
)


@given(PLANS, st.sets(st.sampled_from([1, 2])), st.integers(0, 60), st.integers(0, 15))
def test_a_plan_keeps_its_promises(known, held, before, excess):
    cutoff = DAY + datetime.timedelta(days=before)
    leaving = plan.decide(known, held, cutoff, excess, lambda _: 1)
    ids = [each.candidate.job_id for each in leaving]
    gone = set(ids)

    assert len(ids) == len(gone)
    assert not any(each.candidate.is_kept or each.candidate.job_id in held for each in leaving)
    for each in known:
        if each.suite_id in gone:
            assert ids.index(each.job_id) < ids.index(each.suite_id)
    for_room = [each for each in leaving if each.why == "room"]
    assert all(each.candidate.since < cutoff for each in leaving if each.why == "old")
    assert not for_room or len(leaving) <= excess


def test_the_oldest_go_and_no_more_than_needed():
    known = [candidate(1, 3), candidate(2, 1), candidate(3, 2)]
    leaving = plan.decide(known, (), None, 15, lambda _: 10)
    assert [each.candidate.job_id for each in leaving] == [2, 3]


def test_what_is_old_counts_for_the_room():
    known = [candidate(1, 1), candidate(2, 2), candidate(3, 3)]
    leaving = plan.decide(known, (), DAY + datetime.timedelta(days=1.5), 20, lambda _: 10)
    assert [(each.candidate.job_id, each.why) for each in leaving] == [(1, "old"), (2, "room")]


@pytest.mark.parametrize(
    ("text", "size"), [("0", 0), ("512", 512), ("1K", 1024), ("20G", 20 << 30), ("1TiB", 1 << 40), ("3mb", 3 << 20)]
)
def test_sizes_are_read(text, size):
    assert amounts.size_of(text) == size


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (5 << 40, "5.0 TiB"), (5 << 50, "5120.0 TiB")]
)
def test_sizes_are_shown(size, text):
    assert amounts.shown(size) == text


@given(st.text(max_size=10).filter(lambda text: not text.strip()[:1].isdigit()))
def test_other_text_is_neither_size_nor_age(text):
    for read in (amounts.size_of, amounts.age_of):
        with pytest.raises(ValueError, match="is no "):
            read(text)
