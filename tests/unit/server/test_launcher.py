"""Tests of autotest.server.launcher and fork_server: children end as they should, whoever dies first."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from integration.nodes.waiting import until

from autotest.job_file import JobFile, StepOutcome
from autotest.server.launcher import ChildEnd, Launcher
from autotest.states import Step

# Says where it is, and then stays for ever.
STAY = """
import subprocess
grandchild = subprocess.Popen(['sleep', '1000'])
with open(job.resultdir + '/here.part', 'w') as here:
    here.write('%d %d' % (os.getpid(), grandchild.pid))
os.rename(job.resultdir + '/here.part', job.resultdir + '/here')
time.sleep(1000)
"""
STUBBORN = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + STAY


@pytest.fixture
def launcher() -> Iterator[Launcher]:
    launcher = Launcher()
    launcher.start()
    yield launcher
    launcher.close()


@pytest.fixture
def prepare(tmp_path: Path) -> Callable[[str], Path]:
    def write(control: str, name: str = "step") -> Path:
        folder = tmp_path / name
        folder.mkdir()
        JobFile(Step.RUN_TEST, (), control_file=control, control_type="server").write(folder)
        return folder

    return write


class Background:
    """A run() in a thread of its own."""

    def __init__(self, launcher: Launcher, folder: Path, deadline_s: float | None = None):
        self.ends: list[ChildEnd] = []
        self._thread = threading.Thread(target=lambda: self.ends.append(launcher.run(folder, deadline_s)), daemon=True)
        self._thread.start()

    def end(self) -> ChildEnd:
        self._thread.join(20)
        return self.ends[0]


def processes(folder: Path) -> list[int]:
    """The child in *folder* and its own child, once it is there."""
    until((folder / "here").exists, 20, "the child is there")
    return [int(word) for word in (folder / "here").read_text().split()]


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def fork_server_of(parent: int) -> int:
    for place in Path("/proc").glob("[0-9]*"):
        try:
            if (
                f"\nPPid:\t{parent}\n" in (place / "status").read_text()
                and b"fork_server" in (place / "cmdline").read_bytes()
            ):
                return int(place.name)
        except OSError:
            continue
    raise AssertionError("there is no fork server")


def test_a_child_that_ends_tells_its_exit_code(launcher, prepare):
    folder = prepare("job.record('INFO', '', '', 'hello')\n")

    assert launcher.run(folder) == ChildEnd(0, None, "ended")
    assert StepOutcome.read(folder).ok
    assert "hello" in (folder / "status.log").read_text()
    assert launcher.running() == []


def test_a_child_that_raises_ends_with_1_and_its_reason(launcher, prepare):
    folder = prepare("raise error.TestFail('no way')\n")

    assert launcher.run(folder) == ChildEnd(1, None, "ended")
    assert StepOutcome.read(folder).reason.endswith("no way")


def test_a_folder_without_a_job_file_is_an_end_and_no_crash(launcher, tmp_path):
    assert launcher.run(tmp_path) == ChildEnd(1, None, "ended")
    assert "job.json cannot be read" in (tmp_path / "debug/autoserv.console").read_text()


def test_a_child_that_calls_exit_hurts_nobody_else(launcher, prepare):
    assert launcher.run(prepare("os._exit(7)\n")) == ChildEnd(7, None, "ended")
    assert launcher.run(prepare("pass\n", "next")).exit_code == 0


def test_kill_ends_the_child_and_its_children_in_its_grace(launcher, prepare):
    folder = prepare(STAY)
    background = Background(launcher, folder)
    pids = processes(folder)
    assert launcher.running() == [folder]

    # Had the grace passed, it would have ended by SIGKILL.
    assert launcher.kill(folder)
    assert background.end() == ChildEnd(1, None, "killed")
    assert StepOutcome.read(folder).reason.endswith("it was stopped by SIGTERM")
    assert (folder / ".autoserv_execute").read_text().splitlines()[1] == "271"
    until(lambda: not any(map(is_alive, pids)), 20, "its processes are gone")


def test_a_child_that_ignores_the_request_is_killed_after_the_grace(launcher, prepare):
    folder = prepare(STUBBORN)
    background = Background(launcher, folder)
    pids = processes(folder)

    assert launcher.kill(folder, grace_s=0.2)

    assert background.end() == ChildEnd(None, signal.SIGKILL, "killed")
    assert StepOutcome.read(folder) is None
    until(lambda: not any(map(is_alive, pids)), 20, "its processes are gone")


def test_kill_of_a_folder_that_does_not_run_says_so(launcher, tmp_path):
    assert not launcher.kill(tmp_path)


def test_a_child_past_its_deadline_ends_itself_with_a_reason(launcher, prepare):
    folder = prepare(STAY)

    end = Background(launcher, folder, deadline_s=0.7).end()

    assert end == ChildEnd(1, None, "deadline")
    assert StepOutcome.read(folder).reason.endswith("it outran its limit of 0.7 s")
    until(lambda: not any(map(is_alive, processes(folder))), 20, "its processes are gone")


def test_a_child_that_was_killed_from_outside_ends_with_the_signal(launcher, prepare):
    folder = prepare(STAY)
    background = Background(launcher, folder)
    pids = processes(folder)

    os.kill(pids[0], signal.SIGKILL)

    assert background.end() == ChildEnd(None, signal.SIGKILL, "ended")
    until(lambda: not any(map(is_alive, pids)), 20, "its processes are gone")


def test_children_of_a_fork_server_that_was_killed_are_lost_and_the_next_run_has_a_new_one(launcher, prepare):
    folder = prepare(STAY)
    background = Background(launcher, folder)
    pids = processes(folder)

    os.kill(fork_server_of(os.getpid()), signal.SIGKILL)

    assert background.end() == ChildEnd(None, None, "lost")
    until(lambda: not any(map(is_alive, pids)), 20, "its processes are gone")
    assert launcher.run(prepare("pass\n", "next")).exit_code == 0


def test_nothing_outlives_a_parent_that_was_killed(prepare):
    folder = prepare(STAY)
    script = (
        "import sys, pathlib\nfrom autotest.server.launcher import Launcher\nLauncher().run(pathlib.Path(sys.argv[1]))"
    )
    parent = subprocess.Popen([sys.executable, "-c", script, str(folder)])
    pids = [*processes(folder), fork_server_of(parent.pid)]

    parent.kill()
    parent.wait()

    until(lambda: not any(map(is_alive, pids)), 20, "its processes are gone")


def test_close_ends_every_child_and_a_closed_launcher_starts_none(prepare):
    launcher = Launcher()
    folder = prepare(STAY)
    background = Background(launcher, folder)
    pids = processes(folder)

    launcher.close()

    assert background.end().cause == "killed"
    assert not any(map(is_alive, pids))
    with pytest.raises(RuntimeError, match="closed"):
        launcher.run(folder)


def test_many_threads_may_run_children_at_once(launcher, prepare):
    folders = [prepare("pass\n", f"step{number}") for number in range(12)]
    runs = [Background(launcher, folder) for folder in folders]

    assert [run.end().exit_code for run in runs] == [0] * 12
