"""The class that a test derives from (test-api-and-hosts.md section 2)."""

import os
import tempfile
import time
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence

from autotest.client import constraints as constraint_rules
from autotest.client import error, keyval, perf_chart


class test:
    """One test. A child sets ``version`` and overrides ``run_once`` and whichever hooks it needs."""

    preserve_srcdir = False
    network_destabilizing = False
    postprocess_profiled_run = False
    clock = staticmethod(time.monotonic)

    def __init__(self, job: Any, bindir: str, outputdir: str):
        self.job = job
        self.autodir = job.autodir
        self.bindir = bindir
        self.outputdir = outputdir
        self.tagged_testname = os.path.basename(outputdir)
        self.resultsdir = os.path.join(outputdir, "results")
        self.profdir = os.path.join(outputdir, "profiling")
        self.debugdir = os.path.join(outputdir, "debug")
        for folder in (self.resultsdir, self.profdir, self.debugdir):
            os.makedirs(folder, exist_ok=True)
        self.srcdir = os.path.join(job.tmpdir, type(self).__name__, "src")
        self.tmpdir = tempfile.mkdtemp(prefix=f"test-{os.getpid()}-", suffix="_" + self.tagged_testname, dir=job.tmpdir)
        self.iteration = 0
        self.success = False
        self.failed_constraints: List[str] = []
        self.before_iteration_hooks: List[Callable[[Any], None]] = []
        self.after_iteration_hooks: List[Callable[[Any], None]] = []
        self._rounds = 0
        self._new_perf: Optional[Dict[str, float]] = None

    def initialize(self) -> None:
        """First hook: called before anything else of the test."""

    def setup(self) -> None:
        """Builds what the test needs in ``srcdir``; called once a ``version``."""

    def warmup(self) -> None:
        """Called once before the iterations."""

    def before_run_once(self) -> None:
        """Called before each run_once."""

    def after_run_once(self) -> None:
        """Called after each run_once that succeeded."""

    def postprocess_iteration(self) -> None:
        """Called after each iteration, to turn raw output into keyvals."""

    def postprocess(self) -> None:
        """Called once after all iterations."""

    def cleanup(self) -> None:
        """Last hook: always called, unless the job says run_cleanup=False."""

    def drop_caches_between_iterations(self) -> None:
        """Drops the caches of the kernel before an iteration if the job says so."""
        if self.job.drop_caches_between_iterations:
            self.job.drop_caches()

    def register_before_iteration_hook(self, hook: Callable[[Any], None]) -> None:
        """Call *hook* with this test before each iteration, in order of registration."""
        self.before_iteration_hooks.append(hook)

    def register_after_iteration_hook(self, hook: Callable[[Any], None]) -> None:
        """Call *hook* with this test after each iteration, even one that failed."""
        self.after_iteration_hooks.append(hook)

    def execute(
        self,
        iterations: Optional[int] = None,
        test_length: Optional[float] = None,
        profile_only: Optional[bool] = None,
        postprocess_profiled_run: Optional[bool] = None,
        constraints: Sequence[str] = (),
        **dargs: Any,
    ) -> None:
        """Run all iterations: *iterations* times, or for *test_length* seconds, which wins."""
        if profile_only is None:
            profile_only = self.job.default_profile_only
        if test_length is not None:
            end = self.clock() + float(test_length)
            self._iterate(constraints, profile_only, dargs)
            while self.clock() < end:
                self._iterate(constraints, profile_only, dargs)
        else:
            for _ in range(1 if iterations is None else iterations):
                self.iteration += 1
                self._iterate(constraints, profile_only, dargs)
        self.postprocess()
        self.process_failed_constraints()

    def _iterate(self, constraints: Sequence[str], profile_only: bool, dargs: Dict[str, Any]) -> None:
        self._new_perf = None
        self.drop_caches_between_iterations()
        for hook in self.before_iteration_hooks:
            hook(self)
        try:
            if profile_only:
                message = "No profilers have been added but profile_only is set - nothing will be run"
                self.job.record("WARN", None, None, message)
            else:
                self.before_run_once()
                self.run_once(**dargs)  # type: ignore[attr-defined]  # every real test has one
                self.after_run_once()
                self.postprocess_iteration()
                self._check(constraints)
        finally:
            self._rounds += 1
            for hook in self.after_iteration_hooks:
                hook(self)

    def _check(self, constraints: Sequence[str]) -> None:
        if self._new_perf is None:
            return
        problems = [constraint_rules.problem(constraint, self._new_perf) for constraint in constraints]
        if any(problems):
            self.failed_constraints.append(f"iteration {self._rounds}:{','.join(filter(None, problems))}  ")

    def process_failed_constraints(self) -> None:
        """Raises TestFail that names every constraint which did not hold."""
        if self.failed_constraints:
            raise error.TestFail("".join(self.failed_constraints))

    def assert_(self, expr: object, msg: str = "Assertion failed.") -> None:
        """Raises TestError with *msg* unless *expr* is true."""
        if not expr:
            raise error.TestError(msg)

    def write_test_keyval(self, attr_dict: Mapping[str, object]) -> None:
        """Append attributes of the whole test. Raises ValueError for an illegal key."""
        keyval.append(os.path.join(self.outputdir, "keyval"), attr_dict)

    def write_iteration_keyval(self, attr_dict: Mapping[str, object], perf_dict: Mapping[str, Any]) -> None:
        """Append one iteration block. Raises ValueError for an illegal key."""
        keyval.write_iteration(os.path.join(self.resultsdir, "keyval"), attr_dict or {}, perf_dict or {})
        self._new_perf = dict(perf_dict or {})

    def write_attr_keyval(self, attr_dict: Mapping[str, object]) -> None:
        """Append one iteration block of attributes only."""
        self.write_iteration_keyval(attr_dict, {})

    def write_perf_keyval(self, perf_dict: Mapping[str, Any]) -> None:
        """Append one iteration block of numbers only."""
        self.write_iteration_keyval({}, perf_dict)

    def output_perf_value(
        self,
        description: str,
        value: Any,
        units: Optional[str] = None,
        higher_is_better: Optional[bool] = None,
        graph: Optional[str] = None,
        replacement: str = "_",
        replace_existing_values: bool = False,
    ) -> None:
        """Add a value to ``results/results-chart.json``; see :func:`autotest.client.perf_chart.add`."""
        path = os.path.join(self.resultsdir, "results-chart.json")
        perf_chart.add(path, description, value, units, higher_is_better, graph, replacement, replace_existing_values)
