"""Celery tasks: each is a door - a row's id in, one call, one row moved on.

Every message is only a wake-up: delivered twice, the second does nothing; lost, somebody sends it again.
"""

from autotest.tasks import dut, results, suites, upkeep

__all__ = ["dut", "results", "suites", "upkeep"]
