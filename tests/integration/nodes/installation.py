"""Installation: one whole Autotest in a folder: settings, database, labs, and a build for a simulated fleet."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Mapping
from pathlib import Path

from autotest import settings
from autotest.settings import Settings
from autotest.sim import fleet
from autotest.sim.scenario import DutSpec
from nodes.broker import free_port
from nodes.proxy import Disturbance

BUILD = "build-1"

#: Times that make faults heal while a test waits. A lease outlives every test unless the test is about its end.
_HASTE: dict[str, float | int] = {
    "step_due": 2.0,
    "beat_every": 0.5,
    "sweep_every": 0.5,
    "lease_length": 120.0,
    "verify_limit": 30.0,
    "repair_limit": 30.0,
}
_PATIENCE_OF_HOSTS = {"boot_limit": "15", "down_limit": "5", "disconnect_limit": "6"}

# Says that it began, and ends when the test lets it.
_GATE = """
import os, time
from autotest.client import error, test
class gate(test.test):
    version = 1
    def run_once(self, place, verdict=""):
        with open(place + ".began", "a") as began:
            began.write("%d\\n" % os.getpid())
        while not os.path.exists(place + ".go"):
            time.sleep(0.02)
        if verdict:
            raise error.TestFail(verdict)
"""
_QUICK = """
from autotest.client import test
class quick(test.test):
    version = 1
    def run_once(self):
        pass
"""
_CONTROL = """\
AUTHOR = "The Autotest team"
NAME = "{name}"
TIME = "FAST"
TEST_TYPE = "client"
ATTRIBUTES = "suite:smoke"
DEPENDENCIES = "{needs}"
DOC = "For the integration tests."
{body}
"""
_SUITE = """\
AUTHOR = "The Autotest team"
NAME = "smoke"
TIME = "FAST"
TEST_TYPE = "server"
DOC = "For the integration tests."
"""


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a test asks of its lab, by ``@pytest.mark.lab(duts=3, lease_length=2.0)``.

    *duts* is a number of equal DUTs, or DUTs by name with their labels. *labs* gives each lab its DUTs by name;
    without it one lab has them all. *disturbance* stands between the workers and the broker.
    """

    duts: int | Mapping[str, set[str]] = 1
    labs: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    disturbance: Disturbance | None = None
    max_requeues: int = 2
    lease_length: float = 120.0

    def specs(self) -> list[DutSpec]:
        """The DUTs on paper."""
        named = self.duts
        if isinstance(named, int):
            named = {f"dut{number}": {"board:sim"} for number in range(1, named + 1)}
        return [
            DutSpec(name, labels | {"pool:suites"}, boot_seconds=0.2, attributes=dict(_PATIENCE_OF_HOSTS))
            for name, labels in named.items()
        ]


class Installation:
    """Written into *folder* when made, except the database, which is a copy of *migrated*."""

    def __init__(self, folder: Path, plan: Plan, running: fleet.Fleet, migrated: Path):
        self.folder = folder
        self.fleet = running
        self.broker_port = free_port()
        self.settings_file = folder / "autotest.toml"
        self._plan = plan
        self._write_settings(f"redis://127.0.0.1:{self.broker_port}/0")
        self.settings: Settings = settings.load(self.settings_file, {})
        self.lab_files = self._write_labs()
        self._write_build()
        shutil.copy(migrated, self.settings.root_dir / "autotest.db")

    def send_through(self, url: str) -> None:
        """Let processes that start from now on reach the broker at *url*."""
        self._write_settings(url)

    def _write_settings(self, broker: str) -> None:
        root = self.folder / "root"
        root.mkdir(exist_ok=True)
        values = _HASTE | {"max_requeues": self._plan.max_requeues, "lease_length": self._plan.lease_length}
        lines = [f"root = {json.dumps(str(root))}", f"broker = {json.dumps(broker)}"]
        lines += [f"{key} = {value}" for key, value in values.items()]
        self.settings_file.write_text("\n".join(lines) + "\n")

    def _write_labs(self) -> list[Path]:
        hosts = {host.hostname: host for host in self.fleet.hosts}
        files = []
        for name, duts in (self._plan.labs or {"desk": tuple(hosts)}).items():
            files.append(self.folder / f"{name}.toml")
            files[-1].write_text(fleet.lab_toml([hosts[dut] for dut in duts], name))
        return files

    def _write_build(self) -> None:
        build = self.settings.builds_dir / BUILD
        (build / "test_suites").mkdir(parents=True)
        (build / "test_suites" / "control.smoke").write_text(_SUITE)
        for name, text in (("gate", _GATE), ("quick", _QUICK)):
            (build / "control" / name).mkdir(parents=True)
            (build / "control" / name / f"{name}.py").write_text(text)

    def add_test(self, name: str, body: str, needs: str = "") -> None:
        """Put a control file into suite smoke of the build: *body* runs on the DUT, *needs* are its DEPENDENCIES."""
        place = self.settings.builds_dir / BUILD / "control" / f"control.{name}"
        place.write_text(_CONTROL.format(name=name, body=body, needs=needs))
