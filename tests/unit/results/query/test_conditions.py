"""Conditions: what is read, and what is said about what cannot be."""

from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autotest import errors
from autotest.results.query import conditions, fields
from autotest.results.query.conditions import All, Any, Compare, Not, Op

NOW = datetime.datetime(2026, 11, 21, 12, 0, tzinfo=datetime.timezone.utc)
UTC = datetime.timezone.utc


def parse(text):
    return conditions.parse(text, NOW)


def equal(name, *values):
    return Compare(fields.named(name), Op.EQUAL, values)


@pytest.mark.parametrize(
    "text", ["test = a", "test == a", "test='a'", 'test = "a"', " test_name  =\ta ", "test in (a)"]
)
def test_one_comparison_in_many_ways(text):
    assert parse(text) == equal("test", "a")


@pytest.mark.parametrize("text", ["", "  \n"])
def test_nothing_means_everything(text):
    assert parse(text) == conditions.EVERYTHING


@pytest.mark.parametrize(
    "text", ["test=a or host=b and suite=c", "test=a | host=b & suite=c", "test=a || (host=b && suite=c)"]
)
def test_and_binds_closer_than_or(text):
    assert parse(text) == Any((equal("test", "a"), All((equal("host", "b"), equal("suite", "c")))))


@pytest.mark.parametrize(
    "text", ["host != b", "host <> b", "not host = b", "!host=b", "!(host = b)", "host not in (b)"]
)
def test_not_in_many_ways(text):
    assert parse(text) == Not(equal("host", "b"))


def test_a_quote_inside_is_doubled():
    assert parse("reason = 'it''s \"so\"'") == equal("reason", 'it\'s "so"')
    assert parse('reason = "a ""b"""') == equal("reason", 'a "b"')


def test_a_list_has_any_number_of_values():
    assert parse("status in (FAIL, error,'ABORT')") == equal("status", "FAIL", "ERROR", "ABORT")


def test_none_is_no_value_and_in_quotes_a_text():
    assert parse("build = none") == Compare(fields.named("build"), Op.NONE)
    assert parse("build = 'none'") == equal("build", "none")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("-7d", NOW - datetime.timedelta(days=7)),
        ("-90m", NOW - datetime.timedelta(minutes=90)),
        ("2026-11-01", datetime.datetime(2026, 11, 1, tzinfo=UTC)),
        ("2026-11-01T08:30", datetime.datetime(2026, 11, 1, 8, 30, tzinfo=UTC)),
        ("'2026-11-01 08:30:05'", datetime.datetime(2026, 11, 1, 8, 30, 5, tzinfo=UTC)),
        ("2026-11-01T08:30Z", datetime.datetime(2026, 11, 1, 8, 30, tzinfo=UTC)),
        ("2026-11-01T08:30+02:00", datetime.datetime(2026, 11, 1, 6, 30, tzinfo=UTC)),
    ],
)
def test_times_are_utc_or_counted_from_now(text, value):
    assert parse(f"finished >= {text}") == Compare(fields.named("finished"), Op.AT_LEAST, (value,))


@pytest.mark.parametrize(
    ("text", "value"), [("7", 7), ("-7", -7), ("1.5", 1.5), ("1e3", 1000.0), (str(2**70), float(2**70))]
)
def test_numbers(text, value):
    (found,) = parse(f"perf.fps = {text}").values
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("text", "position", "message"),
    [
        ("hots = h1", 1, "no field is called 'hots'; did you mean 'host'? Fields: test, subdir, status"),
        ("test = a and keyvals.x = 1", 14, "did you mean 'keyval.NAME'?"),
        ("keyval = 1", 1, "'keyval' needs a name behind the dot"),
        ("test.x = 1", 1, "'test' has nothing behind a dot; keyval.NAME, attr.NAME, perf.NAME have"),
        ("test", 5, "here is the end; one of = != ~ < <= > >= in should follow"),
        ("test =", 7, "here is the end; a value"),
        ("test = a b", 10, "here is 'b'; 'and', 'or' or the end should follow"),
        ("(test = a", 10, "here is the end; ')' for the '(' at 1 should follow"),
        ("test = a)", 9, "here is ')'"),
        ("test = 'a", 8, "the quote ' is never closed"),
        ("test = and", 8, "here is 'and'; a value (in quotes"),
        ("test < a", 6, "< is for numbers and times; test is text"),
        ("id ~ 1*", 4, "~ is for texts; id is number"),
        ("test ~ none", 8, "only = and != compare with none"),
        ("status = BAD", 10, "'BAD' is no status; statuses: TEST_NA, ABORT"),
        ("perf.fps > fast", 12, "'fast' is no number"),
        ("id = 1_000", 6, "'1_000' is no number"),
        ("id = 1e999", 6, "too large"),
        ("finished > yesterday", 12, "'yesterday' is no time: write 2026-11-21"),
        ("finished > 9999-12-31", 12, "no time"),
        ("finished > 2026-W01", 12, "no time"),
        ("finished > -999999w", 12, "no time"),
        ("invalid = maybe", 11, "neither yes nor no"),
        ("test in a", 9, "'(' should follow"),
        ("test in (a b)", 12, "',' or ')' should follow"),
        ("test not a", 10, "'in' should follow"),
        ("test = a\0", 9, "NUL"),
        ("test = \ud800", 8, "half a character"),
        ("not " * 50 + "test = a", 161, "more than 40"),
        ("(" * 5000, 4000, "at most 4000 characters"),
        (" or ".join(["id=1"] * 300), 1601, "more than 200 comparisons"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_position(text, position, message):
    with pytest.raises(errors.BadCondition) as caught:
        parse(text)

    assert caught.value.position == position
    assert message in str(caught.value)


WORDS = [
    "test",
    "host",
    "perf.x",
    "finished",
    "=",
    "!=",
    "<",
    "~",
    "in",
    "not",
    "and",
    "or",
    "(",
    ")",
    ",",
    "a",
    "1",
    "'",
]


@given(st.text(max_size=60) | st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join))
def test_any_text_is_read_or_refused_at_a_place_in_it(text):
    try:
        read = parse(text)
    except errors.BadCondition as problem:
        position = problem.position
    else:
        position = 1
        assert read == conditions.EVERYTHING or list(conditions.comparisons(read))

    assert 1 <= position <= len(text) + 1


@given(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=30))
def test_a_quoted_value_is_read_as_it_was(text):
    assert parse(f"test = {conditions.quoted(text)}") == equal("test", text)


def test_a_plain_value_is_not_quoted():
    assert conditions.quoted("net_Ping.1") == "net_Ping.1"
    assert conditions.quoted("none") == "'none'"
    assert conditions.quoted("") == "''"
