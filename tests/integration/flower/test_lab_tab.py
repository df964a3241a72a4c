"""The Lab tab over HTTP: what it shows of the ledger, to whom, and what it says when something is away."""

from __future__ import annotations

import base64
import contextlib
import re
import sqlite3
import urllib.parse
from pathlib import Path

import pytest
from nodes.waiting import until

from autotest.models import database
from autotest.results.retention import prune
from autotest.results.retention.archive import Store

PATIENCE_S = 30.0


def test_every_host_is_shown_with_what_it_does(flower, rows):
    free, busy, locked = rows.hosts(3)
    lease = rows.run(busy)
    rows.lock(locked, "<b>new camera</b>")
    page = flower.get("/lab")
    assert page.code == 200
    assert ">Lab</a>" in page.body
    for host in (free, busy, locked):
        assert host.hostname in page.body
    assert "board:pi4" in page.body
    assert f"lease {lease.id}" in page.body
    assert "locked by ann (&lt;b&gt;new camera&lt;/b&gt;)" in page.body
    assert flower.data()["counts"] == {"": 3, "free": 1, "busy": 1, "blocked": 1}


def test_flowers_own_pages_lead_to_it(flower):
    for path in ("/", "/tasks", "/broker"):
        page = flower.get(path)
        assert (page.code, 'href="/lab"' in page.body) == (200, True), path


def test_behind_a_prefix_every_address_has_it(flower_behind_a_proxy, rows):
    (host,) = rows.hosts(1)
    rows.run(host)
    page = flower_behind_a_proxy.get("/flower/lab")
    assert host.hostname in page.body
    addresses = set(re.findall(r'(?:href|src|action|data-source)="(/[^"]*)"', page.body))
    assert {each for each in addresses if not each.startswith("/flower/")} == set()
    for address in addresses:
        assert flower_behind_a_proxy.get(address).code == 200, address


def test_queues_that_nobody_serves_are_on_top_with_the_reason(flower, rows):
    rows.hosts(1)
    rows.queue(["board:pi4"], entries=5)
    rows.queue(["board:toaster"], entries=2, priority=70)
    data = flower.data()
    assert data["unserved"] == 1
    assert data["html"].index("board:toaster") < data["html"].index(">board:pi4<")
    assert "no host carries board:toaster" in data["html"]
    assert "7 entries wait in 2 queues" in data["html"]


def test_a_thousand_hosts_are_searched_filtered_and_paged(flower, rows):
    rows.hosts(990)
    rows.hosts(10, board="pi5", status="Repair Failed")
    data = flower.data("?page=3")
    assert (data["matching"], data["html"].count('<tr id="host-')) == (1000, 50)
    assert "101 to 150 of 1000 DUTs, page 3 of 20" in data["html"]
    assert flower.data("?q=board:pi5")["matching"] == 10
    assert flower.data("?state=blocked&lab=rack1")["matching"] == 10
    assert flower.data("?state=Repair%20Failed&q=pi4")["matching"] == 0
    assert flower.data("?q=%22%3Cscript%3E")["matching"] == 0


def test_who_has_the_news_is_told_that_nothing_is_new(flower, rows):
    rows.hosts(1)
    etag = flower.get("/lab/data").headers["ETag"]
    same = flower.get("/lab/data", If_None_Match=etag)
    assert (same.code, same.body) == (304, "")
    rows.hosts(1)
    until(lambda: flower.get("/lab/data", If_None_Match=etag).code == 200, PATIENCE_S, "the second host is seen")


def test_a_host_leads_to_its_task_in_flower(flower, rows, tell_started):
    (host,) = rows.hosts(1)
    lease = rows.run(host)
    uuid = "11111111-2222-3333-4444-555555555555"
    tell_started(uuid, "autotest.run_test", f"sleeptest on {host.hostname}, job {lease.entry.job_id}")
    until(lambda: f'href="/task/{uuid}"' in flower.data()["html"], PATIENCE_S, "the host's step has a link")
    assert f"sleeptest on {host.hostname}" in flower.get(f"/task/{uuid}").body


@pytest.mark.parametrize(
    "path",
    [
        "/lab",
        "/lab/data",
        "/lab/results/1-ann/.runs/1",
        "/lab/results/none",
        "/lab/graph/ann/none.svg",
    ],
)
def test_whoever_has_no_password_sees_nothing(flower_with_a_password, rows, path, password):
    flower = flower_with_a_password
    (host,) = rows.hosts(1)
    rows.run(host)
    assert flower.get(path).code == 401
    wrong = base64.b64encode(b"autotest:wrong").decode()
    assert flower.get(path, Authorization=f"Basic {wrong}").code == 401
    right = base64.b64encode(f"autotest:{password}".encode()).decode()
    assert flower.get(path, Authorization=f"Basic {right}").code == (404 if "none" in path else 200)
    lines = " ".join(flower.process.family().values())
    assert "flower" in lines
    assert password not in lines


