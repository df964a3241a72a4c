"""The Flower application with the Lab tab in it, and the process that serves it.

No fork: Flower is subclassed and configured through its own functions. Which of its names we touch is held by
tests/unit/flower/test_contract.py, since Flower promises none of them.
"""

from __future__ import annotations

import atexit
import signal
from pathlib import Path
from typing import Any

from flower import app as flower_app
from flower import command, options, urls
from tornado.web import URLSpec

from autotest import errors
from autotest.celery import app as celery_app
from autotest.flower import lab_tab
from autotest.flower.overlay import OverlayLoader
from autotest.models import database
from autotest.settings import Settings

#: About 4.7 kB a task: 47 MB.
_MOST_TASKS = 10_000
_FORGET_WORKERS_S = 600
_CHOICES = (
    *(f"--max_tasks={_MOST_TASKS}", f"--purge_offline_workers={_FORGET_WORKERS_S}"),
    *("--tasks_columns=name,args,state,received,runtime,worker", "--logging=warning"),
)


class LabFlower(flower_app.Flower):
    """Flower, and the Lab tab of the installation *config*."""

    def __init__(self, config: Settings, **kwargs: Any):
        templates = OverlayLoader(Path(kwargs["template_path"]))
        super().__init__(template_loader=templates, **kwargs)
        # Tornado asks these before Flower's own, which end with a handler that catches all.
        self.add_handlers(r".*", [self._prefixed(each) for each in lab_tab.handlers(config, self.capp)])

    def _prefixed(self, handler: URLSpec) -> URLSpec:
        prefix = self.options.url_prefix
        return flower_app.rewrite_handler(handler, prefix) if prefix else handler


def run(config: Settings, address: str, port: int, login: str = "") -> None:
    """Serve Flower until SIGTERM or SIGINT; *login* is ``user:password``, '' for none.

    What $FLOWER_* and flowerconfig.py set holds, where it is not decided here. Raises ConfigError when the address
    cannot be had.
    """
    command.apply_env_options()
    # The password is no argument, so that no list of processes shows it.
    command.apply_options("autotest flower", [f"--address={address}", f"--port={port}", *_CHOICES])
    if login:
        options.options.basic_auth = [login]
    command.extract_settings()
    command.setup_logging()
    database.connect(config.database_url)
    served = LabFlower(config, options=options.options, capp=celery_app, **urls.settings)
    atexit.register(served.stop)
    signal.signal(signal.SIGTERM, command.sigterm_handler)
    try:
        served.start_http_server()
    except OSError as problem:
        raise errors.ConfigError(f"Flower cannot listen on {address}:{port}: {problem.strerror}") from problem
    try:
        served.start()
    except (KeyboardInterrupt, SystemExit):
        return
