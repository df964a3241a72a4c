"""Predicates: what each kind means, that they compose, and that their JSON reads back."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autotest import errors
from autotest.control_file import ControlFile
from autotest.suite import predicates
from autotest.suite.predicates import (
    All,
    AnyOf,
    Attributes,
    FieldIn,
    InSuite,
    Listed,
    Named,
    NameMatches,
    Needs,
    Not,
    PathMatches,
    Predicate,
    Tagged,
)

TEST = ControlFile(
    path="control/net/control.fast",
    name="net_Ping",
    suite="bvt,smoke",
    attributes=frozenset({"suite:bvt", "suite:smoke", "subsystem:wifi"}),
    time="Short",
    test_type="CLIENT",
    test_class="network",
    test_category="functional",
    author="a@b.co",
    dependencies=frozenset({"servo", "Wificell"}),
)


@pytest.mark.parametrize(
    ("predicate", "holds"),
    [
        (InSuite("bvt"), True),
        (InSuite("bv"), False),
        (InSuite("BVT"), False),
        (Tagged("subsystem:wifi"), True),
        (Tagged("subsystem"), False),
        (Named("net_Ping"), True),
        (Named("net_"), False),
        (NameMatches("net"), True),
        (NameMatches("Ping"), False),
        (NameMatches("^net_P.*$"), True),
        (PathMatches("control/net"), True),
        (PathMatches("net"), False),
        (Attributes("suite:bvt and not subsystem:power"), True),
        (Attributes("suite:bvt and subsystem:power"), False),
        (FieldIn("time", ("SHORT", "medium")), True),
        (FieldIn("time", ("FAST",)), False),
        (FieldIn("test_type", ("client",)), True),
        (FieldIn("test_class", ("Network",)), True),
        (FieldIn("test_category", ("stress",)), False),
        (FieldIn("author", ("A@B.co",)), True),
        (FieldIn("time", ()), False),
        (Needs("servo"), True),
        (Needs("wificell"), False),
        (Listed(frozenset({"control/net/control.fast"})), True),
        (Listed(frozenset()), False),
        (All(()), True),
        (AnyOf(()), False),
        (InSuite("bvt") & Needs("servo"), True),
        (InSuite("bvt") & Needs("modem"), False),
        (InSuite("x") | Needs("servo"), True),
        (~InSuite("bvt"), False),
        (InSuite("bvt") & ~(Needs("servo") | Needs("x")), False),
    ],
    ids=str,
)
def test_a_predicate_means_what_it_says(predicate, holds):
    assert predicate.holds(TEST) is holds
    assert predicates.from_json(json.loads(json.dumps(predicate.to_json()))) == predicate


@pytest.mark.parametrize("predicate", [NameMatches(""), FieldIn("time", ("short",)), InSuite("x"), Named("x")])
def test_a_test_that_says_nothing_breaks_nothing(predicate):
    assert predicate.holds(ControlFile()) in (True, False)


def test_long_chains_stay_flat():
    chain: Predicate = Named("0")
    for number in range(1, 200):
        chain = chain | Named(str(number))
    assert isinstance(chain, AnyOf)
    assert len(chain.parts) == 200
    assert predicates.from_json(chain.to_json()) == chain


def test_a_predicate_reads_aloud():
    wanted = InSuite("bvt") & ~(Needs("servo") | FieldIn("time", ("LONG", "LENGTHY")))
    assert str(wanted) == "in suite bvt and not (that needs servo or of time long or lengthy)"


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (None, "None is not a JSON object"),
        ({}, "must have one key"),
        ({"suite": "a", "name": "b"}, "must have one key"),
        ({"planet": "mars"}, "'planet' is not one of suite, tag, name"),
        ({"suite": 7}, "7 must be text"),
        ({"all": {"suite": "a"}}, "must be a list"),
        ({"any": ["suite"]}, "'suite' is not a JSON object"),
        ({"name_matches": "("}, "'(' is not a regular expression"),
        ({"path_matches": "a" * 1001}, "at most 1000 characters"),
        ({"attributes": "a and"}, "character 6"),
        ({"field": "doc", "in": ["x"]}, "'doc' is not one of time, test_type"),
        ({"field": "time", "in": ["soon"]}, "time 'soon' is not one of fast, short"),
        ({"paths": [1]}, "1 must be text"),
    ],
)
def test_what_is_no_predicate_is_shown(data, text):
    with pytest.raises(errors.SuiteArgumentException) as caught:
        predicates.from_json(data)
    assert text in str(caught.value)


def test_nesting_is_bounded():
    data: dict[str, object] = {"suite": "a"}
    for _ in range(5000):
        data = {"not": data}
    with pytest.raises(errors.SuiteArgumentException, match="nested deeper than 50"):
        predicates.from_json(data)


@pytest.mark.parametrize(
    ("predicate", "costly"),
    [
        (InSuite("a"), False),
        (NameMatches("a"), True),
        (Not(All((InSuite("a"), AnyOf((PathMatches("a"),))))), True),
        (AnyOf(tuple(Named(str(number)) for number in range(99))), False),
        (AnyOf(tuple(Named(str(number)) for number in range(1000))), True),
        (Attributes(" or ".join(f"suite:{number}" for number in range(500))), True),
        (FieldIn("test_class", tuple(map(str, range(1000)))), True),
        (Listed(frozenset(map(str, range(10000)))), False),
    ],
    ids=["plain", "regex", "regex within", "few", "many", "long", "wide", "listed"],
)
def test_what_may_take_long_is_known(predicate, costly):
    assert predicates.is_costly(predicate) is costly


leaves = (
    st.builds(InSuite, st.text())
    | st.builds(Named, st.text())
    | st.builds(Needs, st.text())
    | st.builds(Tagged, st.text())
    | st.builds(Listed, st.frozensets(st.text()))
    | st.builds(FieldIn, st.just("time"), st.lists(st.sampled_from(["fast", "SHORT"])).map(tuple))
)
anything = st.recursive(
    leaves,
    lambda inner: (
        st.builds(Not, inner)
        | st.builds(All, st.lists(inner, max_size=3).map(tuple))
        | st.builds(AnyOf, st.lists(inner, max_size=3).map(tuple))
    ),
)


@given(anything)
def test_every_predicate_survives_json_and_can_be_asked(predicate):
    again = predicates.from_json(json.loads(json.dumps(predicate.to_json())))
    assert again == predicate
    assert again.holds(TEST) is predicate.holds(TEST)
    assert (~predicate).holds(TEST) is not predicate.holds(TEST)
