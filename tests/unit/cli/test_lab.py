"""`autotest lab starvation`: what starves comes first, with the hosts that would fit and what keeps them."""

from __future__ import annotations

import datetime

from autotest import api
from autotest.models import database
from autotest.models.afe import Job


def waits(installation, *labels, hours=2.0, name="nap", owner="ann"):
    """A job that waits since then; returns its id."""
    job_id = api.create_job(name, "pass", dependencies=labels, owner=owner)
    with database.connection():
        Job.update(created_on=database.utc_now() - datetime.timedelta(hours=hours)).where(Job.id == job_id).execute()
    return job_id


def test_a_lab_without_work_has_nothing_to_tell(installation, command):
    shown = command("lab", "starvation").stdout
    assert shown == "Last 24 h: nothing waited longer than 1 h for a machine.\nNothing was tried.\n"


def test_what_starves_is_told_with_its_hosts_and_jobs(installation, command):
    installation.host("h1", ["board:pi4", "wifi"], status="Repair Failed", status_reason="no ping")
    installation.host("h2", ["board:pi4", "wifi"], locked=True, lock_reason="cable")
    job_id = waits(installation, "board:pi4", "wifi", name="b1/smoke/wifi", owner="bob")
    shown = command("lab", "starvation").stdout
    assert shown.startswith("NEWLY STARVES  board:pi4, wifi: 1 entry, longest wait 2 h, 1 wait now\n")
    assert "    h1: Repair Failed (no ping)\n    h2: locked by somebody (cable)\n" in shown
    assert f"  job {job_id} b1/smoke/wifi (bob): waits for 2 h\n" in shown
    assert "Last 24 h: 1 of 1 label sets starve, 1 of them newly; 1 entry without a machine for 1 h or more.\n" in shown
    assert "NEW board:pi4, wifi" in shown


def test_what_starved_before_is_not_new(installation, command):
    installation.host("h1", ["board:pi4"], locked=True)
    waits(installation, "board:pi4", hours=40)
    shown = command("lab", "starvation").stdout
    assert shown.startswith("STARVES  board:pi4")
    assert "0 of them newly" in shown
    assert "NEWLY" in command("lab", "starvation", "--since", "7d").stdout


def test_patience_is_an_option(installation, command):
    installation.host("h1", ["board:pi4"], locked=True)
    waits(installation, "board:pi4", hours=0.5)
    assert "STARVES" not in command("lab", "starvation").stdout
    assert "STARVES" in command("lab", "starvation", "--waiting", "10m").stdout
    assert "is not a duration" in command("lab", "starvation", "--waiting", "soon", code=2).stderr


def test_many_jobs_and_hosts_are_counted_not_listed(installation, command):
    for number in range(10):
        installation.host(f"h{number}", ["board:pi4"], locked=True)
    for number in range(7):
        waits(installation, "board:pi4", hours=2 + number)
    shown = command("lab", "starvation").stdout
    assert "and 2 more hosts (--json)" in shown
    assert "and 2 more entries (--json)" in shown
    jobs = [line for line in shown.splitlines() if line.startswith("  job ")]
    assert (len(jobs), jobs[0]) == (5, "  job 7 nap (ann): waits for 8 h")


def test_label_sets_that_do_not_starve_are_cut_short(installation, command):
    installation.host("h1", ["board:pi4", *(f"extra{number}" for number in range(22))])
    for number in range(22):
        api.create_job("nap", "pass", dependencies=["board:pi4", f"extra{number}"])
    assert "and 2 label sets that do not starve: --all" in command("lab", "starvation").stdout
    assert "extra21" in command("lab", "starvation", "--all").stdout


def test_json_holds_all_of_it(installation, command):
    installation.host("h1", ["board:pi4"], locked=True)
    job_id = waits(installation, "board:pi4")
    (row,) = command.json("lab", "starvation")["label_sets"]
    assert (row["labels"], row["new"], row["jobs"][0]["id"]) == (["board:pi4"], True, job_id)


def test_what_a_job_is_called_cannot_steer_the_terminal(installation, command):
    installation.host("h1", ["board:pi4"], locked=True)
    job_id = waits(installation, "board:pi4")
    with database.connection():
        Job.update(name="\x1b[2Jnap\nSTARVES").where(Job.id == job_id).execute()
    shown = command("lab", "starvation").stdout
    assert "\x1b[2J" not in shown
    assert sum(line.startswith("STARVES") for line in shown.splitlines()) == 0
