"""The command line of the simulated fleet: autotest sim up, power, fault, heal, status."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import click

from autotest import errors
from autotest.sim import faults, fleet, scenario, switchboard
from autotest.sim import power as outlet

_FILE = click.Path(path_type=Path)
_FOLDER = click.Path(path_type=Path, file_okay=False, exists=True)


@click.group()
def sim() -> None:
    """A fleet of simulated DUTs: real SSH endpoints with faults, on this machine."""


@sim.command()
@click.option("--duts", type=click.IntRange(1, 10_000), help="How many; default: as many as the scenario has, or 1.")
@click.option("--scenario", "scenario_file", type=_FILE, help="TOML file; autotest/sim/scenario.py describes it.")
@click.option("--dir", "folder", type=_FILE, help="Where it lives; default: a new folder, removed at the end.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, show_default=True, help="First port; 0: free ones.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object when the fleet is up.")
def up(duts: int | None, scenario_file: Path | None, folder: Path | None, port: int, as_json: bool) -> None:
    """Run a fleet until Ctrl-C. Exit status 1 when a DUT was asked to run a command that could hurt the machine."""
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: ended.set())
    with _told(), _place(folder) as place:
        with fleet.running(place, _specs(duts, scenario_file), port) as lab:
            _announce(lab, as_json)
            ended.wait()
        decoys = lab.decoys
        if decoys:
            raise errors.FleetError("dangerous commands were refused:\n  " + "\n  ".join(decoys))


@sim.command()
@click.argument("folder", type=_FOLDER)
@click.argument("host")
@click.argument("state", type=click.Choice(["on", "off", "cycle", "status"]))
def power(folder: Path, host: str, state: str) -> None:
    """Switch the outlet of HOST in the fleet that runs in FOLDER; prints on or off."""
    with _told():
        click.echo(outlet.switch(folder, host, state))


@sim.command(epilog=f"Kinds: {'; '.join(f'{kind}: {text}' for kind, (text, _) in faults.KINDS.items())}.")
@click.argument("folder", type=_FOLDER)
@click.argument("host")
@click.argument("words", nargs=-1, required=True, metavar="KIND [KEY=VALUE]...")
def fault(folder: Path, host: str, words: tuple[str, ...]) -> None:
    """Give HOST of the fleet that runs in FOLDER a fault, such as: drop bytes=100 match=collect."""
    with _told():
        faults.from_words(words)
        switchboard.ask(folder, "fault", host=host, words=words)


@sim.command()
@click.argument("folder", type=_FOLDER)
@click.argument("host")
def heal(folder: Path, host: str) -> None:
    """End all faults of HOST in the fleet that runs in FOLDER."""
    with _told():
        switchboard.ask(folder, "heal", host=host)


@sim.command()
@click.argument("folder", type=_FOLDER)
@click.option("--json", "as_json", is_flag=True, help="One JSON list.")
def status(folder: Path, as_json: bool) -> None:
    """The DUTs of the fleet that runs in FOLDER: power, boot, faults, refused commands."""
    with _told():
        duts = switchboard.ask(folder, "status")
    if as_json:
        click.echo(json.dumps(duts))
        return
    for dut in duts:
        state = "up" if dut["up"] else "down"
        wrong = ", ".join(dut["faults"] + [f"DECOY {call}" for call in dut["decoys"]])
        click.echo(f"{dut['hostname']:<16} port {dut['port']:<5} outlet {dut['outlet']:<3} {state:<4} {wrong}".rstrip())


def _specs(duts: int | None, scenario_file: Path | None) -> list[scenario.DutSpec]:
    """The first *duts* of the scenario, and plain ones when it has fewer."""
    specs = scenario.load(scenario_file) if scenario_file is not None else []
    wanted = duts or len(specs) or 1
    return specs[:wanted] + scenario.plain(max(0, wanted - len(specs)), first=len(specs) + 1)


def _announce(lab: fleet.Fleet, as_json: bool) -> None:
    if as_json:
        hosts = [host.to_json() for host in lab.hosts]
        click.echo(json.dumps({"dir": str(lab.folder), "lab": str(lab.folder / "lab.toml"), "hosts": hosts}))
        return
    for host in lab.hosts:
        click.echo(f"{host.hostname:<16} port {host.get('port'):<5} {' '.join(sorted(host.labels))}")
    click.echo(f"{len(lab.hosts)} DUTs; worker configuration {lab.folder / 'lab.toml'}; Ctrl-C ends them")


@contextlib.contextmanager
def _place(folder: Path | None) -> Iterator[Path]:
    if folder is not None:
        yield folder
        return
    made = Path(tempfile.mkdtemp(prefix="autotest-sim-"))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """Our errors become one message and an exit status: 2 for what was written wrongly, 1 for the rest."""
    try:
        yield
    except errors.ConfigError as problem:
        raise click.UsageError(str(problem)) from problem
    except errors.AutotestError as problem:
        raise click.ClickException(str(problem)) from problem
