"""A fleet of simulated DUTs in one process: real SSH endpoints on loopback ports, with power, reboots and faults.

For tests and for ``autotest sim up``::

    with fleet.running(folder, scenario.plain(2)) as lab:
        host = lab.hosts[0]                  # a HostInfo, ready for autoserv
        lab.dut("dut1").fault("drop", bytes=100)
        lab.dut("dut2").power_off()

The folder then holds ``lab.toml`` (a worker configuration), ``known_hosts``, ``id_ed25519``, ``fleet.json`` and
``duts/<hostname>/``. Nothing sent to a DUT reaches the machine: see :mod:`autotest.sim.layout`.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import fcntl
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import threading
from collections.abc import Coroutine, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import asyncssh

from autotest import errors
from autotest.host_info import HostInfo
from autotest.sim import hunt, layout, switchboard
from autotest.sim.dut import Dut
from autotest.sim.faults import Fault, from_words
from autotest.sim.scenario import DutSpec

_T = TypeVar("_T")
_PATIENCE_S = 30.0
# What may stand in PATH, in a comma list of tmp_dirs, in TOML and in a shell without a second thought.
_FOLDER = re.compile(r"[A-Za-z0-9/._+@=~-]+")


@contextlib.contextmanager
def running(folder: Path | str, specs: Sequence[DutSpec], port: int = 0) -> Iterator[Fleet]:
    """A fleet that runs in a thread of its own for the length of the block; *port* is its first port, 0 for free ones.

    Raises FleetError when the folder or a port cannot be used.
    """
    place = _prepare(Path(folder).absolute(), specs, port)
    with _locked(place), _guarded(place):
        fleet = Fleet(place, specs)
        try:
            fleet._start(port)
            yield fleet
        finally:
            fleet._stop()


class Fleet:
    """A running fleet, for callers in any thread. *hosts* are its DUTs on paper."""

    def __init__(self, folder: Path, specs: Sequence[DutSpec]):
        self.folder = folder
        self.hosts: list[HostInfo] = []
        self._client_key = asyncssh.generate_private_key("ssh-ed25519")
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fleet", daemon=True)
        self._specs = specs
        self._duts: dict[str, Dut] = {}
        self._doorbell = -1
        self._board: asyncio.AbstractServer | None = None

    def dut(self, hostname: str) -> Handle:
        """The DUT of that name. Raises FleetError, naming those there are."""
        return Handle(self, self._named(hostname))

    @property
    def decoys(self) -> list[str]:
        """``hostname: command`` for each dangerous command that a DUT was asked to run."""
        return [f"{name}: {call}" for name, dut in self._duts.items() for call in layout.decoys(dut.root)]

    def call(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Run *work* in the fleet's loop and wait for it."""
        try:
            return asyncio.run_coroutine_threadsafe(work, self._loop).result(_PATIENCE_S)
        except concurrent.futures.TimeoutError as problem:
            raise errors.FleetError(f"the fleet in {self.folder} is silent since {_PATIENCE_S:.0f} s") from problem

    def _start(self, port: int) -> None:
        self._thread.start()
        self.call(self._open(port))

    def _stop(self) -> None:
        if self._thread.is_alive():
            self.call(self._close())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
        self._loop.close()

    async def _open(self, port: int) -> None:
        layout.write_programs(self.folder / "bin", self.folder / "doorbell")
        self._client_key.write_private_key(str(self.folder / "id_ed25519"))
        (self.folder / "id_ed25519").chmod(0o600)
        self._hang_doorbell()
        for number, spec in enumerate(self._specs):
            dut = Dut(spec, self.folder, self._client_key)
            self._duts[spec.hostname] = dut
            dut.open(port + number if port else 0)
        self.hosts = [dut.info for dut in self._duts.values()]
        self._write_papers()
        self._board = await asyncio.start_unix_server(self._answer, sock=switchboard.listen(self.folder))

    async def _close(self) -> None:
        if self._board is not None:
            self._board.close()
        for dut in self._duts.values():
            dut.unplug()
        await self._loop.run_in_executor(None, hunt.kill, str(self.folder / "duts"))
        await asyncio.gather(*(dut.close() for dut in self._duts.values()))
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)
        if self._doorbell >= 0:
            self._loop.remove_reader(self._doorbell)
            os.close(self._doorbell)
        for name in ("doorbell", "fleet.sock"):
            (self.folder / name).unlink(missing_ok=True)

    def _write_papers(self) -> None:
        lines = "".join(dut.known_hosts_line for dut in self._duts.values())
        (self.folder / "known_hosts").write_text(lines, encoding="utf-8")
        (self.folder / "lab.toml").write_text(lab_toml(self.hosts), encoding="utf-8")
        papers = {"pid": os.getpid(), "hosts": [host.to_json() for host in self.hosts]}
        (self.folder / "fleet.json").write_text(json.dumps(papers, indent=1), encoding="utf-8")

    def _named(self, hostname: object) -> Dut:
        if not isinstance(hostname, str) or hostname not in self._duts:
            known = ", ".join(list(self._duts)[:20])
            raise errors.FleetError(f"no DUT is called {hostname!r}; there are {known}")
        return self._duts[hostname]

    # The doorbell is how a DUT's own reboot command reaches us: any shell can write into it.

    def _hang_doorbell(self) -> None:
        path = self.folder / "doorbell"
        path.unlink(missing_ok=True)
        os.mkfifo(path, 0o600)
        self._doorbell = os.open(path, os.O_RDWR | os.O_NONBLOCK)
        self._loop.add_reader(self._doorbell, self._rung)

    def _rung(self) -> None:
        for name in os.read(self._doorbell, 65536).decode("utf-8", "replace").splitlines():
            if name in self._duts:
                self._duts[name].reboot_soon()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            answer = await self._do(switchboard.read_request(await reader.readline()))
            reply: dict[str, Any] = {"ok": True, "answer": answer}
        except errors.AutotestError as problem:
            reply = {"ok": False, "error": str(problem)}
        except ValueError:
            reply = {"ok": False, "error": "the request is too long"}
        with contextlib.suppress(OSError):
            writer.write(json.dumps(reply).encode() + b"\n")
            await writer.drain()
            writer.close()

    async def _do(self, request: dict[str, Any]) -> Any:
        if request["do"] == "status":
            return [_status(dut) for dut in self._duts.values()]
        dut = self._named(request.get("host"))
        if request["do"] == "power":
            return await dut.power(str(request.get("state")))
        if request["do"] == "fault":
            dut.arm(from_words(tuple(map(str, request.get("words", ())))))
        elif request["do"] == "heal":
            dut.heal()
        else:
            raise errors.FleetError(f"a fleet cannot {request['do']!r}; it knows power, fault, heal and status")
        return _status(dut)


