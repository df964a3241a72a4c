"""SuiteSpec: everything that one run of a suite asks for, checked, to and from JSON.

Fields and rules: control-files-and-suites.md sections 3.2 and 3.4. ``SuiteSpec.from_call`` takes the keyword arguments
of ``reimage_and_run`` as a suite control file gives them; ``arguments`` is what such a file finds in its ``args_dict``.
"""

from __future__ import annotations

import dataclasses
import keyword
from collections.abc import Mapping
from typing import Any

from autotest import errors, host_info
from autotest.control_file import ControlFile
from autotest.states import Priority
from autotest.suite import arguments, predicates
from autotest.suite.predicates import InSuite, Predicate

#: The prefix of a plain build's label, ``version:<build>``, and of the one that Chromium OS labs use.
PLAIN, CROS = "version", "cros-version"

_REQUIRED: dict[str, type] = {"board": str, "builds": dict, "name": str}
#: Keys that we put into ``args_dict`` for the file to read and that say nothing new when they come back.
_ECHOES = frozenset(("job", "build", "timeout", "owner"))
_RESERVED = _ECHOES | {"args_dict", "job_tag"}


@dataclasses.dataclass(frozen=True)
class SuiteSpec:
    """One suite for one board and its builds. Limits in minutes; what a field does is said beside it."""

    #: The suite; its members carry this name unless *predicate* says otherwise.
    name: str
    #: Without the prefix ``board:``.
    board: str
    #: Prefix of the version label -> build, in the caller's order; a plain build is ``{"version": build}``.
    builds: Mapping[str, str]
    owner: str = ""
    #: Without the prefix ``pool:``; '' takes hosts of any pool.
    pool: str = ""
    #: Refuse the suite unless enough live hosts could run it.
    check_hosts: bool = True
    #: Hosts that the suite may hold at a time; None is as many as are free.
    num: int | None = None
    #: Report results that are worse than GOOD to the bug tracker.
    file_bugs: bool = False
    priority: int = Priority.DEFAULT
    #: How long one child may run.
    max_runtime_mins: int = 1440
    #: After so long the suite and all of its children are complete.
    timeout_mins: int = 1440
    #: Labels that every child needs: the suite's own, and the caller's.
    suite_dependencies: tuple[str, ...] = ()
    child_dependencies: tuple[str, ...] = ()
    bug_template: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    #: Which tests are meant; None: those in suite *name*.
    predicate: Predicate | None = None
    wait_for_results: bool = True
    #: Run failed tests again, up to their JOB_RETRIES, and *max_retries* times in all; None is as often as they like.
    job_retry: bool = False
    max_retries: int | None = None
    #: Hosts that the suite is brought up to before others get a second one.
    suite_min_duts: int = 0
    #: Run every test on each available host, at most on *num_max* of them, instead of once on any.
    each_host: bool = False
    num_max: int | None = None
    offload_failures_only: bool = False
    #: The build that the control files come from; '' with run_prod_code alone.
    test_source_build: str = ""
    run_prod_code: bool = False
    #: How long to wait before the children are created.
    delay_minutes: int = 0
    job_keyvals: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    #: Reaches every child's ``args_dict``.
    test_args: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    #: Run EXPERIMENTAL tests beside the others; False leaves them out.
    add_experimental: bool = True
    #: The dev server to ask; '' is whichever serves the build.
    devserver_url: str = ""

    @property
    def build(self) -> str:
        """The build that the control files come from; the device's where there is none (run_prod_code)."""
        return self.test_source_build or self.device_build

    @property
    def device_build(self) -> str:
        """The build that the hosts are brought to: that of cros-version, of version, or the first one."""
        return self.builds.get(CROS) or self.builds.get(PLAIN) or next(iter(self.builds.values()), "")

    @property
    def version_labels(self) -> list[str]:
        """One ``<prefix>:<build>`` for each build; what a provisioner puts onto a host, never a restriction."""
        return [f"{prefix}:{build}" for prefix, build in self.builds.items() if build]

    @property
    def place(self) -> list[str]:
        """The labels that every child needs, apart from versions and its own DEPENDENCIES."""
        pool = [f"pool:{self.pool}"] if self.pool else []
        return [f"board:{self.board}", *pool, *self.suite_dependencies, *self.child_dependencies]

    def needs(self, test: ControlFile) -> list[str]:
        """All labels of the child that runs *test*, sorted (section 7.4)."""
        return sorted({*test.dependencies, *self.place, *self.version_labels})

    @property
    def wanted(self) -> Predicate:
        """The predicate that decides: the suite's own, or membership by name."""
        return self.predicate or InSuite(self.name)

    def arguments(self, suite_args: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """What the suite control file finds in ``args_dict`` (section 4.3), *suite_args* last: they override any of it.

        Raises SuiteArgumentException for a key of *suite_args* that is no variable's name, or that is not the
        caller's to set, and for values that JSON cannot hold.
        """
        extra = arguments.mapping("suite_args", dict(suite_args or {}))
        for key in extra:
            if not key.isidentifier() or keyword.iskeyword(key) or key.startswith("__") or key in _RESERVED:
                raise errors.SuiteArgumentException(f"suite_args: {key!r} cannot be the name of an argument")
        given = {key: value for key, value in self.to_json().items() if key != "name"}
        if self.predicate is None:
            del given["predicate"]
        return {**given, "build": self.build, "timeout": self.timeout_mins / 60, **extra}

    def to_json(self) -> dict[str, Any]:
        """A JSON object with one key a field."""
        data = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        for name, value in data.items():
            if isinstance(value, Mapping):
                data[name] = dict(value)
            elif isinstance(value, tuple):
                data[name] = list(value)
        data["predicate"] = None if self.predicate is None else self.predicate.to_json()
        data["priority"] = int(self.priority)
        return data

    @classmethod
    def from_json(cls, data: object) -> SuiteSpec:
        """The inverse of to_json. Raises SuiteArgumentException for anything else, unknown keys included."""
        if not isinstance(data, Mapping):
            raise errors.SuiteArgumentException(f"a SuiteSpec is a JSON object, not {type(data).__name__}")
        unknown = sorted(str(key) for key in data if key not in _CHECKS)
        if unknown:
            raise errors.SuiteArgumentException(f"not a SuiteSpec: unknown keys {', '.join(unknown)}")
        return cls._checked(data)

    @classmethod
    def from_call(cls, keywords: Mapping[str, Any]) -> tuple[SuiteSpec, list[str]]:
        """The spec that ``reimage_and_run(**keywords)`` means, and a note for each keyword that has no effect.

        None stands for the default. Raises SuiteArgumentException, "reimage_and_run() needs <key>=<type>", for a
        required keyword that is missing, empty or of another type, and for values that do not fit.
        """
        known = {key: value for key, value in keywords.items() if key in _CHECKS}
        spec = cls._checked({**known, "owner": known.get("owner")})
        ignored = [key for key in keywords if key not in _CHECKS and key not in _ECHOES]
        return spec, [f"Ignored key {key} was passed to suite {spec.name}" for key in ignored]

    @classmethod
    def _checked(cls, given: Mapping[str, Any]) -> SuiteSpec:
        for key, kind in _REQUIRED.items():
            if not given.get(key) or not isinstance(given[key], (Mapping if kind is dict else kind)):
                raise errors.SuiteArgumentException(f"reimage_and_run() needs {key}={kind.__name__}")
        fields = {key: _CHECKS[key](key, value) for key, value in given.items() if value is not None}
        if not fields.get("test_source_build") and not fields.get("run_prod_code"):
            fields["test_source_build"] = source_build(fields["builds"])
        return cls(**fields)


def source_build(builds: Mapping[str, str], test_source_build: str | None = None) -> str:
    """The build that control files come from (section 3.4): the explicit one, else that of cros-version without a
    trailing ``-cheetsth``, else that of version. Raises SuiteArgumentException when there is none of them."""
    found = test_source_build or (builds.get(CROS) or "").removesuffix("-cheetsth") or builds.get(PLAIN)
    if not found:
        raise errors.SuiteArgumentException("test_source_build must be specified if CrOS build is not specified.")
    return found


def _builds(key: str, value: object) -> dict[str, str]:
    builds = arguments.mapping(key, value)
    for prefix, build in builds.items():
        if not arguments.is_label(f"{prefix}:{build}") or not host_info.is_version(f"{prefix}:x") or ":" in prefix:
            raise errors.SuiteArgumentException(
                f"reimage_and_run() needs {key}=dict of builds by version or <what>-version, "
                f"not {prefix[:40]!r}: {str(build)[:100]!r}"
            )
        if not isinstance(build, str):
            raise errors.SuiteArgumentException(f"reimage_and_run() needs {key}=dict; {prefix} must be text")
    return builds


def _predicate(key: str, value: object) -> Predicate:
    return value if isinstance(value, Predicate) else predicates.from_json(value)


_CHECKS: dict[str, Any] = {
    "name": arguments.word,
    "board": arguments.word,
    "builds": _builds,
    "owner": arguments.text,
    "pool": arguments.text,
    "check_hosts": arguments.flag,
    "num": arguments.count(1),
    "file_bugs": arguments.flag,
    "priority": arguments.priority,
    "max_runtime_mins": arguments.count(1),
    "timeout_mins": arguments.count(1),
    "suite_dependencies": arguments.labels,
    "child_dependencies": arguments.labels,
    "bug_template": arguments.mapping,
    "predicate": _predicate,
    "wait_for_results": arguments.flag,
    "job_retry": arguments.flag,
    "max_retries": arguments.count(0),
    "suite_min_duts": arguments.count(0),
    "each_host": arguments.flag,
    "num_max": arguments.count(1),
    "offload_failures_only": arguments.flag,
    "test_source_build": arguments.text,
    "run_prod_code": arguments.flag,
    "delay_minutes": arguments.count(0),
    "job_keyvals": arguments.mapping,
    "test_args": arguments.test_args,
    "add_experimental": arguments.flag,
    "devserver_url": arguments.text,
}
