"""Suite control files that really run: the arguments and the tests that they are given."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from autotest.control_file import ControlFile
from autotest.suite import runner
from autotest.suite.runner import Decision
from autotest.suite.spec import SuiteSpec

PATH = "test_suites/control.kernel"
SPEC = SuiteSpec(name="kernel", board="pi4", builds={"version": "R7-1"}, owner="alice", pool="suites", num=4)
TESTS = [
    ControlFile(path="control/long/control", name="long", time="LONG", test_class="kernel", test_category="functional"),
    ControlFile(path="control/ping/control", name="ping", time="SHORT", test_class="network", suite="bvt,kernel"),
    ControlFile(path="control/quick/control", name="quick", time="FAST", test_class="kernel", suite="kernel"),
    ControlFile(path="control/try/control", name="try", time="FAST", suite="kernel", experimental=True),
]

Decide = Callable[..., Decision]


@pytest.fixture
def decide() -> Decide:
    """Runs one suite control file over TESTS; keywords are those of runner.decide, and suite_args."""

    def run(text: str, suite_args: dict[str, Any] | None = None, tests: Sequence[ControlFile] = TESTS, **limits: Any):
        return runner.decide(text, PATH, SPEC.arguments(suite_args), tests, **limits)

    return run
