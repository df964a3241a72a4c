"""One simulated DUT: an SSH endpoint with a root folder, a boot id, an outlet, and the faults that it has now."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import asyncssh

from autotest import errors
from autotest.host_info import HostInfo
from autotest.sim import hunt, layout, session
from autotest.sim.faults import OF_COMMANDS, Fault
from autotest.sim.scenario import DutSpec

ADDRESS = "127.0.0.1"
#: Between the command that reboots a DUT and its going down, so that the command's exit status gets home.
_REBOOT_GRACE_S = 0.1


@dataclasses.dataclass(eq=False)
class _Armed:
    """A fault that a DUT has: *begun* once it strikes, *left* strikes until it is over."""

    fault: Fault
    begun: bool = False
    left: int | None = None
    modes: dict[Path, int] = dataclasses.field(default_factory=dict)

    def count(self) -> None:
        if self.left is not None:
            self.left -= 1


class Dut:
    """The moving parts of one DUT. Everything here is called in the loop of its fleet."""

    def __init__(self, spec: DutSpec, folder: Path, client_key: asyncssh.SSHKey):
        self.spec = spec
        self.folder = folder
        self.root = folder / "duts" / spec.hostname
        self.environment = layout.environment(self.root, folder / "bin")
        self.host_key = asyncssh.generate_private_key("ssh-ed25519")
        self.boot_id = ""
        self.outlet_on = True
        self.is_up = False
        self.awake = asyncio.Event()
        self.awake.set()
        self.commands_met = 0
        self._armed: list[_Armed] = []
        self._socket: socket.socket | None = None
        self._port = 0
        self._listening = False
        self._booting: asyncio.TimerHandle | None = None
        self._connections: set[asyncssh.SSHServerConnection] = set()
        self._mute: set[socket.socket] = set()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._processes: set[subprocess.Popen[bytes]] = set()
        self._options = asyncssh.SSHServerConnectionOptions(
            server_factory=lambda: _Door(self._connections, client_key),
            process_factory=lambda channel: session.serve(channel, self),
            server_host_keys=[self.host_key],
            encoding=None,
            allow_pty=False,
            agent_forwarding=False,
            x11_forwarding=False,
            line_editor=False,
            compression_algs=["none"],
            login_timeout=30,
        )

    def open(self, port: int) -> None:
        """Take *port* (0: any free one), make the root folder, and switch the DUT on.

        The scenario's faults begin here. Raises FleetError when the port cannot be had.
        """
        self._socket = _bind(port)
        self._port = self._socket.getsockname()[1]
        layout.make_root(self.root)
        self._boot()
        for fault in self.spec.faults:
            self.arm(fault)

    def unplug(self) -> None:
        """Take the power away: no connection and no port is open any more, and no command goes on.

        What left its process group is found by the fleet, which looks for the processes of all DUTs at once.
        """
        if self._booting is not None:
            self._booting.cancel()
            self._booting = None
        self.is_up = False
        self._open_or_close_door()
        self._drop_connections()
        for process in self._processes:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)

    async def close(self) -> None:
        """End what is left of an unplugged DUT: its faults, its tasks, its port."""
        self.outlet_on = False
        for armed in list(self._armed):
            self._end(armed)
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=1)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._socket is not None:
            self._socket.close()

    @property
    def info(self) -> HostInfo:
        """What a worker needs to know about this DUT."""
        temporary = ",".join(map(str, layout.tmp_dirs(self.root)))
        outlet = [sys.executable, "-m", "autotest.sim.power", str(self.folder), self.spec.hostname]
        attributes = {
            "address": ADDRESS,
            "port": str(self._port),
            "user": "root",
            "key": str(self.folder / "id_ed25519"),
            "known_hosts": str(self.folder / "known_hosts"),
            "host_key_policy": "pinned",
            "client_dir": str(layout.client_dir(self.root)),
            "python": "python3",
            "boot_id_file": str(layout.boot_id_file(self.root)),
            "reboot_command": shlex.join([str(self.folder / "bin/sim-reboot"), self.spec.hostname]),
            "tmp_dirs": temporary,
            "min_free_mb": "10",
            "down_limit": "10",
            "boot_limit": "10",
            "power": "command",
            "power_command": f"{shlex.join(outlet)} {{state}}",
            **self.spec.attributes,
        }
        spec = self.spec
        return HostInfo(spec.hostname, spec.labels, attributes, platform=spec.platform, protection=spec.protection)

    @property
    def known_hosts_line(self) -> str:
        public = self.host_key.export_public_key().decode().strip()
        return f"[{ADDRESS}]:{self._port} {public}\n"

    # Power

    async def power(self, state: str) -> str:
        """Switch the outlet ``on``, ``off`` or ``cycle`` it; ``status`` only asks. Returns ``on`` or ``off``.

        Raises FleetError for any other word.
        """
        if state not in ("on", "off", "cycle", "status"):
            raise errors.FleetError(f"an outlet cannot be switched {state!r}; it knows on, off, cycle and status")
        if state in ("off", "cycle"):
            self.outlet_on = False
            await self._go_down()
        if state in ("on", "cycle") and not self.outlet_on:
            self.outlet_on = True
            self._cure("power_cycle")
            self._boot_in(self.spec.boot_seconds)
        return "on" if self.outlet_on else "off"

    async def reboot(self, down_seconds: float | None = None) -> None:
        """Go down at once, and come up *down_seconds* later (its boot time)."""
        await self._go_down()
        self._boot_in(self.spec.boot_seconds if down_seconds is None else down_seconds)

    def reboot_soon(self) -> None:
        """What the DUT's own reboot command asks for."""
        asyncio.get_running_loop().call_later(_REBOOT_GRACE_S, lambda: self._spawn(self.reboot()))

    def _boot_in(self, seconds: float) -> None:
        if self._booting is not None:
            self._booting.cancel()
        self._booting = asyncio.get_running_loop().call_later(seconds, self._boot)

    def _boot(self) -> None:
        self._booting = None
        if not self.outlet_on or self.has("dead"):
            return
        self._cure("reboot")
        layout.make_root(self.root)
        self.boot_id = layout.new_boot_id(self.root)
        self.is_up = True
        self._open_or_close_door()

    async def _go_down(self) -> None:
        self.unplug()
        await asyncio.get_running_loop().run_in_executor(None, hunt.kill, str(self.root))

    # Faults

    def arm(self, fault: Fault) -> None:
        """Give the DUT a fault; it begins when the fault says so."""
        armed = _Armed(fault, left=fault.times)
        self._armed.append(armed)
        if not fault.match and fault.kind not in OF_COMMANDS:
            self._begin_in(armed)

    def heal(self) -> None:
        """End all faults; a DUT that was dead boots when it has power."""
        was_dead = self.has("dead")
        for armed in list(self._armed):
            self._end(armed)
        if was_dead and self.outlet_on:
            self._boot_in(self.spec.boot_seconds)

    @property
    def faults(self) -> list[Fault]:
        return [
            armed.fault
            for armed in self._armed
            if not (armed.begun and armed.fault.kind == "full_disk" and not layout.disk_is_full(self.root))
        ]

    @property
    def latency(self) -> float:
        """Seconds by which each connection and command is late."""
        return sum(armed.fault.latency for armed in self._armed if armed.begun and armed.fault.kind == "slow")

    def has(self, kind: str) -> bool:
        """True while a fault of that kind strikes."""
        return any(armed.begun and armed.fault.kind == kind for armed in self._armed)

    def struck_by(self, command: str) -> Fault | None:
        """The fault that *command* runs into, if any; faults of the machine that waited for it begin."""
        waiting = [
            armed for armed in self._armed if not armed.begun and armed.left != 0 and armed.fault.match in command
        ]
        for armed in waiting:
            if armed.fault.match and armed.fault.kind not in OF_COMMANDS:
                armed.count()
                self._begin_in(armed)
        struck = next((armed for armed in waiting if armed.fault.kind in OF_COMMANDS), None)
        if struck is None:
            return None
        struck.count()
        if struck.left == 0:
            self._armed.remove(struck)
        return struck.fault

    def _begin_in(self, armed: _Armed) -> None:
        if armed.fault.after:
            asyncio.get_running_loop().call_later(armed.fault.after, self._begin, armed)
        else:
            self._begin(armed)

    def _begin(self, armed: _Armed) -> None:
        if armed not in self._armed or armed.begun:
            return
        kind = armed.fault.kind
        if kind == "reboot":
            if not armed.left or not armed.fault.match:
                self._armed.remove(armed)
            self._spawn(self.reboot(armed.fault.seconds))
            return
        armed.begun = True
        if kind == "dead":
            self._spawn(self._go_down())
        elif kind == "refuse":
            self._drop_connections()
        elif kind == "hang":
            self.awake.clear()
        elif kind == "full_disk":
            layout.fill_disk(self.root)
        elif kind == "readonly":
            armed.modes = layout.make_readonly(self.root)
        elif kind == "fail_verify_once":
            layout.break_python(self.root)
        self._open_or_close_door()

    def _cure(self, event: str) -> None:
        """End the faults that *event* (reboot, power_cycle) ends; power brings a reboot with it."""
        for armed in list(self._armed):
            if armed.fault.until == event and (armed.begun or armed.fault.kind in OF_COMMANDS):
                self._end(armed)

    def _end(self, armed: _Armed) -> None:
        self._armed.remove(armed)
        kind = armed.fault.kind
        if kind == "hang" and not self.has("hang"):
            self.awake.set()
            self._drop_mute()
        elif kind == "full_disk":
            layout.empty_disk(self.root)
        elif kind == "readonly":
            layout.make_writable(armed.modes)
        elif kind == "fail_verify_once":
            layout.mend_python(self.root)
        self._open_or_close_door()

    # The wire

    async def wait_for(self, process: subprocess.Popen[bytes]) -> int:
        """The return code of a command's *process*; it is waited for even when its client has left."""
        self._processes.add(process)
        ended = self._spawn(session.end_of(process))
        ended.add_done_callback(lambda _: self._processes.discard(process))
        return int(await asyncio.shield(ended))

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _open_or_close_door(self) -> None:
        wanted = self.is_up and not self.has("refuse") and not self.has("dead")
        if self._socket is None or wanted == self._listening:
            return
        loop = asyncio.get_running_loop()
        if wanted:
            self._socket.listen(128)
            loop.add_reader(self._socket.fileno(), self._accept)
        else:
            loop.remove_reader(self._socket.fileno())
            # It refuses from now on and keeps the port, so that nobody else gets it meanwhile.
            self._socket.shutdown(socket.SHUT_RDWR)
        self._listening = wanted

    def _accept(self) -> None:
        assert self._socket is not None
        with contextlib.suppress(OSError):
            visitor, _ = self._socket.accept()
            visitor.setblocking(False)
            if self.has("hang"):
                self._mute.add(visitor)
            else:
                self._spawn(self._greet(visitor))

    async def _greet(self, visitor: socket.socket) -> None:
        await asyncio.sleep(self.latency)
        if not self._listening:
            visitor.close()
            return
        with contextlib.suppress(asyncssh.Error, OSError):
            await asyncssh.run_server(visitor, options=self._options)

    def _drop_connections(self) -> None:
        for connection in list(self._connections):
            connection.abort()
        self._drop_mute()

    def _drop_mute(self) -> None:
        for visitor in self._mute:
            visitor.close()
        self._mute.clear()


