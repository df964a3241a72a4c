"""``autotest worker check`` on MariaDB: a server that may not be written is told from one that is in order."""

from __future__ import annotations

from servers.mariadb import MariaDB

from autotest.settings import Settings
from autotest.worker import check
from autotest.worker.lab_config import LabConfig

DESK = LabConfig("desk", (), 4)


def test_a_read_only_server_fails_at_writable_and_says_why(server: MariaDB, address: str):
    with server.setting(read_only=1):
        (reachable, migrated, usable) = check.ledger(DESK, Settings(database=address), 5)

    assert (reachable.level, migrated.level) == ("ok", "ok")
    assert (usable.check, usable.level) == ("usable", "fail")
    assert "is read-only: " in usable.text


def test_a_server_that_refuses_the_password_is_a_failure_that_shows_none(server: MariaDB, address: str):
    wrong = (
        address.replace("//", "//nobody:hunter2@", 1)
        if "@" not in address
        else address.replace(address.partition("//")[2].partition("@")[0], "nobody:hunter2")
    )

    (found,) = check.ledger(DESK, Settings(database=wrong), 0)

    assert found.level == "fail"
    assert "hunter2" not in found.text
