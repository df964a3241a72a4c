"""SSHHost against healthy and hostile machines: limits hold, errors name the host, the process lives."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import resource
import socket
import threading
from collections.abc import Callable, Iterator

import pytest
from nodes.waiting import until

from autotest import errors
from autotest.host_info import HostInfo
from autotest.server import fence
from autotest.server.hosts import ssh


@pytest.fixture
def host(dut) -> Iterator[ssh.SSHHost]:
    with contextlib.closing(ssh.SSHHost(dut.info)) as host:
        yield host


@contextlib.contextmanager
def serving(answer: Callable[[socket.socket], object]) -> Iterator[HostInfo]:
    """A port where each caller gets *answer*."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    wire, _ = server.accept()
                    with wire, contextlib.suppress(OSError):
                        answer(wire)

        threading.Thread(target=serve, daemon=True).start()
        yield HostInfo("bad1", attributes={"address": "127.0.0.1", "port": str(server.getsockname()[1])})
        server.shutdown(socket.SHUT_RDWR)


def test_a_command_gives_status_and_both_streams(host):
    result = host.run("echo out; echo err >&2; exit 3", ignore_status=True)

    assert (result.exit_status, result.stdout, result.stderr) == (3, "out\n", "err\n")


def test_a_failing_command_is_an_error_with_its_last_words(host):
    with pytest.raises(errors.CommandFailed, match=r"dut\d+: false-ish.* ended with 127: .*not found"):
        host.run("false-ish")


def test_streams_of_a_megabyte_each_way_do_not_block_each_other(host):
    data = bytes(range(256)) * 8192

    result = host.execute("tee /dev/stderr", timeout_s=60, stdin=data)

    assert result.stdout == data
    assert result.stderr == data


def test_a_silent_command_ends_at_its_limit_and_is_killed_on_the_dut(host, dut):
    with pytest.raises(errors.CommandTimeout, match=r"did not finish within 0.5 s: sleep 1000; the command was killed"):
        host.run("sleep 1000", timeout_s=0.5)

    until(lambda: not dut.processes, 10, "nothing runs on the DUT")
    assert host.run_output("echo alive") == "alive"


def test_a_limit_holds_while_the_dut_writes_without_end(host, dut):
    dut.fault("flood", match="babble")
    seen = []

    with pytest.raises(errors.CommandTimeout, match="did not finish within 1 s: babble"):
        host.run("babble", timeout_s=1, on_stdout=lambda data: seen.append(len(data)))

    assert sum(seen) > 0


def test_a_flood_is_cut_at_the_cap_and_takes_no_memory(host, dut):
    dut.fault("flood", match="babble", bytes=10**9)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    with pytest.raises(errors.OutputFlood, match=r"dut\d+ wrote more than 16777216 bytes to stdout in babble"):
        host.run("babble", timeout_s=60)

    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 120 * 1024


def test_a_dropped_connection_is_made_again(host, dut):
    assert host.run_output("echo one") == "one"
    dut.fault("drop", match="two", times=1)
    with pytest.raises(errors.HostUnreachable, match=r"dut\d+ dropped the connection during echo two"):
        host.run("echo two")

    assert host.run_output("echo three") == "three"


def test_a_host_that_hangs_is_given_up_in_time(dut):
    dut.fault("hang")
    with (
        contextlib.closing(ssh.SSHHost(dut.info)) as host,
        pytest.raises(errors.HostError, match=r"dut\d+ .*within 1 s"),
    ):
        host.run("echo one", timeout_s=1)


def test_a_file_travels_both_ways(host, dut, tmp_path):
    (tmp_path / "here").write_bytes(b"\0\xff\n" * 100_000)

    host.send_file(tmp_path / "here", f"{dut.root}/there")
    host.get_file(f"{dut.root}/there", tmp_path / "back", limit_bytes=10**6)

    assert (tmp_path / "back").read_bytes() == (tmp_path / "here").read_bytes()


