"""Tests of autotest.server.hosts.remote, on a StubHost: fence, limits, reboots (vectors S1 and S2), files."""

from __future__ import annotations

import pytest

from autotest import errors
from autotest.host_info import HostInfo
from autotest.server import fence, hosts
from autotest.server.hosts import remote, ssh
from autotest.server.hosts.stub import StubHost

QUICK = {"down_limit": "0.2", "boot_limit": "0.2"}


@pytest.fixture
def host(server_job):
    info = HostInfo("h1", attributes=QUICK)
    answers = {"boot_id$": ["boot-1\n", "boot-2\n"], "uname -r": "6.1.0\n"}
    return StubHost(answers, info, record=server_job.record)


def test_s1_a_reboot_of_a_healthy_host(host, shown):
    host.reboot()

    assert shown() == ["START reboot", "»GOOD reboot.start", "»GOOD reboot.verify", "END GOOD reboot kernel=6.1.0"]
    assert any("sleep 1; reboot" in command for command in host.commands)


def test_s2_a_host_that_never_comes_back(host, shown):
    gone = errors.HostUnreachable("h1", "h1 does not answer")
    host.answers["boot_id$"] = ["boot-1\n", gone]

    with pytest.raises(errors.RebootFailed, match="Host did not return from reboot"):
        host.reboot()

    lines = shown()
    assert lines[:3] == ["START reboot", "»GOOD reboot.start", "»ABORT reboot.verify Host did not return from reboot"]
    assert lines[3] == "END FAIL reboot Host did not return from reboot"
    assert lines[4].startswith("  Traceback")


def test_a_host_that_does_not_go_down(host, shown):
    host.answers["boot_id$"] = "boot-1\n"

    with pytest.raises(errors.RebootFailed, match="Host did not shut down"):
        host.reboot()

    assert "»ABORT reboot.verify shut down failed" in shown()


def test_a_reboot_command_that_fails(host, shown):
    host.answers["sleep 1; reboot"] = 1

    with pytest.raises(errors.RebootFailed, match="h1: reboot command failed"):
        host.reboot()

    assert shown()[1] == "»ABORT reboot.start reboot command failed"


def test_an_ending_status_is_an_error_unless_it_is_ignored():
    host = StubHost({"false": 3})

    with pytest.raises(errors.CommandFailed, match="stub: false ended with 3"):
        host.run("false")
    assert host.run("false", ignore_status=True).exit_status == 3


def test_wait_up_ends_when_the_host_answers_and_gives_up_in_time():
    gone = errors.HostUnreachable("stub", "gone")

    assert StubHost({"true": [gone, ""]}).wait_up(5)
    assert not StubHost({"true": gone}).wait_up(0.1)


def test_wait_boot_tells_the_new_boot_id():
    gone = errors.HostUnreachable("stub", "gone")

    assert StubHost({"boot_id": ["one", gone, "two"]}).wait_boot("one", 5) == "two"
    assert StubHost({"boot_id": "one"}).wait_boot("one", 0.1) is None


def test_a_limit_that_is_no_number_is_refused_by_host():
    with pytest.raises(errors.ConfigError, match="h1: boot_limit 'soon'"):
        StubHost(info=HostInfo("h1", attributes={"boot_limit": "soon"})).limit("boot_limit", 5)


def test_a_file_that_was_fetched_is_there_whole(tmp_path):
    StubHost({"cat /there": b"\0\1"}).get_file("/there", tmp_path / "here", 10)

    assert (tmp_path / "here").read_bytes() == b"\0\1"
    assert len(list(tmp_path.iterdir())) == 1


def test_sent_bytes_arrive_on_stdin():
    host = StubHost()
    host.send_bytes(b"data", "/a file")

    assert host.received == [b"data"]
    assert host.commands == ["cat >'/a file.part' && mv -f '/a file.part' '/a file'"]


def test_connect_makes_an_ssh_host_with_the_fence_of_the_lease():
    host = hosts.connect(HostInfo("h1", attributes={"client_dir": "/opt/at"}), token=7)

    assert isinstance(host, ssh.SSHHost)
    assert host.fence == fence.Fence("h1", "/opt/at", "/proc/sys/kernel/random/boot_id", 7)


def test_a_command_is_shown_on_one_line():
    assert remote.shorten("a\n  b\tc") == "a b c"
    assert remote.shorten("x" * 200) == "x" * 97 + "..."
