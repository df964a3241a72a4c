"""Autotest: tests every build on a lab of real machines.

This file travels to the DUT inside the client, where there is no Celery and Python may be 3.6, so it imports
nothing. ``autotest.create_suite_job`` and its neighbours are handed out lazily from :mod:`autotest.api`.
"""

__version__ = "0.1.0"

_FRONT_DOOR = (
    "abort_jobs",
    "create_job",
    "create_suite_job",
    "lock_host",
    "unlock_host",
    "wait_for_suite",
)


def __getattr__(name):
    if name not in _FRONT_DOOR:
        raise AttributeError("module 'autotest' has no attribute %r" % name)
    import importlib

    return getattr(importlib.import_module("autotest.api"), name)


def __dir__():
    return sorted(list(globals()) + list(_FRONT_DOOR))
