"""What every API call stands on: the installation it works on, a database connection, and the wakes that follow."""

from __future__ import annotations

import contextlib
import getpass
import logging
import threading
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from celery import Celery

from autotest import celery as broker
from autotest import errors, settings
from autotest.models import database, schema
from autotest.scheduler.wakes import Wake
from autotest.settings import Settings

#: Seconds in which a database that does not answer is tried again.
PATIENCE = 5.0
#: A worker that was not seen for so many of its beats is taken for dead in lists.
_BEATS = 6

_log = logging.getLogger(__name__)
_binding = threading.Lock()
_bound: Installation | None = None


class Installation(NamedTuple):
    """What the calls work on."""

    settings: Settings
    celery: Celery

    @property
    def dead_after(self) -> float:
        """Seconds of silence after which a worker is taken for dead."""
        return _BEATS * self.settings.beat_every


def bind(config: Settings, celery: Celery | None = None) -> None:
    """Work on the installation *config* from here on, instead of the one that settings.load() finds.

    *celery* is the app that wakes are sent with, if it is not the one that *config* describes. Raises
    DatabaseUnreachable, and ConfigError when the database is not migrated.
    """
    global _bound
    with _binding:
        _bound = _installation(config, celery)


def installed() -> Installation:
    """The installation that was bound; without one, what settings.load() finds, bound now. Raises as :func:`bind`."""
    global _bound
    with _binding:
        if _bound is None:
            _bound = _installation(settings.load(), None)
        return _bound


@contextlib.contextmanager
def session() -> Iterator[Installation]:
    """A connection for one call; a database that does not answer at once is tried again for PATIENCE seconds."""
    here = installed()
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(database.connection())
        except errors.DatabaseUnreachable:
            database.wait_until_reachable(PATIENCE)
            stack.enter_context(database.connection())
        yield here


def publish(woken: Iterable[Wake]) -> None:
    """Send wakes, after the commit. A broker that does not answer costs a warning."""
    try:
        broker.publish(woken, installed().celery)
    except errors.BrokerUnreachable as problem:
        _log.warning("%s; what was asked is written down, and the sweep wakes the workers later", problem)


def login() -> str:
    """The login name of whoever calls, for jobs and locks that name nobody."""
    try:
        return getpass.getuser()
    except (KeyError, OSError) as problem:
        raise errors.ValidationError({"owner": "this process has no login name; say who it acts for"}) from problem


def results_dir() -> str:
    """Where the results folders of this installation lie."""
    return str(installed().settings.results_dir)


def _installation(config: Settings, celery: Celery | None) -> Installation:
    database.connect(config.database_url)
    database.wait_until_reachable(PATIENCE)
    with database.connection():
        schema.require_current()
    if celery is None:
        same = str(broker.app.conf.broker_url) == config.broker
        celery = broker.app if same else broker.make_app(config)
    return Installation(config, celery)