def test_a_file_beyond_its_limit_is_refused_and_leaves_nothing(host, dut, tmp_path):
    host.send_bytes(io.BytesIO(b"x" * 1000), f"{dut.root}/there")

    with pytest.raises(errors.OutputFlood):
        host.get_file(f"{dut.root}/there", tmp_path / "back", limit_bytes=999)

    assert list(tmp_path.iterdir()) == []


def test_a_changed_host_key_is_refused(dut, lab, tmp_path):
    other = next(
        line for line in (lab.folder / "known_hosts").read_text().splitlines() if dut.info.get("port") not in line
    )
    pinned = tmp_path / "known_hosts"
    pinned.write_text(f"[127.0.0.1]:{dut.info.get('port')} {' '.join(other.split()[1:3])}\n")
    info = dataclasses.replace(dut.info, attributes={**dut.info.attributes, "known_hosts": str(pinned)})

    with pytest.raises(errors.HostKeyRejected, match=r"shows another host key than the one pinned in .*known_hosts"):
        ssh.SSHHost(info).run("true")


def test_an_unknown_host_is_refused_when_pinned_and_pinned_when_trusted_first(dut, tmp_path):
    pinned = tmp_path / "known_hosts"
    attributes = {**dut.info.attributes, "known_hosts": str(pinned)}
    with pytest.raises(errors.HostKeyRejected, match="or set host_key_policy to trust_first"):
        ssh.SSHHost(dataclasses.replace(dut.info, attributes=attributes)).run("true")

    trusting = dataclasses.replace(dut.info, attributes={**attributes, "host_key_policy": "trust_first"})
    with contextlib.closing(ssh.SSHHost(trusting)) as host:
        host.run("true")
    with contextlib.closing(ssh.SSHHost(dataclasses.replace(dut.info, attributes=attributes))) as host:
        host.run("true")

    assert len(pinned.read_text().splitlines()) == 1


def test_a_refused_key_names_user_and_host(dut, tmp_path):
    info = dataclasses.replace(
        dut.info, attributes={**dut.info.attributes, "user": "nobody", "key": str(_key(tmp_path))}
    )

    with pytest.raises(errors.HostUnreachable, match=r"dut\d+ .*refused user nobody"):
        ssh.SSHHost(info).run("true")


def _key(folder):
    import asyncssh

    path = folder / "key"
    asyncssh.generate_private_key("ssh-ed25519").write_private_key(str(path))
    return path


@pytest.mark.parametrize(
    ("answer", "fact"),
    [
        (lambda wire: wire.sendall(b"\x00\xff garbage\r\n" * 50), "does not answer SSH"),
        (lambda wire: wire.sendall(b"SSH-2.0-half"), "does not answer SSH"),
        (lambda wire: None, "does not answer SSH"),
        (
            lambda wire: [wire.sendall(b"x" * 65536) for _ in range(16000)],
            "without an SSH greeting|does not answer SSH",
        ),
    ],
    ids=["garbage", "closes mid-line", "closes at once", "floods 1 GB"],
)
def test_a_port_that_is_no_ssh_server_is_a_clear_error(answer, fact):
    with (
        serving(answer) as info,
        pytest.raises(errors.HostUnreachable, match=rf"bad1 \(127.0.0.1 port \d+\).*({fact})"),
    ):
        ssh.SSHHost(info).execute("true", timeout_s=10)


def test_a_port_that_says_nothing_is_given_up_in_time():
    held = threading.Event()
    with serving(lambda wire: held.wait(20)) as info:
        with pytest.raises(errors.HostUnreachable, match=r"did not answer SSH within 1 s"):
            ssh.SSHHost(info).execute("true", timeout_s=1)
        held.set()


def test_a_fenced_command_leaves_no_record_of_its_group(dut):
    with contextlib.closing(ssh.SSHHost(dut.info, fence.Fence.of(dut.info, 3))) as host:
        host.take()
        host.run("true")
        host.run("exit 4", ignore_status=True)

    assert [path.name for path in (dut.root / "usr/local/autotest/groups/3").iterdir()] == ["boot_id"]