class Handle:
    """One DUT of a running fleet, for callers in any thread."""

    def __init__(self, fleet: Fleet, dut: Dut):
        self._fleet = fleet
        self._dut = dut

    @property
    def info(self) -> HostInfo:
        return self._dut.info

    @property
    def root(self) -> Path:
        return self._dut.root

    @property
    def boot_id(self) -> str:
        return self._dut.boot_id

    @property
    def is_up(self) -> bool:
        """True while the DUT has power and has booted, whatever faults it has."""
        return self._dut.is_up

    @property
    def commands_met(self) -> int:
        """How many commands were sent to it so far."""
        return self._dut.commands_met

    @property
    def decoys(self) -> list[str]:
        """The dangerous commands that it was asked to run."""
        return layout.decoys(self._dut.root)

    @property
    def processes(self) -> list[int]:
        """The pids that it has now, daemons included."""
        return hunt.processes(str(self._dut.root))

    def fault(self, kind: str, **what: Any) -> None:
        """Give it a fault now: the fields of :class:`autotest.sim.faults.Fault`."""
        self._fleet.call(self._arm(Fault(kind, **what)))

    def heal(self) -> None:
        """End all its faults."""
        self._fleet.call(self._heal())

    def power_off(self) -> None:
        self._fleet.call(self._dut.power("off"))

    def power_on(self) -> None:
        self._fleet.call(self._dut.power("on"))

    def power_cycle(self) -> None:
        self._fleet.call(self._dut.power("cycle"))

    def reboot(self, down_seconds: float | None = None) -> None:
        """Reboot it from outside, as a crash does; returns when it is down."""
        self._fleet.call(self._dut.reboot(down_seconds))

    async def _arm(self, fault: Fault) -> None:
        self._dut.arm(fault)

    async def _heal(self) -> None:
        self._dut.heal()


