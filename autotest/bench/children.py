"""Children: how fast autoserv children start, what they weigh, and what an idle DUT costs its worker."""

from __future__ import annotations

import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

from autotest.bench import installation, paper_lab
from autotest.bench.installation import Installation, Plan
from autotest.bench.measure import Figure, Target
from autotest.host_info import HostInfo
from autotest.job_file import JobFile
from autotest.server.launcher import Launcher
from autotest.sim import fleet, scenario
from autotest.states import Step

_MB = 1024.0
_PATIENCE_S = 30.0
#: What a child runs: it notes when it got so far, connects to its DUT, and stays until it may go.
_CONTROL = """\
with open({place!r} + "/began", "w") as note:
    note.write(repr(time.monotonic()))
host = hosts.create_host(machines[0])
with open({place!r} + "/connected", "w") as note:
    note.write(str(os.getpid()))
while not os.path.exists({place!r} + "/go"):
    time.sleep(0.05)
"""
#: The same for a process that is no child of a fork server.
_BARE = """\
import pathlib, sys, time
import paramiko
from autotest.server import autoserv
place = pathlib.Path(sys.argv[1])
(place / "began").write_text(repr(time.monotonic()))
while not (place / "go").exists():
    time.sleep(0.05)
"""
_BASELINE = "a fresh Python that imports paramiko and autoserv"


def run(plan: Plan) -> list[Figure]:
    """Start and weight of children, each with a live connection; then the worker's memory for each further DUT."""
    count = 8 if plan.full else 2
    ours: list[tuple[float, float]] = []
    bare: list[tuple[float, float]] = []
    with installation.fresh(plan) as here:
        with fleet.running(here.folder / "fleet", scenario.plain(1)) as running:
            launcher = Launcher()
            launcher.start()
            try:
                _children(launcher, here.folder / "warm", running.hosts[0], 1)
                for turn in range(plan.runs):
                    ours.append(_children(launcher, here.folder / f"ours{turn}", running.hosts[0], count))
                    bare.append(_processes(here.folder / f"bare{turn}", count))
            finally:
                launcher.close()
        few, many = (20, 520) if plan.full else (2, 12)
        worker = [_worker_memory(here, plan, few, many) for _ in range(plan.runs)]
    start, weight, memory = (Target("at most", number) if plan.full else None for number in (50.0, 15.0, 1.0))
    return [
        Figure("child started", "ms", [each[0] for each in ours], [each[0] for each in bare], _BASELINE, start),
        Figure("child with a live connection", "MB PSS", [e[1] for e in ours], [e[1] for e in bare], _BASELINE, weight),
        Figure(f"worker memory for each DUT beyond {few}", "MB PSS", worker, target=memory),
    ]


def _children(launcher: Launcher, place: Path, info: HostInfo, count: int) -> tuple[float, float]:
    """Milliseconds from run() to the first line of a control file, and MB of a child, while *count* of them run."""
    starts: list[float] = []
    threads = []
    folders = [place / str(number) for number in range(count)]
    for folder in folders:
        folder.mkdir(parents=True)
        control = _CONTROL.format(place=str(folder))
        job_file = JobFile(Step.RUN_TEST, (info,), control_file=control, control_type="server", user=paper_lab.OWNER)
        job_file.write(folder)
        threads.append(threading.Thread(target=launcher.run, args=(folder, _PATIENCE_S)))
        called = time.monotonic()
        threads[-1].start()
        starts.append(1000 * (float(_note(folder / "began")) - called))
    weights = [pss(int(_note(folder / "connected"))) for folder in folders]
    for folder, thread in zip(folders, threads, strict=True):
        (folder / "go").touch()
        thread.join()
    return statistics.median(starts), statistics.mean(weights)


def _processes(place: Path, count: int) -> tuple[float, float]:
    """The same of processes of their own."""
    starts: list[float] = []
    processes = []
    for number in range(count):
        folder = place / str(number)
        folder.mkdir(parents=True)
        called = time.monotonic()
        processes.append(subprocess.Popen([sys.executable, "-c", _BARE, str(folder)]))
        starts.append(1000 * (float(_note(folder / "began")) - called))
    weights = [pss(process.pid) for process in processes]
    for number, process in enumerate(processes):
        (place / str(number) / "go").touch()
        process.wait()
    return statistics.median(starts), statistics.mean(weights)


def _note(path: Path) -> str:
    """What somebody writes into the file, once it is there. Raises TimeoutError."""
    last = time.monotonic() + _PATIENCE_S
    while not (path.exists() and path.read_text()):
        if time.monotonic() > last:
            raise TimeoutError(f"{path} was not written within {_PATIENCE_S:g} s")
        time.sleep(0.001)
    return path.read_text()


def _worker_memory(here: Installation, plan: Plan, few: int, many: int) -> float:
    """MB of a lab worker and its fork server for each of the DUTs that *many* has beyond *few*, all idle."""
    weights = []
    for count in (few, many):
        name = f"idle{count}"
        config = here.folder / f"{name}.toml"
        infos = [HostInfo(f"{name}-{info.hostname}", info.labels) for info in paper_lab.infos(count)]
        slots = f"slots = {few}\n"
        config.write_text(slots + fleet.lab_toml(infos, name), encoding="utf-8")
        log = f"{name}-{time.monotonic_ns()}"
        process = here.start(log, "autotest", "worker", "run", "--config", str(config))
        here.wait_for_log(log, " ready.")
        # Long enough for several looks at the database.
        time.sleep(3.0)
        weights.append(sum(pss(pid) for pid in _family(process.pid)))
        here.stop(process)
    return (weights[1] - weights[0]) / (many - few)


def pss(pid: int) -> float:
    """Proportional set size of a process in MB (proc(5), smaps_rollup)."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / _MB


def _family(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *map(int, children)]
