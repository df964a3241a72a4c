"""No-op worker: a real lab worker whose children are replaced by pauses, so that only our own machinery costs.

``python -m autotest.bench.no_op_worker LAB.toml STEPS SECONDS``: a step takes half of SECONDS to half as much again,
since no two tests are equally long, and leaves a line in the file STEPS: token, step, and when it began and ended on
the machine's monotonic clock.
"""

from __future__ import annotations

import random
import sys
import threading
import time
from pathlib import Path
from typing import NamedTuple

from autotest.job_file import JobFile, StepOutcome
from autotest.server.launcher import ChildEnd, Launcher

_PATIENCE_S = 30.0


class Ran(NamedTuple):
    """One step as the worker carried it out; *began* and *ended* in seconds of the monotonic clock."""

    token: int
    step: str
    began: float
    ended: float


class NoOpLauncher(Launcher):
    """Begins no child: a step succeeds after about *seconds*."""

    def __init__(self, steps: Path, seconds: float):
        super().__init__()
        self._steps = steps.open("a", buffering=1)
        self._seconds = seconds
        self._closing = threading.Event()

    def start(self) -> None:
        """Nothing to start."""

    def run(self, folder: Path, deadline_s: float | None = None) -> ChildEnd:
        """Let the step of *folder* succeed."""
        began = time.monotonic()
        job_file = JobFile.read(folder)
        if self._closing.wait(self._seconds * random.uniform(0.5, 1.5)):
            return ChildEnd(None, None, "killed")
        StepOutcome(ok=True).write(folder)
        self._steps.write(f"{job_file.token} {job_file.step.value} {began} {time.monotonic()}\n")
        return ChildEnd(0, None, "ended")

    def close(self) -> None:
        """End every pause."""
        self._closing.set()


def read(steps: Path) -> list[Ran]:
    """The steps that ended so far; a line that is being written is left out."""
    lines = steps.read_text().splitlines(keepends=True) if steps.exists() else []
    words = [line.split() for line in lines if line.endswith("\n")]
    return [Ran(int(token), step, float(began), float(ended)) for token, step, began, ended in words]


def main(config: str, steps: str, seconds: str) -> None:
    """Serve the lab of the configuration file."""
    # Only here: the modules of the worker read the settings of the environment when they are imported.
    from autotest.worker import command, lab_config, lab_worker

    launcher = NoOpLauncher(Path(steps), float(seconds))
    command.serve(lab_worker.LabWorker(lab_config.load(Path(config)), command.ready(_PATIENCE_S), launcher))


if __name__ == "__main__":
    main(*sys.argv[1:])
