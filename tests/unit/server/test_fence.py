"""Tests of autotest.server.fence: its scripts, run by the shell of this machine in a folder of their own."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path

import pytest

from autotest import errors
from autotest.host_info import HostInfo
from autotest.server import fence

pytestmark = pytest.mark.skipif(shutil.which("flock") is None, reason="flock(1) is not installed")


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "boot_id").write_text("boot-1\n")
    return tmp_path


def fence_of(place: Path, token: int) -> fence.Fence:
    attributes = {"client_dir": str(place / "client dir"), "boot_id_file": str(place / "boot_id")}
    return fence.Fence.of(HostInfo("h1", attributes=attributes), token)


def shell(command: str, program: str = "sh") -> subprocess.CompletedProcess[str]:
    return subprocess.run([program, "-c", command], capture_output=True, text=True, start_new_session=True, timeout=20)


def raised(place: Path, token: int) -> subprocess.CompletedProcess[str]:
    return shell(fence_of(place, token).raising())


class Stray:
    """A command of an older lease that still runs."""

    def __init__(self, place: Path, token: int, command: str = "sleep 1000"):
        self.process = subprocess.Popen(
            ["sh", "-c", fence_of(place, token).wrap(f"{command}; true")],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        record = place / "client dir" / "groups" / str(token) / str(self.process.pid)
        limit = time.monotonic() + 10
        while not record.exists():
            assert time.monotonic() < limit
            time.sleep(0.01)

    def is_killed(self) -> bool:
        try:
            return self.process.wait(0.5) == -9
        except subprocess.TimeoutExpired:
            return False

    def end(self) -> None:
        subprocess.run(["kill", "-9", "--", f"-{self.process.pid}"], check=False, stderr=subprocess.DEVNULL)
        self.process.wait()


@pytest.mark.parametrize("program", ["sh", "bash"])
def test_a_wrapped_command_announces_its_group_and_keeps_its_status(place, program):
    raised(place, 3)

    result = shell(fence_of(place, 3).wrap("echo out; echo err >&2; exit 4"), program)

    assert (result.returncode, result.stdout) == (4, "out\n")
    group, rest = fence.take_group(result.stderr.encode())
    assert group is not None
    assert rest == b"err\n"
    assert [path.name for path in (place / "client dir/groups/3").iterdir()] == ["boot_id"]


def test_a_group_that_is_no_process_id_is_no_announcement():
    said = b"autotest-group:" + b"9" * 5000 + b"\n"
    assert fence.take_group(said) == (None, said)


def test_the_token_only_rises(place):
    assert raised(place, 5).returncode == 0
    assert raised(place, 5).returncode == 0
    refused = raised(place, 4)

    assert (refused.returncode, refused.stderr) == (75, "autotest-stale:5\n")
    assert (place / "client dir/lease").read_text() == "5\n"
    assert raised(place, 10).returncode == 0
    assert (place / "client dir/lease").read_text() == "10\n"


def test_a_stale_command_is_not_run(place):
    raised(place, 5)

    result = shell(fence_of(place, 4).wrap(f"touch '{place}/mark'"))

    assert result.returncode == 75
    assert not (place / "mark").exists()
    with pytest.raises(errors.StaleLease, match="h1 is held by lease 5; lease 4 is stale"):
        fence_of(place, 4).check(result.returncode, result.stderr)


def test_status_75_of_the_command_itself_is_not_a_stale_lease(place):
    raised(place, 5)

    result = shell(fence_of(place, 5).wrap("exit 75"))

    assert result.returncode == 75
    fence_of(place, 5).check(result.returncode, result.stderr)


def test_raising_kills_what_an_older_lease_left_and_forgets_it(place):
    raised(place, 3)
    stray = Stray(place, 3)
    try:
        raised(place, 4)

        assert stray.is_killed()
        assert [path.name for path in (place / "client dir/groups").iterdir()] == ["4"]
    finally:
        stray.end()


def test_raising_the_same_token_again_leaves_its_own_commands_alone(place):
    raised(place, 3)
    stray = Stray(place, 3)
    try:
        raised(place, 3)

        assert not stray.is_killed()
    finally:
        stray.end()


def test_numbers_from_before_a_reboot_are_forgotten_and_not_killed(place):
    raised(place, 3)
    stray = Stray(place, 3)
    try:
        (place / "boot_id").write_text("boot-2\n")
        raised(place, 4)

        assert not stray.is_killed()
        assert not (place / "client dir/groups/3").exists()
    finally:
        stray.end()


def test_a_process_that_is_not_ours_is_not_killed(place):
    raised(place, 3)
    innocent = subprocess.Popen(["sleep", "1000"], start_new_session=True)
    try:
        (place / "client dir/groups/3" / str(innocent.pid)).touch()
        raised(place, 4)

        with pytest.raises(subprocess.TimeoutExpired):
            innocent.wait(0.5)
    finally:
        innocent.kill()
        innocent.wait()


@pytest.mark.parametrize("name", ["1", "0", "-1", "*", "12x", "boot_id"])
def test_names_that_are_no_process_group_are_ignored(place, name):
    raised(place, 3)
    (place / "client dir/groups/3" / name).touch()

    assert raised(place, 4).returncode == 0


@pytest.mark.parametrize("text", ["", "garbage\n", "-7\n"])
def test_a_lease_file_that_was_lost_or_torn_locks_nobody_out(place, text):
    raised(place, 3)
    (place / "client dir/lease").write_text(text)

    assert shell(fence_of(place, 3).wrap("true")).returncode == 0
    assert raised(place, 3).returncode == 0
    assert (place / "client dir/lease").read_text() == "3\n"


def test_a_run_by_hand_is_never_refused(place):
    raised(place, 5)

    assert shell(fence_of(place, 0).wrap("echo fine")).stdout == "fine\n"


def test_killing_ends_one_group(place):
    raised(place, 3)
    stray, other = Stray(place, 3), Stray(place, 3)
    try:
        shell(fence_of(place, 3).killing(stray.process.pid))

        assert stray.is_killed()
        assert not other.is_killed()
    finally:
        stray.end()
        other.end()


def test_a_place_that_cannot_be_written_is_reported(place):
    blocked = fence.Fence("h1", "/proc/nowhere", str(place / "boot_id"), 3)

    result = shell(blocked.raising())

    assert blocked.is_unwritable(result.stderr)
