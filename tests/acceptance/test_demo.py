"""The story of the demo: the main job from nothing to its results, and nothing left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from integration.nodes.waiting import until

CHECKOUT = Path(__file__).parents[2]
DEMO_S = 100.0
_GONE_S = 10.0


def start(folder: Path, *options: str) -> subprocess.Popen[str]:
    """Start the demo below *folder*; its output goes to ``<folder>.out``."""
    with folder.with_suffix(".out").open("w") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "autotest", "demo", "--dir", str(folder), "--tests", str(CHECKOUT), *options],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )


def said(folder: Path) -> str:
    return folder.with_suffix(".out").read_text()


def living(folder: Path) -> list[str]:
    """The command line of every process that belongs to the demo in *folder*, DUTs included."""
    mark, found = os.fsencode(str(folder)), []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            if mark in Path("/proc", name, "environ").read_bytes() and int(name) != os.getpid():
                found.append(Path("/proc", name, "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return found


def ask(folder: Path, *words: str) -> list[dict]:
    """What the command line answers about the demo's installation."""
    environment = {**os.environ, "AUTOTEST_CONFIG": str(folder / "autotest.toml")}
    command = [sys.executable, "-m", "autotest", *words, "--json"]
    return json.loads(subprocess.run(command, env=environment, check=True, capture_output=True, timeout=60).stdout)


@pytest.mark.slow
def test_the_demo_ends_as_promised_and_leaves_nothing_behind(tmp_path):
    folder = tmp_path / "demo"
    assert start(folder).wait(DEMO_S) == 0, said(folder)
    assert "every test ended as smoke promises" in said(folder)
    until(lambda: not living(folder), _GONE_S, lambda: f"no process is left: {living(folder)}")
    suites = ask(folder, "suite", "list")
    assert len(suites) == 2, "one for each board"
    assert {status for suite in suites for status in suite["entries"]} == {"Completed"}
    hosts = [host["status"] for host in ask(folder, "host", "list")]
    assert len(hosts) == 8
    broken = [status for status in hosts if status in ("Repairing", "Repair Failed")]
    assert len(broken) == 1, f"one DUT is dead, among {hosts}"


@pytest.mark.slow
def test_ctrl_c_in_the_middle_of_the_demo_leaves_no_process(tmp_path):
    folder = tmp_path / "demo"
    demo = start(folder)
    database = folder / "root" / "autotest.db"
    until(lambda: demo.poll() is not None or list(folder.glob("root/results/*/.runs/*")), 60, "a test runs")
    assert demo.poll() is None, said(folder)
    os.killpg(demo.pid, signal.SIGINT)
    assert demo.wait(30) != 0
    until(lambda: not living(folder), _GONE_S, "no process is left")
    assert database.exists()
