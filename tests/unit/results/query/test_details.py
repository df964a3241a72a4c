"""Details: every fact that is stored of a result, and nothing of its neighbours."""

from __future__ import annotations

import pytest

from autotest import errors
from autotest.models.tko import IterationAttribute, IterationPerfValue
from autotest.models.tko import TestAttribute as Attribute
from autotest.results.query import answers, details
from autotest.results.query.questions import Details


def ask(results, where, **more):
    return answers.to(Details(where, **more), results.now)


def test_a_result_is_told_with_all_that_is_stored_of_it(results):
    results.add("other", attributes={"x": "1"}, perf={"fps": [9.0]}, labels=["b"], keyvals={"k": "w"})
    index = results.add(
        "gpu",
        "FAIL",
        job={**results.build("R1-1.0.0"), "tag": "17-ann/h1"},
        reason="slow",
        labels=["known", "flaky"],
        keyvals={"experimental": "True"},
        attributes={"version": "1"},
        perf={"fps": [1.0, None]},
    )
    Attribute.create(test=index, attribute="bug", value="4711", user_created=True)
    IterationAttribute.insert(test=index, iteration=4, attribute="mode", value="fast").execute()
    metric = {"iteration": 1, "description": "boot", "value": 1.5, "stddev": 0.5, "units": "s", "graph": "times"}
    IterationPerfValue.insert(test=index, higher_is_better=False, **metric).execute()

    (told,) = ask(results, f"id = {index}").to_json()["results"]

    assert told["facts"] | {"test": "gpu", "status": "FAIL", "reason": "slow", "build": "R1-1.0.0"} == told["facts"]
    assert told["facts"]["finished"] == "2026-11-17 10:00:00"
    assert told["folder"] == "17-ann/h1/gpu"
    assert told["labels"] == ("flaky", "known")
    assert told["attributes"] == {"version": "1"}
    assert told["given"] == {"bug": "4711"}
    assert told["keyvals"] == {"experimental": "True"}
    assert told["iterations"] == [
        {"number": 1, "attributes": {}, "perf": {"fps": 1.0}},
        {"number": 2, "attributes": {}, "perf": {"fps": None}},
        {"number": 4, "attributes": {"mode": "fast"}, "perf": {}},
    ]
    (found,) = told["metrics"]
    assert (found["graph"], found["description"], found["value"], found["deviation"]) == ("times", "boot", 1.5, 0.5)
    assert found["higher_is_better"] is False


def test_a_retry_and_what_it_retries_know_each_other(results):
    first = results.add("ping", "FAIL", invalid=True)
    second = results.add("ping", invalidates_test=first)

    newest, oldest = ask(results, "test = ping", with_invalid=True).results

    assert (newest.retries, newest.retried_as) == (first, None)
    assert (oldest.retries, oldest.retried_as) == (None, second)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("17-ann/h1/sub/gpu", {"gpu"}),
        ("/17-ann/h1/", {"gpu"}),
        ("17-ann", set()),
        ("17-ann/h1/sub", set()),
        ("it's (odd)/x", {"odd"}),
    ],
)
def test_a_folder_names_its_results(results, name, meant):
    results.add("gpu", job={"tag": "17-ann/h1"}, subdir="sub/gpu")
    results.add("net", job={"tag": "18-ann/h1"}, subdir="sub/gpu")
    results.add("odd", job={"tag": "it's (odd)"}, subdir="x")

    assert {one.facts["test"] for one in ask(results, details.named(name)).results} == meant


def test_many_results_take_as_many_queries_as_one(results):
    for _ in range(30):
        results.add(attributes={"a": "1"}, keyvals={"k": "v"}, perf={"fps": [1.0]}, labels=["x"])

    with results.queries(10):
        found = ask(results, "test = ping", limit=20)

    assert len(found.results) == 20
    assert found.more


def test_values_without_end_are_refused(results, monkeypatch):
    monkeypatch.setattr(details, "MOST_VALUES", 3)
    index = results.add(perf={"fps": [1.0, 2.0, 3.0, 4.0]})

    with pytest.raises(errors.TooManyRows, match="more than 3 values"):
        ask(results, f"id = {index}")
