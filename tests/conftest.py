"""What all tests share: the hypothesis profile, and with CI=true a skipped test is a failure."""

from __future__ import annotations

import os

import hypothesis
import pytest

pytest_plugins = ["servers.databases"]

IN_CI = os.environ.get("CI") == "true"

# Shared machines stall at times: a deadline would test the machine.
hypothesis.settings.register_profile("default", deadline=None, max_examples=50)
hypothesis.settings.register_profile("ci", deadline=None, max_examples=200, derandomize=True)
hypothesis.settings.load_profile("ci" if IN_CI else "default")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if IN_CI and exitstatus == pytest.ExitCode.OK and reporter and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skipped = terminalreporter.stats.get("skipped")
    if IN_CI and skipped:
        terminalreporter.write_line(f"CI=true and {len(skipped)} skipped: nothing may be skipped there", red=True)
