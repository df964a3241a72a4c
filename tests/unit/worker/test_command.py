"""What the workers log: what happens, and not every message that travels."""

from __future__ import annotations

import logging

import pytest

from autotest.worker import command


@pytest.fixture
def loggers():
    """Loggers by name, which get their levels back."""
    levels = {}

    def by_name(name):
        logger = logging.getLogger(name)
        levels.setdefault(logger, logger.level)
        return logger

    yield by_name
    for logger, level in levels.items():
        logger.setLevel(level)


@pytest.mark.parametrize("name", ["celery.beat", "celery.worker.strategy", "celery.app.trace"])
def test_of_what_is_told_message_by_message_only_warnings_are_logged(loggers, caplog, name):
    chatty = loggers(name)
    for other in {"celery.beat", "celery.worker.strategy", "celery.app.trace"}:
        loggers(other)

    with caplog.at_level(logging.INFO):
        command.start_logging()
        chatty.info("Scheduler: Sending due task sweep")
        chatty.warning("the clock went back")
        logging.getLogger("celery.worker").info("ready")

    assert caplog.messages == ["the clock went back", "ready"]