def lab_toml(hosts: Sequence[HostInfo], name: str = "desk") -> str:
    """The worker configuration of these hosts; what all of them share stands in ``[defaults]``."""
    shared = set.intersection(*(set(host.attributes.items()) for host in hosts))
    lines = [f"name = {json.dumps(name)}", "", "[defaults]"]
    lines += [f"{key} = {json.dumps(value)}" for key, value in sorted(shared)]
    for host in hosts:
        lines += ["", "[[host]]", f"hostname = {json.dumps(host.hostname)}"]
        lines.append(f"labels = {json.dumps(sorted(host.labels))}")
        if host.platform is not None:
            lines.append(f"platform = {json.dumps(host.platform)}")
        if host.protection:
            lines.append(f"protection = {host.protection}")
        own = sorted(set(host.attributes.items()) - shared)
        lines += [f"{key} = {value if key == 'port' else json.dumps(value)}" for key, value in own]
    return "\n".join(lines) + "\n"


def _status(dut: Dut) -> dict[str, Any]:
    return {
        "hostname": dut.spec.hostname,
        "port": int(dut.info.get("port")),
        "outlet": "on" if dut.outlet_on else "off",
        "up": dut.is_up,
        "boot_id": dut.boot_id,
        "faults": [fault.kind for fault in dut.faults],
        "decoys": layout.decoys(dut.root),
        "labels": sorted(dut.spec.labels),
    }


def _prepare(folder: Path, specs: Sequence[DutSpec], port: int) -> Path:
    if not specs:
        raise errors.FleetError("a fleet needs at least one DUT")
    if port and not 1 <= port <= 65536 - len(specs):
        raise errors.FleetError(f"port {port} cannot be the first of {len(specs)}: ports end at 65535; 0: free ones")
    names = [spec.hostname for spec in specs]
    if len(set(names)) < len(names):
        raise errors.FleetError("two DUTs of a fleet share a hostname")
    if not _FOLDER.fullmatch(str(folder)):
        raise errors.FleetError(f"{folder} cannot hold a fleet: its path may hold letters, digits and /._+@=~- only")
    if (folder / "duts").exists() and not (folder / "fleet.json").exists():
        raise errors.FleetError(f"{folder} holds a folder duts that is not a fleet's; choose another folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
    except OSError as problem:
        raise errors.FleetError(f"{folder} cannot be written: {problem.strerror}; choose another folder") from problem
    return folder


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One fleet a folder; what an earlier one left there is gone when the block begins."""
    with (folder / "fleet.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as problem:
            raise errors.FleetError(f"a fleet runs in {folder} already; choose another folder") from problem
        hunt.kill(str(folder / "duts"))
        shutil.rmtree(folder / "duts", ignore_errors=True)
        yield


@contextlib.contextmanager
def _guarded(folder: Path) -> Iterator[None]:
    """A guardian process that kills what the DUTs run, should this process die without a word."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    guardian = subprocess.Popen(
        [sys.executable, "-I", "-S", str(Path(hunt.__file__)), str(folder / "duts")],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield
    finally:
        guardian.communicate()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
