"""An empty database to write results into, and the command that exports them."""

from __future__ import annotations

import pytest
from click.testing import CliRunner
from stored_results import StoredResults

from autotest import cli
from autotest.models import database


@pytest.fixture
def stored(db: str, monkeypatch, tmp_path) -> StoredResults:
    """stored.add(build, test, status, ...) writes a result; the commands use that database."""
    monkeypatch.setenv("AUTOTEST_DATABASE", db)
    monkeypatch.setenv("AUTOTEST_ROOT", str(tmp_path))
    return StoredResults()


@pytest.fixture
def export(stored):
    """export(*arguments, code=0) runs the command and returns what it printed."""

    def run(*arguments: object, code: int = 0) -> str:
        # The command opens its own connection, as in a process of its own.
        database.db.close()
        done = CliRunner().invoke(cli.main, ["results", "export", *map(str, arguments)])
        database.db.connect(reuse_if_open=True)
        assert done.exit_code == code, done.output
        return done.output

    return run
