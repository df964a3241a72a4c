"""A run of the import: finds the folders, hands them to processes, and notes in the journal what is done."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import multiprocessing
import signal
from collections.abc import Iterator, Sequence
from multiprocessing import connection
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import NamedTuple

from autotest import errors
from autotest.models import database
from autotest.results import store
from autotest.results.importing import folder_import
from autotest.results.importing.folder_import import Fate, Outcome, Task
from autotest.results.importing.journal import Journal
from autotest.results.parsing import job_folders
from autotest.results.parsing.job_folders import Found


class Order(NamedTuple):
    """What is asked for. *prefix* goes before every tag; *again* parses what is unchanged, too."""

    roots: Sequence[Path]
    database_url: str
    processes: int
    prefix: str = ""
    dry_run: bool = False
    again: bool = False


def outcomes(order: Order, journal: Journal) -> Iterator[Outcome]:
    """What became of each folder, as it becomes known. The caller's own process opens no connection.

    Raises DatabaseUnreachable; what was done until then is in the journal.
    """
    plan = _plan(order, journal)
    for outcome in _in_processes(order, plan):
        if outcome.fate is Fate.IMPORTED:
            journal.add(outcome.tag, outcome.path, outcome.fingerprint)
        yield outcome


def _plan(order: Order, journal: Journal) -> Iterator[Task | Outcome]:
    """A task for each folder, or at once the outcome of one that nobody needs to parse."""
    taken: dict[str, Path] = {}
    for found in (found for root in order.roots for found in job_folders.of_tree(root)):
        tag = store.tag_of(f"{order.prefix}/{found.tag}" if order.prefix else found.tag)
        if taken.get(tag) == found.path:
            continue
        problem = found.problem or _conflict(found, tag, taken.setdefault(tag, found.path), journal)
        if problem:
            fate = Fate.REFUSED if not found.problem else Fate.FAILED if found.has_log else Fate.EMPTY
            yield Outcome(found.path, tag, fate, fact=problem)
            continue
        entry = journal.of(tag)
        known = entry.fingerprint if entry and not order.again else ""
        yield Task(found.path, tag, order.prefix, known, order.dry_run)


def _conflict(found: Found, tag: str, owner: Path, journal: Journal) -> str:
    """Why *found* may not have *tag*; empty if it may."""
    entry = journal.of(tag)
    if owner == found.path and entry is not None and entry.folder != str(found.path) and Path(entry.folder).is_dir():
        owner = Path(entry.folder)
    if owner == found.path:
        return ""
    return f"{owner} has the tag {tag} already; import one of the trees under a name of its own with --prefix"


@dataclasses.dataclass(eq=False)
class _Worker:
    """A process, the line to it, and what it is at."""

    process: SpawnProcess
    line: Connection
    task: Task | None = None


def _in_processes(order: Order, plan: Iterator[Task | Outcome]) -> Iterator[Outcome]:
    """Carry out *plan*. A process that dies costs the folder that it was at, and another one takes its place."""
    workers: list[_Worker] = []
    try:
        for each in plan:
            if isinstance(each, Outcome):
                yield each
                continue
            while all(worker.task for worker in workers) and len(workers) == order.processes:
                yield from _answers(workers)
            _give(order, workers, each)
        while any(worker.task for worker in workers):
            yield from _answers(workers)
    finally:
        # Whoever is at something loses it: a transaction that nobody ended has not been.
        for worker in workers:
            worker.process.kill()
        for worker in workers:
            worker.process.join()
            worker.line.close()


def _give(order: Order, workers: list[_Worker], task: Task) -> None:
    worker = next((worker for worker in workers if worker.task is None), None)
    if worker is None:
        context = multiprocessing.get_context("spawn")
        line, far_end = context.Pipe()
        process = context.Process(target=_serve, args=(far_end, order.database_url), daemon=True)
        process.start()
        # With its last copy in the worker, the end of the worker is the end of the line.
        far_end.close()
        worker = _Worker(process, line)
        workers.append(worker)
    worker.task = task
    with contextlib.suppress(OSError):
        worker.line.send(task)


def _answers(workers: list[_Worker]) -> Iterator[Outcome]:
    """Wait until at least one is done, and tell what became of its folder."""
    lines = {worker.line: worker for worker in workers if worker.task is not None}
    for line in connection.wait(list(lines)):
        assert isinstance(line, Connection)
        worker = lines[line]
        task = worker.task
        worker.task = None
        try:
            answer = line.recv()
        except (EOFError, OSError):
            workers.remove(worker)
            worker.process.join()
            line.close()
            fact = f"the process that parsed it died (exit code {worker.process.exitcode}); is there memory?"
            answer = Outcome(task.path, task.tag, Fate.FAILED, fact=fact) if task else None
        if isinstance(answer, errors.DatabaseUnreachable):
            raise answer
        if isinstance(answer, Outcome):
            yield answer


def _serve(line: Connection, database_url: str) -> None:
    """What a process does: one folder after the other, until nobody is at the other end."""
    # Ctrl-C is for the parent; what there is to say is in the outcomes.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    logging.getLogger("autotest").addHandler(logging.NullHandler())
    database.connect(database_url)
    with contextlib.suppress(EOFError, OSError):
        while True:
            task = line.recv()
            try:
                answer: Outcome | errors.DatabaseUnreachable = folder_import.carry_out(task)
            except errors.DatabaseUnreachable as problem:
                answer = problem
            line.send(answer)
