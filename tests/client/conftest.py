"""The client as the DUT runs it: a subprocess of some CPython, on real folders."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
import zipapp
from pathlib import Path
from typing import NamedTuple

import pytest

from autotest.client import status_log

ROOT = Path(__file__).parents[2]
_SUPPORTED = [(3, minor) for minor in range(6, 14)]
_HEADER = """\
import os, signal, sys, time
from autotest.client import error, process, test

class {name}(test.test):
    version = 1

"""


def every_python() -> dict[str, str]:
    """Every other CPython 3.6 ... 3.13 of this machine: version to path."""
    names = [f"python{major}.{minor}" for major, minor in _SUPPORTED]
    folders = [*os.environ.get("PATH", "").split(os.pathsep), *map(str, Path.home().glob(".pyenv/versions/*/bin"))]
    found: dict[str, str] = {}
    for name in names:
        for folder in folders:
            path = os.path.join(folder, name)
            if name not in found and os.access(path, os.X_OK) and "CPython" in _implementation(path):
                found[name] = path
    found.pop("python{}.{}".format(*sys.version_info), None)
    return found


def _implementation(python: str) -> str:
    code = "import platform; print(platform.python_implementation())"
    # A pyenv shim answers for a version that is not there with an error.
    return subprocess.run([python, "-c", code], capture_output=True, text=True, timeout=30).stdout


class Ended(NamedTuple):
    """How one run ended. *lines* are its status lines with arrows for tabs, without times and continuation lines."""

    code: int
    lines: list[str]
    text: str
    stdout: str
    stderr: str


class Client:
    """One folder with tests, a control file, results and a state, and the interpreter that runs it."""

    def __init__(self, command: list[str], folder: Path):
        self.command = command
        self.folder = folder
        self.results = folder / "run" / "results"
        self.boot_id = folder / "boot_id"
        self.boot_id.write_text("boot-1\n")
        (folder / "tests").mkdir()

    def test(self, name: str, body: str = "def run_once(self, **kw):\n    pass\n") -> None:
        """Write a test whose class body is *body*."""
        (self.folder / "tests" / name).mkdir(exist_ok=True)
        text = _HEADER.format(name=name) + textwrap.indent(textwrap.dedent(body), "    ")
        (self.folder / "tests" / name / f"{name}.py").write_text(text)

    def arguments(self, *extra: str) -> list[str]:
        """The arguments of `run`."""
        paths = {
            "--results": self.results,
            "--control": self.folder / "control",
            "--state": self.folder / "state",
            "--tests": self.folder / "tests",
            "--tmp-dir": self.folder / "tmp",
            "--boot-id-file": self.boot_id,
        }
        return [part for option, path in paths.items() for part in (option, str(path))] + list(extra)

    def call(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        """Run the client with *arguments* to its end."""
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "default"}
        return subprocess.run([*self.command, *arguments], capture_output=True, timeout=60, env=environment)

    def run(self, control: str | None = None, *extra: str) -> Ended:
        """Run the control file (the last one again when None)."""
        if control is not None:
            (self.folder / "control").write_text(textwrap.dedent(control))
        done = self.call("run", *self.arguments(*extra))
        status = self.results / "status"
        text = status.read_text() if status.exists() else ""
        return Ended(done.returncode, plain(text), text, done.stdout.decode(), done.stderr.decode())

    def resume(self) -> Ended:
        """Go on with --continue."""
        return self.run(None, "--continue")

    def reboot(self) -> None:
        """The machine has another boot id now."""
        self.boot_id.write_text(self.boot_id.read_text().strip() + "+\n")

    def read(self, path: str) -> str:
        """A file of the results; "" when it is not there."""
        found = self.results / path
        return found.read_text() if found.exists() else ""


def plain(text: str) -> list[str]:
    """Status lines with arrows for tabs, without times and continuation lines."""
    lines = [line for line in text.splitlines() if not status_log.is_continuation(line)]
    return [re.sub(r"\t(timestamp|localtime)=[^\t]*", "", line).replace("\t", "→") for line in lines]


@pytest.fixture
def client(tmp_path: Path) -> Client:
    """The client on the interpreter that runs the tests."""
    return Client([sys.executable, "-m", "autotest.client"], tmp_path)


@pytest.fixture(scope="session")
def pyz(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The client as one file, as it travels to a DUT."""
    folder = tmp_path_factory.mktemp("pyz")
    package = folder / "content" / "autotest" / "client"
    package.mkdir(parents=True)
    (package.parent / "__init__.py").write_bytes((ROOT / "autotest" / "__init__.py").read_bytes())
    for source in (ROOT / "autotest" / "client").glob("*.py"):
        (package / source.name).write_bytes(source.read_bytes())
    (folder / "content" / "__main__.py").write_text("from autotest.client.__main__ import main\n\nmain()\n")
    zipapp.create_archive(folder / "content", folder / "client.pyz")
    return folder / "client.pyz"


_OTHERS = every_python()


@pytest.fixture(params=[sys.executable, *_OTHERS.values()], ids=["this", *_OTHERS])
def dut(request: pytest.FixtureRequest, pyz: Path, tmp_path: Path) -> Client:
    """The client as one file, on every CPython of this machine; nothing else is importable."""
    return Client([request.param, "-I", str(pyz)], tmp_path)
