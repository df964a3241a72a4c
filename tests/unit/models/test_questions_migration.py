"""Migration 0003 keeps the last of the questions that somebody saved twice under one name."""

from __future__ import annotations

import pytest

from autotest.models import database, schema
from autotest.models.tko import SavedQuery


@pytest.fixture
def before(empty_database):
    """A database as it was before the migration."""
    database.connect(empty_database)
    with database.connection():
        schema.migrate()
        schema.take_back("0003_questions")
        yield


@pytest.mark.usefixtures("before")
def test_saved_twice_the_last_one_stays():
    for name, token in (("a", "old"), ("b", "only"), ("a", "new")):
        SavedQuery.create(owner="ann", name=name, url_token=token)
    SavedQuery.create(owner="bob", name="a", url_token="bob's")

    schema.migrate()

    kept = {(row.owner, row.name): row.url_token for row in SavedQuery.select()}
    assert kept == {("ann", "a"): "new", ("ann", "b"): "only", ("bob", "a"): "bob's"}
    assert schema.differences() == []
