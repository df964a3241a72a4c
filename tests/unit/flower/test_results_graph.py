"""Saved questions as pictures: drawn once, again when they are too old, and never more of them than fit."""

from __future__ import annotations

import datetime

import pytest

from autotest import errors
from autotest.flower import results_graph
from autotest.flower.results_graph import Pictures
from autotest.models import database
from autotest.models.tko import Kernel, Machine, Status, TkoJob
from autotest.models.tko import TestResult as Result
from autotest.results.query import saved
from autotest.results.query.questions import Matrix, Qualification

NOW = datetime.datetime(2026, 11, 21, 12, 0, tzinfo=datetime.timezone.utc)
AGE = datetime.timedelta(minutes=10)


def add_result(host):
    machine = Machine.create(hostname=host)
    kernel, _ = Kernel.get_or_create(printable="UNKNOWN")
    job = TkoJob.create(tag=f"17-ann/{host}", machine=machine)
    Result.create(test="t", job=job, machine=machine, kernel=kernel, status=Status.get(word="GOOD"))


@pytest.fixture
def lab(migrated_database):
    """One machine, of which ann saved a question that can be drawn, and one that cannot."""
    database.connect(migrated_database)
    with database.connection():
        add_result("h1")
        saved.save("ann", "fit", Qualification())
        saved.save("ann", "sheet", Matrix())


def test_a_picture_is_drawn_again_when_it_is_too_old(lab):
    pictures = Pictures()
    first = pictures.of("ann", "fit", AGE, NOW)
    with database.connection():
        add_result("h2")

    assert pictures.of("ann", "fit", AGE, NOW + AGE / 2) == first
    later = pictures.of("ann", "fit", AGE, NOW + AGE)
    assert later.startswith(b"<svg")
    assert later != first


def test_who_wants_no_old_one_gets_a_new_one(lab):
    pictures = Pictures()
    first = pictures.of("ann", "fit", AGE, NOW)
    with database.connection():
        add_result("h2")

    assert pictures.of("ann", "fit", datetime.timedelta(0), NOW) != first


@pytest.mark.parametrize(
    ("owner", "name", "error"),
    [("ann", "nope", errors.NotFound), ("eve", "fit", errors.NotFound), ("ann", "sheet", errors.ValidationError)],
)
def test_what_cannot_be_drawn_is_told_and_not_kept(lab, owner, name, error):
    with pytest.raises(error):
        Pictures().of(owner, name, AGE, NOW)


def test_the_oldest_picture_makes_room(lab, monkeypatch):
    monkeypatch.setattr(results_graph, "_KEPT", 1)
    pictures = Pictures()
    with database.connection():
        saved.save("ann", "other", Qualification(interval=50))
    first = pictures.of("ann", "fit", AGE, NOW)
    pictures.of("ann", "other", AGE, NOW + AGE / 10)
    with database.connection():
        add_result("h2")

    assert pictures.of("ann", "fit", AGE, NOW + AGE / 5) != first