def test_a_results_folder_is_listed_and_its_files_are_plain_text(flower, rows):
    (host,) = rows.hosts(1)
    rows.run(host)
    (folder,) = re.findall(r'href="(/lab/results/[^"]+)"', flower.data()["html"])
    listing = flower.get(folder)
    assert (listing.code, "status.log" in listing.body, "job.json" in listing.body) == (200, True, False)
    log = flower.get(f"{folder}/status.log")
    assert log.body == "START\t<script>alert(1)</script>\n"
    assert log.headers["Content-Type"] == "text/plain; charset=UTF-8"
    assert log.headers["X-Content-Type-Options"] == "nosniff"
    assert log.headers["Content-Security-Policy"].startswith("sandbox")


def test_what_is_no_text_is_downloaded(flower, rows, config):
    (host,) = rows.hosts(1)
    rows.run(host)
    (Path(config.results_dir) / "1-ann" / "pär.bin").write_bytes(b"\0\1")
    answer = flower.get("/lab/results/1-ann/" + urllib.parse.quote("pär.bin"))
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["Content-Disposition"] == "attachment; filename*=UTF-8''p%C3%A4r.bin"


@pytest.mark.parametrize(
    "path",
    [
        *("../autotest.db", "..%2fautotest.db", "1-ann/../../autotest.db", "%2e%2e/autotest.db", "/etc/passwd"),
        *("1-ann/.runs/1/job.json", "1-ann/link", "1-ann/link/autotest.db", "1-ann%00", "%ff"),
    ],
)
def test_nothing_else_of_the_machine_is_served(flower, rows, config, path):
    (host,) = rows.hosts(1)
    rows.run(host)
    (config.results_dir / "1-ann" / "link").symlink_to("../..")
    answer = flower.get(f"/lab/results/{path}")
    assert answer.code in (400, 404)
    assert "SQLite" not in answer.body
    assert "root:" not in answer.body


def test_without_a_broker_the_page_says_so_and_shows_the_rest(flower_alone, rows):
    rows.hosts(1)
    data = flower_alone.data()
    assert [line for line in data["problems"] if "the broker redis://127.0.0.1" in line and "does not answer" in line]
    assert "pi4-host1" in data["html"]


def test_a_database_that_fails_leaves_the_page_its_last_news(flower, rows, config):
    rows.hosts(1)
    assert flower.data()["problems"] == []
    with contextlib.closing(sqlite3.connect(config.root_dir / "autotest.db")) as another_process:
        another_process.execute("ALTER TABLE afe_hosts_labels RENAME TO elsewhere")
        until(lambda: "as of" in str(flower.data()["problems"]), PATIENCE_S, "the page says that its news are old")
        data = flower.data()
        assert "no such table: afe_hosts_labels" in data["problems"][0]
        assert "pi4-host1" in data["html"]
        assert flower.get("/tasks").code == 200
        another_process.execute("ALTER TABLE elsewhere RENAME TO afe_hosts_labels")
    until(lambda: not flower.data()["problems"], PATIENCE_S, "the page is well again")


def test_a_database_that_was_never_migrated_names_the_remedy(flower, config):
    (config.root_dir / "autotest.db").unlink()
    until(lambda: "autotest db migrate" in str(flower.data()["problems"]), PATIENCE_S, "the remedy is named")
    page = flower.get("/lab")
    assert (page.code, "Not known yet." in page.body) == (200, True)


def test_a_port_that_is_taken_is_named(flower, settings_file, tmp_path):
    second = type(flower)(settings_file, tmp_path)
    second.process._argv[-1] = str(flower.port)
    second.process.start()
    until(lambda: second.process.status == "exited", PATIENCE_S, "the second Flower gives up")
    assert f"Flower cannot listen on 127.0.0.1:{flower.port}: Address already in use" in second.process.logs()


@pytest.mark.lab(duts=1)
def test_the_step_of_a_running_lab_leads_to_its_task(lab, flower_of_the_lab):
    gate = lab.gate()
    job_id = lab.job(gate.control)
    # Flower asks workers for events when it starts, and sees what starts from then on.
    try:
        gate.wait_for_run()
        until(lambda: 'href="/task/' in flower_of_the_lab.data()["html"], PATIENCE_S, "the running test has a link")
        (path,) = re.findall(r'href="(/task/[^"]+)"', flower_of_the_lab.data()["html"])
        assert f"dut1, job {job_id}" in flower_of_the_lab.get(path).body
        assert f"/lab/results/{job_id}-" in flower_of_the_lab.data()["html"]
    finally:
        gate.open()
    until(lambda: "Completed" in flower_of_the_lab.data()["html"], PATIENCE_S, "the result is shown")


def test_a_folder_that_was_archived_comes_back_when_somebody_looks(flower, rows, config, tmp_path):
    (host,) = rows.hosts(1)
    rows.run(host)
    (folder,) = re.findall(r'href="(/lab/results/[^"]+)"', flower.data()["html"])
    tag = folder.split("/")[3]
    assert prune.let_go(config.results_dir, tag, Store(str(tmp_path / "archive")), database.utc_now())
    assert not (config.results_dir / tag).exists()
    assert flower.get(f"{folder}/status.log").body == "START\t<script>alert(1)</script>\n"
