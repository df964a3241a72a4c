"""``autotest worker check`` against a fleet: what it finds, and that it leaves no trace."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from pathlib import Path

import pytest

from autotest.sim import fleet, scenario


@pytest.fixture
def lab(tmp_path: Path):
    with fleet.running(tmp_path / "fleet", scenario.plain(3)) as running:
        yield running


@pytest.fixture
def check(autotest, own_broker, lab: fleet.Fleet):
    """Runs the check. Returns its exit code, and level and fact by subject and check."""
    broker = own_broker("appendonly yes")
    autotest.settings["broker"] = f"redis://127.0.0.1:{broker.port}/0"

    def run(file: Path | None = None, *options: str):
        done = autotest("worker", "check", file or lab.folder / "lab.toml", "--json", "--limit", "10", *options)
        assert "Traceback" not in done.stderr, done.stderr
        found = json.loads(done.stdout)
        assert found["ok"] == (done.returncode == 0)
        return done.returncode, {
            (row["subject"], row["check"]): (row["level"], row["text"]) for row in found["findings"]
        }

    return run


def traces(lab: fleet.Fleet) -> dict[str, tuple[int, int]]:
    """Every file of every DUT, with its size and when it was written."""
    found = {}
    for folder, _, files in os.walk(lab.folder / "duts"):
        for name in (".", *files):
            status = os.lstat(os.path.join(folder, name))
            found[os.path.join(folder, name)] = (status.st_size, status.st_mtime_ns)
    return found


def test_a_lab_in_order_is_ready(check):
    code, found = check()

    assert code == 0
    assert {level for level, _ in found.values()} == {"ok"}
    assert {subject for subject, _ in found} == {"broker", "database", "results disk", "dut1", "dut2", "dut3"}
    assert {each for subject, each in found if subject == "dut1"} == {
        "labels", "key", "ssh", "host key", "python", "client_dir", "disk", "power",
    }  # fmt: skip


def test_nothing_is_changed_on_a_dut_nor_in_the_database(check, lab, autotest):
    before, decoys = traces(lab), lab.decoys

    check()

    assert traces(lab) == before
    assert lab.decoys == decoys == []
    with sqlite3.connect(autotest.root / "autotest.db") as connection:
        assert connection.execute("SELECT COUNT(*) FROM labs").fetchone() == (0,)
        assert connection.execute("SELECT COUNT(*) FROM afe_hosts").fetchone() == (0,)


def test_each_fault_is_named_at_its_host_and_the_others_are_looked_at(check, lab):
    lab.dut("dut1").power_off()
    lab.dut("dut2").fault("fail_verify_once")

    code, found = check()

    assert code == 1
    assert found["dut1", "ssh"][0] == "fail"
    assert found["dut1", "power"] == ("ok", "command says off")
    assert found["dut2", "python"][0] == "fail"
    assert {level for (subject, _), (level, _) in found.items() if subject == "dut3"} == {"ok"}


def test_a_full_disk_is_a_number(check, lab):
    lab.dut("dut1").fault("full_disk")
    code, found = check()
    assert code == 1
    assert found["dut1", "disk"][0] == "fail"
    assert found["dut1", "disk"][1].endswith(", want 10 MB")


def test_a_client_dir_that_cannot_be_written_is_named(check, lab):
    blocked = lab.dut("dut1").root / "usr"
    shutil.rmtree(blocked)
    blocked.write_text("not a folder")
    code, found = check()
    assert code == 1
    assert found["dut1", "client_dir"][0] == "fail"


def test_hosts_that_hang_babble_and_flood_are_given_up_and_told(check, lab):
    for name, kind in (("dut1", "hang"), ("dut2", "garbage"), ("dut3", "flood")):
        lab.dut(name).fault(kind)

    code, found = check(None, "--limit", "3")

    assert code == 1
    assert "did not answer SSH within 3 s" in found["dut1", "ssh"][1]
    assert "fail" in {level for (subject, _), (level, _) in found.items() if subject == "dut2"}
    assert "wrote more than 65536 bytes" in found["dut3", "ssh"][1]


def test_a_key_that_is_open_to_others_is_a_failure(check, lab):
    (lab.folder / "id_ed25519").chmod(0o644)
    code, found = check()
    assert code == 1
    assert found["dut1", "key"][0] == "fail"
    assert "chmod 600" in found["dut1", "key"][1]


def test_a_host_that_is_not_pinned_is_refused_or_pinned_later_and_never_by_the_check(check, lab):
    known = lab.folder / "known_hosts"
    known.write_text("")

    code, found = check()
    assert code == 1
    assert "pins none for" in found["dut1", "ssh"][1]

    text = (lab.folder / "lab.toml").read_text()
    file = lab.folder / "trusting.toml"
    file.write_text(text.replace("[[host]]", '[[host]]\nhost_key_policy = "trust_first"'))
    code, found = check(file)
    assert code == 0
    assert found["dut1", "ssh"][0] == "ok"
    assert found["dut1", "host key"][0] == "warn"
    assert known.read_text() == ""


def test_a_host_of_another_lab_is_named(check, autotest):
    with sqlite3.connect(autotest.root / "autotest.db") as connection:
        connection.execute(
            "INSERT INTO labs (name, incarnation, worker, drained, drain_reason, drained_by) "
            "VALUES ('rack', 1, '', 0, '', '')"
        )
        connection.execute(
            "INSERT INTO afe_hosts (hostname, locked, status, invalid, protection, lock_reason, dirty, leased, lab_id, "
            "status_reason) VALUES ('dut2', 0, 'Ready', 0, 0, '', 0, 0, 1, '')"
        )
    code, found = check()
    assert code == 1
    assert found["database", "lab"] == ("fail", "dut2 belongs to lab rack; remove it there first")


def test_without_broker_and_database_the_hosts_are_still_looked_at(check, autotest):
    (autotest.root / "autotest.db").unlink()
    autotest.settings["broker"] = "redis://:secret@127.0.0.1:1/0"

    code, found = check(None, "--patience", "0")

    assert code == 1
    assert found["broker", "reachable"][0] == "fail"
    assert "redis://:***@127.0.0.1:1/0" in found["broker", "reachable"][1]
    assert found["database", "reachable"][1].endswith("autotest.db is not there; run: autotest db migrate")
    assert not (autotest.root / "autotest.db").exists()
    assert found["dut1", "ssh"][0] == "ok"


def test_a_broker_that_may_lose_messages_is_said_so(check, autotest, own_broker):
    check_first = own_broker("maxmemory 10mb\nmaxmemory-policy allkeys-lru")
    autotest.settings["broker"] = f"redis://127.0.0.1:{check_first.port}/0"
    code, found = check()
    assert code == 1
    assert found["broker", "maxmemory-policy"][0] == "fail"
    assert found["broker", "appendonly"][0] == "warn"


def test_a_database_that_is_not_migrated_says_what_to_do(check, autotest):
    (autotest.root / "autotest.db").unlink()
    sqlite3.connect(autotest.root / "autotest.db").close()
    code, found = check()
    assert code == 1
    assert "run: autotest db migrate" in found["database", "migrated"][1]


def test_people_get_a_table_and_a_verdict(autotest, check, lab):
    lab.dut("dut1").power_off()
    done = autotest("worker", "check", lab.folder / "lab.toml", "--limit", "5")
    assert done.returncode == 1
    assert done.stdout.strip().splitlines()[-1] == "lab desk: not ready, see dut1"
    assert "does not answer SSH" in done.stdout


def test_a_file_that_cannot_be_read_is_one_line(autotest, tmp_path):
    done = autotest("worker", "check", tmp_path / "nowhere.toml")
    assert done.returncode == 1
    assert done.stderr == f"autotest: {tmp_path / 'nowhere.toml'} cannot be read: No such file or directory\n"
