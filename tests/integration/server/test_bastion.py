"""A DUT behind a bastion: every command, a whole test, and what is said when the bastion is in the way."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import threading
from collections.abc import Iterator
from pathlib import Path

import asyncssh
import pytest

from autotest import errors
from autotest.host_info import HostInfo
from autotest.server.hosts import ssh
from autotest.sim import fleet

USER = "jump"


class Doorman(asyncssh.SSHServer):
    """Lets user jump in with the right key, and on to whatever the bastion allows."""

    def __init__(self, bastion: Bastion):
        self._bastion = bastion

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._conn = conn
        self._bastion.open.add(conn)
        self._bastion.is_left.clear()

    def connection_lost(self, exc: Exception | None) -> None:
        self._bastion.open.discard(self._conn)
        if not self._bastion.open:
            self._bastion.is_left.set()

    def begin_auth(self, username: str) -> bool:
        return True

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return username == USER and key == self._bastion.client_key

    def connection_requested(self, dest_host: str, dest_port: int, orig_host: str, orig_port: int) -> bool:
        self._bastion.asked.append((dest_host, dest_port))
        return self._bastion.forwards


class Bastion:
    """An SSH server that only forwards."""

    def __init__(self, client_key: asyncssh.SSHKey):
        self.client_key = client_key
        self.host_key = asyncssh.generate_private_key("ssh-ed25519")
        self.forwards = True
        self.asked: list[tuple[str, int]] = []
        self.open: set[asyncssh.SSHServerConnection] = set()
        self.is_left = threading.Event()
        self.port = 0
        self._loop = asyncio.new_event_loop()

    @contextlib.contextmanager
    def running(self) -> Iterator[Bastion]:
        """Listen on a loopback port while the block runs."""
        thread = threading.Thread(target=self._loop.run_forever, name="bastion")
        thread.start()
        try:
            self._do(self._listen())
            yield self
        finally:
            self._do(self._close())
            self._loop.call_soon_threadsafe(self._loop.stop)
            thread.join()
            self._loop.close()

    def hang_up(self) -> None:
        """Drop every connection."""
        self._do(self._drop())

    def line(self) -> str:
        """Its line for known_hosts."""
        return f"[127.0.0.1]:{self.port} {self.host_key.export_public_key().decode().strip()}\n"

    def _do(self, work):
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _listen(self) -> None:
        self._server = await asyncssh.listen(
            "127.0.0.1", 0, server_factory=lambda: Doorman(self), server_host_keys=[self.host_key]
        )
        self.port = self._server.get_port()

    async def _drop(self) -> None:
        for connection in list(self.open):
            connection.abort()

    async def _close(self) -> None:
        await self._drop()
        self._server.close()
        await self._server.wait_closed()


@pytest.fixture
def bastion(lab: fleet.Fleet, tmp_path: Path) -> Iterator[Bastion]:
    client_key = asyncssh.read_private_key(lab.folder / "id_ed25519").convert_to_public()
    with Bastion(client_key).running() as bastion:
        yield bastion


@pytest.fixture
def behind(bastion: Bastion, dut: fleet.Handle, tmp_path: Path) -> HostInfo:
    """The DUT, said to be behind the bastion."""
    known = tmp_path / "known_hosts"
    known.write_text(Path(dut.info.get("known_hosts")).read_text() + bastion.line())
    ways = {"bastion": "127.0.0.1", "bastion_port": str(bastion.port), "bastion_user": USER, "known_hosts": str(known)}
    return dataclasses.replace(dut.info, attributes={**dut.info.attributes, **ways})


@pytest.fixture
def host(behind: HostInfo) -> Iterator[ssh.SSHHost]:
    with contextlib.closing(ssh.SSHHost(behind)) as host:
        yield host


def changed(info: HostInfo, **attributes: str) -> HostInfo:
    return dataclasses.replace(info, attributes={**info.attributes, **attributes})


def test_commands_reach_the_dut_through_the_bastion_alone(host, behind, bastion):
    data = bytes(range(256)) * 8192

    assert host.execute("cat", timeout_s=60, stdin=data).stdout == data
    assert host.run_output("echo alive") == "alive"
    assert bastion.asked == [(behind.get("address"), int(behind.get("port")))]


def test_verify_and_a_client_test_pass(behind, run):
    assert run("verify", behind).outcome.ok
    done = run("run_test", behind, control_file="job.run_test('pas')\n", token=2)

    assert done.outcome.ok, done.outcome
    assert (done.folder / "pas/results/seen").exists()


def test_a_closed_host_closes_both_connections(host, bastion):
    assert host.is_up()
    host.close()
    assert bastion.is_left.wait(10)


def test_a_bastion_that_drops_the_connection_costs_at_most_one_command(host, bastion):
    assert host.is_up()
    bastion.hang_up()

    # Whether this one meets the dead connection or a new one depends on who hears of the end first.
    with contextlib.suppress(errors.HostUnreachable):
        host.run("true")

    assert host.run_output("echo alive") == "alive"


def test_a_bastion_that_must_not_forward_is_named(host, bastion):
    bastion.forwards = False

    with pytest.raises(errors.HostUnreachable) as refused:
        host.run("true")

    assert f"{host.hostname} (127.0.0.1 port " in str(refused.value)
    assert "its bastion 127.0.0.1 does not get there: " in str(refused.value)


def test_a_dut_that_is_off_is_said_to_be_off_behind_the_bastion(host, dut):
    dut.power_off()

    with pytest.raises(errors.HostUnreachable, match=r"its bastion 127\.0\.0\.1 does not get there"):
        host.run("true")


def test_a_bastion_that_is_not_there_is_named(behind):
    away = changed(behind, bastion_port="1")

    with (
        contextlib.closing(ssh.SSHHost(away)) as host,
        pytest.raises(errors.HostUnreachable, match=r"its bastion \(127.0.0.1 port 1\) does not answer SSH: .*refused"),
    ):
        host.run("true")


def test_a_bastion_that_refuses_the_user_is_named(behind):
    stranger = changed(behind, bastion_user="stranger")

    with (
        contextlib.closing(ssh.SSHHost(stranger)) as host,
        pytest.raises(
            errors.HostUnreachable, match=r"its bastion \(.*\) refused user stranger: .*; check user and key"
        ),
    ):
        host.run("true")


def test_the_bastions_host_key_is_pinned_like_the_duts(behind, bastion, dut):
    unpinned = changed(behind, known_hosts=dut.info.get("known_hosts"))

    with (
        contextlib.closing(ssh.SSHHost(unpinned)) as host,
        pytest.raises(errors.HostKeyRejected, match=rf"pins none for \[127.0.0.1\]:{bastion.port}"),
    ):
        host.run("true")
    assert bastion.asked == []


def test_a_dut_behind_the_bastion_shows_its_own_key(behind, bastion, tmp_path):
    impostor = tmp_path / "other_known_hosts"
    other = bastion.host_key.export_public_key().decode().strip()
    impostor.write_text(f"{bastion.line()}[127.0.0.1]:{behind.get('port')} {other}\n")

    with (
        contextlib.closing(ssh.SSHHost(changed(behind, known_hosts=str(impostor)))) as host,
        pytest.raises(errors.HostKeyRejected, match="shows another host key than the one pinned"),
    ):
        host.run("true")
