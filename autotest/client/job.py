"""The job as a control file sees it (test-api-and-hosts.md section 1.3)."""

import getpass
import os
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Sequence

from autotest.client import child, error, lifecycle, naming, parallel, process, reboot, state, steps
from autotest.client.status_log import StatusEntry, StatusLogger

_RESERVED = ("tag", "subdir_tag", "timeout", "master_testpath", "test_attributes", "run_cleanup")


class Options(NamedTuple):
    """How a run was started. Folders and files are paths on this machine."""

    results: str
    control: str
    state: str
    tests: Sequence[str] = ()
    args: Sequence[Any] = ()
    args_dict: Mapping[str, Any] = {}
    user: str = ""
    hostname: str = ""
    tag: str = "default"
    reboot_command: str = ""
    boot_id_file: str = reboot.DEFAULT_BOOT_ID_FILE
    tmp_dir: str = ""
    resume: bool = False


def _persistent(name: str, default: Any) -> Any:
    """A property that outlives a reboot."""

    def get(job: "Job") -> Any:
        return job.memory.get("global_properties", name, default)

    def keep(job: "Job", value: Any) -> None:
        job.memory.set("global_properties", name, value)

    return property(get, keep, doc=f"Kept across reboots; {default!r} at first.")


class Job:
    """One run of one control file on this machine."""

    automatic_test_tag = _persistent("automatic_test_tag", None)
    use_sequence_number = _persistent("use_sequence_number", False)
    run_test_cleanup = _persistent("run_test_cleanup", True)
    default_profile_only = _persistent("default_profile_only", False)
    last_boot_tag = _persistent("last_boot_tag", None)
    drop_caches_between_iterations = _persistent("drop_caches_between_iterations", False)
    _sequence_number = _persistent("_sequence_number", 0)
    _tag = _persistent("tag", None)

    def __init__(self, options: Options, memory: state.State, logger: StatusLogger):
        self.memory = memory
        self.logger = logger
        self.control = os.path.abspath(options.control)
        self.resultdir = os.path.abspath(options.results)
        beside = os.path.dirname(self.resultdir)
        self.tmpdir = os.path.abspath(options.tmp_dir or os.path.join(beside, "tmp"))
        os.makedirs(self.tmpdir, exist_ok=True)
        # control/<test>/control beside control/<test>/<test>.py is how tests are kept, so it works without --tests.
        default_root = os.path.dirname(os.path.dirname(self.control))
        self.test_roots = [os.path.abspath(root) for root in options.tests or [default_root]]
        self.autodir = self.clientdir = self.bindir = os.path.dirname(self.test_roots[0])
        self.testdir = self.test_roots[0]
        self.args = list(options.args)
        self.args_dict = dict(options.args_dict)
        self.user = options.user or _user_name()
        self.hostname = options.hostname
        self.machines = [options.hostname] if options.hostname else []
        self.num_tests_run = None
        self.num_tests_failed = None
        self._default_tag = options.tag
        self._contexts: List[str] = []
        self._inside_test = False
        self.reboots = reboot.Reboot(memory, logger, options.reboot_command, options.boot_id_file)
        self.namespace: Dict[str, Any] = {}
        self.engine = steps.StepEngine(
            memory, self.namespace, lambda name, reason: self.record("TEST_NA", None, name, reason)
        )

    @property
    def tag(self) -> str:
        """The tag of the run; what the control file sets outlives a reboot."""
        return self._default_tag if self._tag is None else self._tag

    @tag.setter
    def tag(self, value: str) -> None:
        self._tag = value

    def record(
        self,
        status_code: str,
        subdir: Optional[str],
        operation: Optional[str],
        status: object = "",
        optional_fields: Optional[Mapping[str, Any]] = None,
    ) -> None:
        """Write one status entry. Raises ValueError for what the log cannot hold."""
        text = str(status)
        self.logger.record(StatusEntry(status_code, subdir or "", operation or "", text, dict(optional_fields or {})))

    def run_test(self, url: str, *args: Any, **dargs: Any) -> bool:
        """Run one test: True if it ended GOOD. Raises JobError only."""
        return self.run_test_detail(url, *args, **dargs) == "GOOD"

    def run_test_detail(self, url: str, *args: Any, **dargs: Any) -> str:
        """Run one test: "GOOD", or the status of what it raised. Raises JobError only.

        Keywords: tag, subdir_tag, timeout (seconds), master_testpath, test_attributes, run_cleanup; others are the
        test's own. TestError is raised when the folder of the test exists already.
        """
        reserved = {name: dargs.pop(name) for name in _RESERVED if name in dargs}
        tags = self._tags(reserved.get("tag"))
        name = naming.build(url, tags, reserved.get("subdir_tag") or "", reserved.get("master_testpath") or "")
        outputdir = naming.make_outputdir(self.resultdir, name.subdir)
        timeout = reserved.get("timeout")
        call = lifecycle.Call(
            url,
            outputdir,
            args,
            dargs,
            dict(reserved.get("test_attributes") or {}),
            bool(reserved.get("run_cleanup", self.run_test_cleanup)),
        )
        try:
            fields = {"timeout": timeout} if timeout else {}
            self._group(name.subdir, name.name, fields, lambda: self._run_call(name, call, timeout))
        except error.TestBaseException as reason:
            return reason.exit_status
        return "GOOD"

    def _tags(self, tag: Optional[object]) -> List[str]:
        tags = [str(tag) if tag else ""]
        if self.use_sequence_number:
            self._sequence_number += 1
            tags.append("_%02d_" % self._sequence_number)
        return [*tags, self.automatic_test_tag or ""]

    def _run_call(self, name: naming.TestName, call: lifecycle.Call, timeout: Optional[float]) -> None:
        def inside() -> None:
            self._inside_test = True
            lifecycle.run(self, call)

        reports = os.path.join(self.resultdir, "debug")
        os.makedirs(reports, exist_ok=True)
        try:
            child.run(inside, reports, self.tmpdir, float(timeout) if timeout else None)
        except error.TestBaseException as reason:
            self.record(reason.exit_status, name.subdir, name.name, error.describe(reason))
            raise
        self.record("GOOD", name.subdir, name.name, "completed successfully")

    def run_group(self, function: Callable[..., Any], tag: Optional[str] = None, **dargs: Any) -> Any:
        """Call *function* inside a group of the status log and return its value.

        Raises what *function* raises; an exception nobody expected as UnhandledTestError.
        """
        return self._group("", tag or function.__name__, {}, lambda: function(**dargs))

    def _group(self, subdir: str, operation: str, fields: Dict[str, Any], function: Callable[[], Any]) -> Any:
        self.record("START", subdir, operation, "", fields)
        try:
            result = function()
        except error.TestBaseException as reason:
            self.record("END " + reason.exit_status, subdir, operation)
            raise
        except error.JobError:
            self.record("END ABORT", subdir, operation)
            raise
        except Exception as reason:
            self.record("END ERROR", subdir, operation, f"{error.describe(reason)}\n{error.format_error()}")
            raise error.UnhandledTestError(reason) from reason
        self.record("END GOOD", subdir, operation)
        return result

    def parallel(self, *tasks: Sequence[Any]) -> None:
        """Call each ``[function, arg...]`` in a process of its own. Raises JobError when any of them raised."""
        parallel.run(self.logger, tasks)

    def next_step(self, step: steps.StepRef, *args: Any, **kwargs: Any) -> None:
        """Queue a step behind those that the running step queued. Raises StepError for what no restart could find."""
        self.engine.next_step(step, args, kwargs)

    def next_step_append(self, step: steps.StepRef, *args: Any, **kwargs: Any) -> None:
        """Queue a step behind all others."""
        self.engine.append(step, args, kwargs)

    def next_step_prepend(self, step: steps.StepRef, *args: Any, **kwargs: Any) -> None:
        """Queue a step before all others."""
        self.engine.prepend(step, args, kwargs)

    def quit(self) -> None:
        """Pause the run here; ``--continue`` goes on with the next step."""
        self._refuse_inside_test("quit")
        raise error.JobContinue("more to come")

    def start_reboot(self) -> None:
        """Record the start of a reboot whose end the control file records itself, by end_reboot."""
        self.reboots.record_start()

    def reboot(self, tag: Optional[str] = None) -> None:
        """Reboot and pause; ``--continue`` checks that the machine did boot. Raises JobError if it cannot."""
        self._refuse_inside_test("reboot")
        if tag is not None:
            self.last_boot_tag = tag
        self.reboots.launch()
        self.quit()

    def end_reboot(self, subdir: Optional[str], kernel: str, patches: Sequence[Any] = ()) -> None:
        """Record the end of a reboot that start_reboot began. A patch is text, or its parts."""
        texts = [patch if isinstance(patch, str) else " ".join(map(str, patch)) for patch in patches]
        self.reboots.record_end(subdir or "", kernel, texts)

    def _refuse_inside_test(self, what: str) -> None:
        if self._inside_test:
            raise error.TestError(f"job.{what}() works in the control file, not inside a test; make it a step")

    def set_state(self, name: str, value: Any) -> None:
        """Keep a plain value across reboots. Raises TypeError for any other."""
        self.memory.set("public", name, value)

    def get_state(self, name: str, *default: Any) -> Any:
        """A copy of what set_state kept, else *default*. Raises KeyError when there is neither."""
        return self.memory.get("public", name, *default)

    def push_execution_context(self, folder: str) -> None:
        """Let results go into *folder* below the present resultdir until pop_execution_context."""
        self._contexts.append(self.resultdir)
        self.resultdir = os.path.join(self.resultdir, folder)
        os.makedirs(self.resultdir, exist_ok=True)

    def pop_execution_context(self) -> None:
        """Undo push_execution_context. Raises IndexError when there is nothing to undo."""
        self.resultdir = self._contexts.pop()

    def drop_caches(self) -> None:
        """Write back and drop the caches of the kernel (needs root)."""
        process.system("sync; echo 3 > /proc/sys/vm/drop_caches")

    def cpu_count(self) -> int:
        """How many CPUs this machine has online."""
        return os.cpu_count() or 1


def _user_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return str(os.getuid())
