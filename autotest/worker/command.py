"""``autotest worker``: run, results, suites and beat, the processes that a lab and the middle are made of."""

from __future__ import annotations

import gc
import logging
import socket
import sys
from pathlib import Path
from typing import Any

import click
from celery import bootsteps, signals

from autotest import errors, settings
from autotest.celery import UPKEEP_QUEUE, app
from autotest.models import database, schema
from autotest.scheduler import wakes
from autotest.settings import Settings
from autotest.worker import broker_facts, lab_config, lab_worker, succession
from autotest.worker.check_command import check
from autotest.worker.credits import LabelQueueStep
from autotest.worker.keeper import Keeper
from autotest.worker.labs_command import drain, labs, undrain
from autotest.worker.watchdog import Watchdog

_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
#: They tell every message that they send or take, beat one every two seconds.
_CHATTY = ("celery.worker.strategy", "celery.app.trace", "celery.beat")
_RESULTS_SLOTS = 2
_SUITES_SLOTS = 4
_PATIENCE = 60.0


@click.group()
def worker() -> None:
    """Start the processes that carry the work."""


_config = click.option(
    "--config",
    "config_path",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="worker_configs/<lab>.toml",
)
_patience = click.option(
    "--patience", default=_PATIENCE, show_default=True, help="Seconds to wait for the broker and the database."
)


@worker.command()
@_config
@_patience
@click.option("--take-over", is_flag=True, help="Do not look whether another worker serves the lab; it will give way.")
def run(config_path: Path, patience: float, take_over: bool) -> None:
    """Serve one lab: take what its free hosts can run."""
    config = lab_config.load(config_path)
    installed = ready(patience)
    if not take_over:
        succession.await_turn(config.name, installed.beat_every)
    serve(lab_worker.LabWorker(config, installed))


def serve(served: lab_worker.LabWorker) -> None:
    """Be the worker of one lab until told to stop."""
    config = served.config
    served.start()
    lab_worker.serve(served)
    app.label_queues = served.queues
    app.steps["consumer"].add(LabelQueueStep)
    app.steps["worker"].add(_EndOfChildren)
    Keeper(served).start()
    try:
        _consume(f"lab.{config.name}", [wakes.lab_queue(config.name)], config.slots)
    finally:
        served.stop()
        served.sign_off()


@worker.command()
@_config
@_patience
def results(config_path: Path, patience: float) -> None:
    """Parse and store what the tests of one lab left."""
    config = lab_config.load(config_path)
    ready(patience)
    _consume(f"results.{config.name}", [wakes.results_queue(config.name)], _RESULTS_SLOTS)


@worker.command()
@_patience
def suites(patience: float) -> None:
    """Create and close suites, and look after what nobody else does."""
    ready(patience)
    _consume("suites", [wakes.SUITES_QUEUE, UPKEEP_QUEUE], _SUITES_SLOTS)


@worker.command()
@_patience
def beat(patience: float) -> None:
    """Ask for the sweep every few seconds."""
    installed = ready(patience)
    logging.getLogger(__name__).info("beat asks for the sweep every %g s", installed.sweep_every)
    app.Beat(loglevel="WARNING", quiet=True).run()


for _command in (check, labs, drain, undrain):
    worker.add_command(_command)


class _EndOfChildren(bootsteps.StartStopStep):
    """Ends every child once the worker shall stop, before Celery waits for the tasks that wait for them.

    Not in a handler of worker_shutting_down: that runs inside the signal handler, where a lock that the interrupted
    code holds is never released.
    """

    def close(self, worker: Any) -> None:
        lab_worker.current().stop()


def ready(patience: float) -> Settings:
    """Logging, the broker and the database, or one line that names what does not answer."""
    start_logging()
    signals.setup_logging.connect(lambda **_: None, weak=False)
    config = settings.load()
    database.connect(config.database_url)
    database.wait_until_reachable(patience)
    with database.connection():
        schema.require_current()
    _require_kept(config, broker_facts.wait_until_reachable(config, patience))
    return config


def start_logging() -> None:
    """To stderr; of what Celery tells message by message only the warnings."""
    logging.basicConfig(level=logging.INFO, format=_FORMAT, stream=sys.stderr)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)


def _require_kept(config: Settings, facts: broker_facts.Facts) -> None:
    address = settings.shown(config.broker)
    reason = broker_facts.evicts(facts)
    if reason:
        raise errors.ConfigError(f"the broker {address} cannot be used: {reason}")
    if facts.policy is None:
        logging.getLogger(__name__).warning(
            "the broker %s does not say whether it throws keys away; its maxmemory-policy must be noeviction", address
        )


def _settle(**_: Any) -> None:
    """What was imported and built until now stays: else the collector goes through all of it every now and then, and
    everything stands still for a tenth of a second."""
    gc.collect()
    gc.freeze()


def _consume(name: str, queues: list[str], slots: int) -> None:
    signals.worker_ready.connect(_settle, weak=False)
    app.steps["consumer"].add(Watchdog)
    process: Any = app.Worker(
        hostname=f"{name}@{socket.gethostname()}",
        pool="threads",
        concurrency=slots,
        queues=queues,
        loglevel="INFO",
        quiet=True,
        without_gossip=True,
        without_mingle=True,
        task_events=True,
    )
    process.start()
    if process.exitcode:
        sys.exit(process.exitcode)
