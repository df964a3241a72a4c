"""A prepared query asks the same as the query that it was built from."""

from __future__ import annotations

import datetime

import pytest

from autotest.models import database, schema
from autotest.models.afe import Label
from autotest.models.database import transaction
from autotest.models.lab import Lab
from autotest.models.prepared import Prepared

MOMENT = datetime.datetime(2026, 3, 1, 12, 0, 0, 5, tzinfo=datetime.timezone.utc)


@pytest.fixture(autouse=True)
def labels(tmp_path):
    """Labels l1 to l9."""
    database.connect(f"sqlite:///{tmp_path / 'autotest.db'}")
    with database.connection():
        schema.migrate()
        Label.insert_many([{"name": f"l{number}"} for number in range(1, 10)]).execute()
        yield


def test_its_text_is_built_once():
    built = []
    query = Prepared(lambda name: built.append(name) or Label.select(Label.name).where(Label.name == name))

    assert [query.row(name) for name in ("l1", "l2", "gone")] == [("l1",), ("l2",), None]
    assert len(built) == 1


def test_a_list_may_have_any_length():
    query = Prepared(lambda names: Label.select(Label.name).where(Label.name.in_(names)).order_by(Label.name))

    for count in range(10):
        names = [f"l{number}" for number in range(1, count + 1)]
        assert query.rows(names) == [(name,) for name in names]


def test_constants_and_arguments_stand_in_their_places():
    query = Prepared(lambda name, low: Label.select(Label.id).where(Label.id > low, Label.name != name).limit(2))

    assert query.rows("l3", 1) == [(2,), (4,)]


def test_moments_are_stored_as_the_models_store_them():
    insert = Prepared(lambda name, now: Lab.insert(name=name, seen_at=now))
    with transaction():
        lab_id = insert.inserted("desk", MOMENT)

    assert Lab.get_by_id(lab_id).seen_at == MOMENT


def test_an_update_says_how_many_rows_it_changed():
    update = Prepared(lambda name, invalid: Label.update(invalid=invalid).where(Label.name == name))

    assert update.changed("l1", True) == 1
    assert update.changed("gone", True) == 0
    assert Label.get(Label.name == "l1").invalid
