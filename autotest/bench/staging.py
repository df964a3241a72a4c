"""Staging: a local bundle into a dev server's folder: checked, unpacked and indexed; beside ``tar -x`` of it."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile
import tempfile
import threading
from pathlib import Path
from typing import NamedTuple

from autotest.bench import measure
from autotest.bench.installation import Plan
from autotest.bench.measure import Figure, Target
from autotest.devserver import checksums
from autotest.devserver.config import Config
from autotest.devserver.depot import Depot
from autotest.devserver.staging import Progress, Stager

_PIECE = 1 << 20
_CONTROL = """AUTHOR = 'bench'
NAME = 'test{number}'
TIME = 'SHORT'
TEST_TYPE = 'client'
TEST_CLASS = 'smoke'
TEST_CATEGORY = 'Functional'
ATTRIBUTES = 'suite:bench'
DOC = 'Nothing.'
job.run_test('test{number}')
"""


def run(plan: Plan) -> list[Figure]:
    """Seconds for a bundle of 1 GB: an image and 500 tests of two files each; without and with a SHA256SUMS."""
    megabytes, tests = (1000, 500) if plan.full else (4, 5)
    with tempfile.TemporaryDirectory(prefix="autotest-bench-") as name:
        folder = Path(name)
        bundle = folder / "archive" / "bench.tar"
        bundle.parent.mkdir()
        _write(bundle, megabytes << 20, tests)
        rounds = [(_stage(folder), _stage(folder, checked=True), _untar(folder, bundle)) for _ in range(plan.runs)]
        size = bundle.stat().st_size / 10**6
    plain, checked, bare = zip(*rounds, strict=True)
    target = Target("at most", 1.5, "ratio") if plan.full else None
    return [
        Figure(
            f"bundle of {size:,.0f} MB staged",
            "s",
            [one.ready for one in plain],
            [one.ready for one in bare],
            "tar -x of the same file",
            target,
        ),
        Figure(
            "and on the disk",
            "s",
            [one.on_disk for one in plain],
            [one.on_disk for one in bare],
            "tar -x, then sync -f",
        ),
        Figure(
            "staged and its sha256 checked",
            "s",
            [one.ready for one in checked],
            [one.ready + one.hashed for one in bare],
            "tar -x, then hashlib.sha256 of the same file",
        ),
    ]


class _Seconds(NamedTuple):
    """One round: until it may be read, until it outlasts a power cut, and for the sha256 alone."""

    ready: float
    on_disk: float
    hashed: float = 0.0


def _write(bundle: Path, size: int, tests: int) -> None:
    with tarfile.open(bundle, "w") as tar:
        for number in range(tests):
            for name, text in (("control", _CONTROL.format(number=number)), (f"test{number}.py", "pass\n" * 400)):
                _add(tar, f"autotest/control/test{number}/{name}", io.BytesIO(text.encode()), len(text))
        image = bundle.parent / "image"
        with image.open("wb") as file:
            for _ in range(size // _PIECE):
                file.write(os.urandom(_PIECE))
        with image.open("rb") as source:
            _add(tar, "image.bin", source, image.stat().st_size)
        image.unlink()


def _add(tar: tarfile.TarFile, name: str, source: io.BufferedIOBase, size: int) -> None:
    info = tarfile.TarInfo(name)
    info.size = size
    tar.addfile(info, source)


def _stage(folder: Path, checked: bool = False) -> _Seconds:
    archive = folder / "archive"
    sums = archive / checksums.FILE
    if checked:
        bundle = archive / "bench.tar"
        sums.write_text(f"{checksums.of_file(bundle, lambda _: None)}  {bundle.name}\n", encoding="ascii")
    config = Config(folder / "depot", (f"file://{archive}",))
    # What a run before this one wrote is not this one's to sync.
    os.sync()
    with measure.stopwatch() as on_disk:
        with measure.stopwatch() as ready:
            depot = Depot(config.folder)
            stager = Stager(config, depot, threading.Event())
            wanted = stager.build(f"file://{archive / 'bench'}")
            stager.run(Progress(wanted), "")
        depot.settle(wanted.build)
    shutil.rmtree(config.folder)
    sums.unlink(missing_ok=True)
    return _Seconds(ready.seconds, on_disk.seconds)


def _untar(folder: Path, bundle: Path) -> _Seconds:
    into = folder / "bare"
    into.mkdir()
    os.sync()
    with measure.stopwatch() as on_disk:
        with measure.stopwatch() as ready:
            subprocess.run(["tar", "-x", "-f", str(bundle), "-C", str(into)], check=True)
        subprocess.run(["sync", "-f", str(into)], check=True)
    shutil.rmtree(into)
    with measure.stopwatch() as hashed:
        checksums.of_file(bundle, lambda _: None)
    return _Seconds(ready.seconds, on_disk.seconds, hashed.seconds)
