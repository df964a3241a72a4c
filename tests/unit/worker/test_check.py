"""Check: what is said of the database and the broker; hosts are looked at in tests/integration/worker."""

from __future__ import annotations

import pytest

from autotest import api
from autotest.host_info import HostInfo
from autotest.models import database
from autotest.models.lab import Lab
from autotest.settings import Settings
from autotest.worker import broker_facts, check
from autotest.worker.broker_facts import Facts
from autotest.worker.lab_config import LabConfig

DESK = LabConfig("desk", (HostInfo("rack1-h1"),), 5)


def found_in(findings) -> dict[str, tuple[str, str]]:
    return {each.check: (each.level, each.text) for each in findings}


def test_a_migrated_database_is_in_order_and_nothing_is_written(migrated_database):
    found = found_in(check.ledger(DESK, Settings(database=migrated_database), 5))

    assert {name: level for name, (level, _) in found.items()} == dict.fromkeys(
        ("reachable", "migrated", "writable", "lab"), "ok"
    )
    with database.connection():
        assert Lab.select().count() == 0


def test_a_drained_lab_is_a_warning(installation):
    installation.lab("desk")
    api.drain_lab("desk", "new switch")
    found = found_in(check.ledger(DESK, installation.settings, 5))
    assert found["lab"] == ("warn", "desk is drained by ann: new switch")


def test_a_lab_that_ran_before_says_how_often(installation):
    installation.lab("desk")
    assert found_in(check.ledger(DESK, installation.settings, 5))["lab"] == ("ok", "desk, incarnation 1")


@pytest.mark.parametrize(("mode", "level"), [(0o600, "ok"), (0o644, "fail")])
def test_a_password_file_is_for_us_alone(installation, tmp_path, mode, level):
    secret = tmp_path / "secret"
    secret.write_text("hunter2")
    secret.chmod(mode)
    settings = Settings(root=installation.settings.root, database_password_file=str(secret))
    found = found_in(check.ledger(DESK, settings, 5))["database_password_file"]
    assert found[0] == level
    assert "hunter2" not in found[1]


@pytest.mark.parametrize(
    ("facts", "levels"),
    [
        (Facts("9.1.2", 0, "noeviction", True), {"version": "ok", "maxmemory-policy": "ok", "appendonly": "ok"}),
        (Facts("7.0.15", 0, "allkeys-lru", False), {"version": "ok", "maxmemory-policy": "warn", "appendonly": "warn"}),
        (Facts("4.0.9", 9, "allkeys-lru", True), {"version": "fail", "maxmemory-policy": "fail", "appendonly": "ok"}),
        (Facts(), {"version": "warn"}),
    ],
)
def test_a_broker_is_judged_by_what_it_says_of_itself(monkeypatch, facts, levels):
    monkeypatch.setattr(broker_facts, "look", lambda: facts)
    found = found_in(check.broker(Settings(), 0))
    assert {name: level for name, (level, _) in found.items()} == {"reachable": "ok", **levels}
