"""The servers that tests start end with the tests, however those end."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from nodes.waiting import until
from servers.server import Server

STARTS_AND_IS_KILLED = """
import os, pathlib, signal, sys
sys.path.insert(0, sys.argv[1])
from servers.server import Server
pid = pathlib.Path(sys.argv[2], "pid")
argv = [sys.executable, "-c", "import os, sys, time; open(sys.argv[1], 'w').write(str(os.getpid())); time.sleep(600)"]
Server([*argv, str(pid)], pathlib.Path(sys.argv[2], "log"), lambda: pid.exists() and pid.read_text()).start()
os.kill(os.getpid(), signal.SIGKILL)
"""

ASKS_FOR_ITS_DEATH_SIGNAL = """
import ctypes, os, sys, time
number, get_pdeathsig = ctypes.c_int(-1), 2
ctypes.CDLL(None).prctl(get_pdeathsig, ctypes.byref(number), 0, 0, 0)
with open(sys.argv[1] + ".part", "w") as file:
    file.write(str(number.value))
os.rename(sys.argv[1] + ".part", sys.argv[1])
time.sleep(600)
"""


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="there is no setpriv; root: apt-get install util-linux")
def test_a_server_does_not_outlive_a_pytest_that_is_killed(tmp_path):
    tests = Path(__file__).parents[1]
    killed = subprocess.run([sys.executable, "-c", STARTS_AND_IS_KILLED, str(tests), str(tmp_path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    pid = int((tmp_path / "pid").read_text())
    until(lambda: not runs(pid), 10, "the server has ended")


def test_a_server_outlives_the_thread_that_started_it(tmp_path):
    asked = tmp_path / "signal"
    server = Server([sys.executable, "-c", ASKS_FOR_ITS_DEATH_SIGNAL, str(asked)], tmp_path / "log", asked.exists)
    thread = threading.Thread(target=server.start)
    thread.start()
    thread.join()
    server.stop()
    assert asked.read_text() == "0"