class _Door(asyncssh.SSHServer):
    """Lets in whoever holds the fleet's client key, and nobody else."""

    def __init__(self, connections: set[asyncssh.SSHServerConnection], client_key: asyncssh.SSHKey):
        self._connections = connections
        self._client_key = client_key
        self._connection: asyncssh.SSHServerConnection | None = None

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn
        self._connections.add(conn)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._connection is not None:
            self._connections.discard(self._connection)

    def begin_auth(self, username: str) -> bool:
        return True

    def public_key_auth_supported(self) -> bool:
        return True

    def password_auth_supported(self) -> bool:
        return False

    def kbdint_auth_supported(self) -> bool:
        return False

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return username == "root" and key.public_data == self._client_key.public_data


def _bind(port: int) -> socket.socket:
    # The protocol is named because asyncio sends small packets at once only on sockets that say they are TCP.
    wire = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        wire.setblocking(False)
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        wire.bind((ADDRESS, port))
        if not port:
            # Only a port that was asked for by number stays ours while we do not listen on it.
            number = wire.getsockname()[1]
            wire.close()
            return _bind(number)
    except OSError as problem:
        wire.close()
        raise errors.FleetError(
            f"port {port} of {ADDRESS} cannot be used: {problem.strerror}; choose another first port, or 0"
        ) from problem
    return wire
