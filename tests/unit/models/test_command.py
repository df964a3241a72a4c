"""`autotest db`: migrations forth and back, and what differs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from autotest import cli
from autotest.models import database

#: Every migration, the oldest first.
NAMES = sorted(path.stem for path in (Path(database.__file__).parent / "migrations").glob("[0-9]*.py"))


@pytest.fixture
def db(empty_database, monkeypatch):
    """Runs `autotest db ARGUMENTS` on a database without tables."""
    monkeypatch.setenv("AUTOTEST_DATABASE", empty_database)
    return lambda *arguments: CliRunner().invoke(cli.main, ["db", *arguments])


def test_migrate_brings_a_new_database_up_to_the_models(db):
    assert db("migrate").stdout == f"applied {', '.join(NAMES)}\n"
    assert db("migrate").stdout == "Nothing to do.\n"
    result = db("check")
    assert (result.exit_code, result.stdout) == (0, f"{database.described()} matches the models.\n")


def test_a_dry_run_only_says_what_it_would_do(db):
    assert db("migrate", "--dry-run").stdout == f"would apply {', '.join(NAMES)}\n"
    assert "pending" in db("status").stdout
    db("migrate")
    would = db("migrate", "--down", "zero", "--dry-run").stdout
    assert would == f"would take back {', '.join(reversed(NAMES))}\n"
    assert "pending" not in db("status").stdout


@pytest.mark.parametrize("target", ["zero", "0001_initial"])
def test_down_takes_back_and_up_applies_again(db, target):
    db("migrate")
    found = json.loads(db("migrate", "--down", target, "--json").stdout)
    assert found == {"action": "took back", "migrations": NAMES[::-1]}
    assert db("migrate", "--down", "zero").stdout == "Nothing to do.\n"
    assert db("migrate").exit_code == 0
    assert db("check").exit_code == 0


@pytest.mark.parametrize("words", [(), ("--dry-run",)])
def test_down_to_an_unknown_migration_names_the_known(db, words):
    db("migrate")
    result = db("migrate", "--down", "0099", *words)
    assert result.exit_code == 1
    assert "'0099'" in result.stderr
    assert "0001_initial" in result.stderr


def test_check_names_what_is_missing(db):
    db("migrate")
    with database.connection():
        database.db.execute_sql("DROP TABLE afe_autotests_dependency_labels")
        database.db.execute_sql("ALTER TABLE afe_hosts DROP COLUMN status_reason")
    result = db("check", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["differences"] == [
        "table afe_autotests_dependency_labels is missing",
        "column afe_hosts.status_reason is missing",
    ]


def test_status_tells_the_address_and_when_each_was_applied(db):
    db("migrate")
    found = json.loads(db("status", "--json").stdout)
    assert found["database"] == database.described()
    assert [row["name"] for row in found["migrations"]] == NAMES


@pytest.mark.parametrize(
    ("address", "text"),
    [
        ("sqlite:////proc/none/autotest.db", "the database sqlite:////proc/none/autotest.db cannot be opened"),
        ("mysql://root:secret@127.0.0.1:1/afe", "the database mysql://127.0.0.1:1/afe does not answer"),
    ],
)
def test_a_database_that_does_not_answer_is_one_line_and_exit_code_3(db, monkeypatch, address, text):
    monkeypatch.setenv("AUTOTEST_DATABASE", address)
    monkeypatch.setattr("autotest.models.command._PATIENCE", 0.1)
    result = db("status")
    assert result.exit_code == 3
    assert text in result.stderr
    assert "secret" not in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.sqlite(reason="about its file")
def test_a_file_that_is_no_database_is_named(db, tmp_path, monkeypatch):
    monkeypatch.setenv("AUTOTEST_DATABASE", f"sqlite:///{tmp_path}/autotest.db")
    (tmp_path / "autotest.db").write_text("garbage\n" * 1000)
    result = db("status")
    assert result.exit_code == 3
    assert result.stderr == f"autotest: the database sqlite:///{tmp_path}/autotest.db failed: file is not a database\n"
