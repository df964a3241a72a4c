"""Labels, attributes and saved questions: what people add to results, and take away."""

from __future__ import annotations

import pytest

from autotest import errors
from autotest.models.tko import TestAttribute as Attribute
from autotest.models.tko import TestResult as Result
from autotest.results.query import attributes, labels, saved, table
from autotest.results.query.questions import History, Matrix, Question


@pytest.fixture
def ask(results):
    """The ids for which a condition holds."""
    return lambda where="", **flags: table.matching(Question(where, **flags), results.now)


def test_a_label_goes_on_and_off(results, ask):
    first, second = results.add("a"), results.add("b")
    labels.create("flaky", "passes at times")

    assert labels.add("flaky", Question("test = a"), results.now) == 1
    assert labels.add("flaky", Question("id > 0"), results.now) == 1
    assert ask("label = flaky") == [first, second]
    assert labels.known() == [("flaky", "passes at times", 2), ("invalidated", "", 0)]
    assert labels.remove("flaky", Question("test = a"), results.now) == 1
    assert ask("label = flaky") == [second]


def test_an_invalidated_result_is_left_out_until_it_is_restored(results, ask):
    first, second = results.add("a"), results.add("b")

    assert labels.add("invalidated", Question("test = a"), results.now) == 1
    assert ask() == [second]
    assert Result.get_by_id(first).invalid

    assert labels.remove("invalidated", Question("test = a"), results.now) == 1
    assert ask() == [first, second]


def test_what_was_retried_stays_out_when_its_label_goes(results, ask):
    original = results.add("a", invalid=True, job={"afe_job_id": 7})
    retry = results.add("a", keyvals={"retry_original_job_id": "7"})
    labels.add("invalidated", Question("id > 0", with_invalid=True), results.now)

    labels.remove("invalidated", Question("id > 0"), results.now)

    assert ask() == [retry]
    assert Result.get_by_id(original).invalid


def test_a_dry_run_changes_nothing(results, ask):
    results.add("a")
    labels.create("flaky")

    assert labels.add("flaky", Question("test = a"), results.now, dry_run=True) == 1
    assert ask("label = flaky") == []
    labels.add("flaky", Question("test = a"), results.now)
    assert labels.remove("flaky", Question("test = a"), results.now, dry_run=True) == 1
    assert labels.delete("flaky", dry_run=True) == 1
    assert len(ask("label = flaky")) == 1


def test_a_deleted_label_leaves_the_results(results, ask):
    mine = results.add(labels=["flaky"])

    assert labels.delete("flaky") == 1

    assert ask() == [mine]
    assert [each.name for each in labels.known()] == ["invalidated"]


@pytest.mark.parametrize("act", [labels.add, labels.remove])
def test_all_results_at_once_are_refused(results, act):
    with pytest.raises(errors.ValidationError, match="say which results"):
        act("invalidated", Question(" "), results.now)


def test_an_unknown_label_is_named(results):
    labels.create("flaky")
    with pytest.raises(errors.NotFound, match="no test label is called 'flakey'; did you mean 'flaky'"):
        labels.add("flakey", Question("id > 0"), results.now)


def test_too_many_results_at_once_are_refused(results, monkeypatch):
    monkeypatch.setattr(table, "MOST_ROWS", 1)
    results.add()
    results.add()
    with pytest.raises(errors.TooManyRows, match="more than 1 results; narrow it"):
        labels.add("invalidated", Question("id > 0"), results.now)


@pytest.mark.usefixtures("results")
def test_names_of_labels_are_short_and_print():
    for name in ("", " a", "a\n", "x" * 81):
        with pytest.raises(errors.ValidationError, match="name: "):
            labels.create(name)
    labels.create("x" * 80, "one")
    labels.create("x" * 80, "two")
    assert labels.known()[1].description == "two"
    with pytest.raises(errors.ValidationError, match="always exists"):
        labels.delete("invalidated")


def test_people_give_results_attributes_beside_the_tests_own(results, ask):
    mine = results.add(attributes={"version": "1"})

    assert attributes.set_on("bug", "4711", Question("id > 0"), results.now) == 1
    assert attributes.set_on("bug", "4712", Question("id > 0"), results.now) == 1
    assert ask("attr.bug = 4712") == [mine]
    assert Attribute.get(Attribute.attribute == "bug").user_created
    with pytest.raises(errors.ValidationError, match=rf"result {mine} wrote 'version' itself"):
        attributes.set_on("version", "2", Question("id > 0"), results.now)
    attributes.set_on("bug", None, Question("id > 0"), results.now)
    assert ask("attr.bug = none") == [mine]
    for name, where in (("", "id > 0"), ("bug", " ")):
        with pytest.raises(errors.ValidationError):
            attributes.set_on(name, "1", Question(where), results.now)


@pytest.mark.usefixtures("results")
def test_a_question_is_saved_under_a_name_of_its_owner():
    saved.save("ann", "nightly", Matrix(last=20))
    saved.save("ann", "nightly", Matrix(last=10))
    saved.save("bob", "nightly", History(test="ping"))

    assert saved.load("ann", "nightly") == Matrix(last=10)
    assert saved.all_of("ann") == [("ann", "nightly", "view=matrix&last=10")]
    assert [each.owner for each in saved.all_of()] == ["ann", "bob"]
    saved.delete("ann", "nightly")
    for act in (saved.load, saved.delete):
        with pytest.raises(errors.NotFound, match="ann saved no question as 'nightly'; saved: nothing"):
            act("ann", "nightly")
    with pytest.raises(errors.ValidationError, match="name"):
        saved.save("ann", "", Matrix())
