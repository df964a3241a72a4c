"""A fleet of simulated DUTs, one for each test of the module that asks for `dut`, and folders to run steps in."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from autotest.client import status_log
from autotest.host_info import HostInfo
from autotest.job_file import JobFile, StepOutcome
from autotest.server import autoserv
from autotest.sim import fleet, scenario
from autotest.states import Step

_FLEET = 80
PASS = """
from autotest.client import test
class pas(test.test):
    version = 1
    def run_once(self):
        with open(self.resultsdir + "/seen", "w") as seen:
            seen.write("yes")
"""
# Waits for a file that never comes, so that it runs until somebody ends it.
WAIT = """
import os, time
from autotest.client import test
class wait(test.test):
    version = 1
    def run_once(self):
        open(os.path.join(self.job.tmpdir, "waiting"), "w").close()
        while not os.path.exists(os.path.join(self.job.tmpdir, "go")):
            time.sleep(0.05)
"""


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[fleet.Fleet]:
    attributes = {"boot_limit": "20", "down_limit": "10", "disconnect_limit": "10"}
    specs = [scenario.DutSpec(f"dut{number}", attributes=attributes) for number in range(1, _FLEET + 1)]
    with fleet.running(tmp_path_factory.mktemp("fleet"), specs) as running:
        yield running


@pytest.fixture(scope="session")
def numbers() -> Iterator[int]:
    return itertools.count(1)


@pytest.fixture
def dut(lab: fleet.Fleet, numbers: Iterator[int]) -> Iterator[fleet.Handle]:
    """A DUT that no other test uses."""
    handle = lab.dut(f"dut{next(numbers)}")
    yield handle
    handle.heal()
    assert handle.decoys == []


@pytest.fixture(scope="session")
def test_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("tests")
    for name, text in (("pas", PASS), ("wait", WAIT)):
        (root / name).mkdir()
        (root / name / f"{name}.py").write_text(text)
    return root


class Attempt:
    """One step in a folder of its own."""

    def __init__(self, folder: Path, exit_status: int | None = None):
        self.folder = folder
        self.exit_status = exit_status

    @property
    def outcome(self) -> StepOutcome | None:
        return StepOutcome.read(self.folder)

    @property
    def lines(self) -> list[str]:
        """The status log without times: ``»`` for each level, then the columns that are not empty."""
        shown = []
        for line in (self.folder / "status.log").read_text().splitlines():
            if status_log.is_continuation(line):
                continue
            entry = status_log.StatusEntry.parse(line)
            words = [entry.code, *dict.fromkeys(filter(None, (entry.subdir, entry.operation))), entry.message]
            shown.append("»" * status_log.depth_of(line) + " ".join(filter(None, words)))
        return shown


@pytest.fixture
def prepare(tmp_path: Path, test_root: Path) -> Callable[..., Path]:
    """Writes job.json: the folder of one step on one host or several."""
    count = itertools.count(1)

    def write(step: str, *hosts: HostInfo, token: int = 1, **rest: object) -> Path:
        folder = tmp_path / f"{next(count)}-{step}"
        folder.mkdir()
        JobFile(Step(step), hosts, token, test_roots=(str(test_root),), user="tester", **rest).write(folder)  # type: ignore[arg-type]
        return folder

    return write


@pytest.fixture
def run(prepare: Callable[..., Path]) -> Callable[..., Attempt]:
    """Runs one step in this process."""

    def go(step: str, *hosts: HostInfo, **rest: object) -> Attempt:
        folder = prepare(step, *hosts, **rest)
        return Attempt(folder, autoserv.run_folder(folder))

    return go
