"""What a results worker does: turns the results folder of one entry into TestResults, and ends the entry."""

from __future__ import annotations

import fcntl
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from autotest import settings
from autotest.celery import app, publish
from autotest.models import database
from autotest.models.afe import HostQueueEntry
from autotest.models.database import transaction
from autotest.results import parser, store
from autotest.scheduler import entries
from autotest.settings import Settings
from autotest.states import EntryStatus
from autotest.tasks import run_folders

logger = logging.getLogger(__name__)


@app.task(name="autotest.parse")
def parse(entry_id: int) -> None:
    """Parse the folder of an entry in Parsing, store it, and give the entry its final state.

    A lock on the job's folder keeps a second parser out; it goes with its process, so a killed parser blocks nobody.
    """
    config = settings.load()
    with database.connection():
        entry = HostQueueEntry.get_or_none(HostQueueEntry.id == entry_id)
        if entry is None or entry.status != EntryStatus.PARSING.value:
            return
        with _only_parser(config.results_dir / entry.job.tag, entry_id) as alone:
            if not alone:
                return
            stored = _store(config, entry)
        woken = entries.finish(entry_id) if stored else []
    publish(woken)


def _store(config: Settings, entry: HostQueueEntry) -> bool:
    """True once the entry may end: its results are stored, or it was tried often enough and the entry says so."""
    try:
        folder = run_folders.accept(config.results_dir, entry)
        tag = folder.relative_to(config.results_dir).as_posix()
        store.save(parser.read(folder), tag)
    except Exception as problem:
        attempts = entry.parse_attempts + 1
        logger.exception("entry %s: its results could not be stored (attempt %s)", entry.id, attempts)
        given_up = attempts >= config.max_parse_attempts
        columns = {"parse_attempts": attempts}
        if given_up:
            columns |= {"succeeded": False, "reason": f"results could not be stored: {problem}"[:1000]}
        with transaction():
            HostQueueEntry.update(columns).where(HostQueueEntry.id == entry.id).execute()
        return given_up
    return True


@contextmanager
def _only_parser(folder: Path, entry_id: int) -> Iterator[bool]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f".parse.{entry_id}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True
