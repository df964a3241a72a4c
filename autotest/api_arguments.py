"""Arguments of API calls: checked, and brought into the shape that the scheduler takes; no database."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from autotest import errors, states
from autotest.host_info import HostInfo
from autotest.scheduler.suite_request import Asked
from autotest.states import Priority, Protection
from autotest.suite import arguments, spec
from autotest.suite.spec import SuiteSpec

#: Entry statuses after which nothing follows.
FINAL = frozenset(status.value for status in states.FINAL)
#: Rows that a list has unless the caller says otherwise.
PAGE = 50

_HOSTNAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,253}")
_NAME_LENGTH, _ATTRIBUTE_LENGTH, _VALUE_LENGTH = 255, 90, 1024
#: Keyvals that a suite or the scheduler writes itself.
_OWN = frozenset(
    {
        "build",
        "builds",
        "suite",
        "board",
        "pool",
        "num",
        "suite_min_duts",
        "offload_failures_only",
        "test_source_build",
        "run_prod_code",
        "parent_job_id",
        "retry_original_job_id",
        "experimental",
        "download_started_time",
        "payload_finished_time",
        "artifact_finished_time",
        "scheduled_test_count",
        "scheduled_test_names",
        "job_queued",
        "job_started",
        "job_finished",
        "aborted_by",
        "aborted_on",
        "user",
        "label",
        "hostname",
        "status_version",
    }
)
#: Section 4.6, without the build's own version: ``trybot-lumpy-release/R50-1.0.0``.
_BUILD_NAME = re.compile(
    r"(?:trybot-)?(?P<board>[\w-]+?)(?:-chrome|-chromium)?-\w+/(?:R\d+-[\d.ab-]+|LATEST)",
    re.IGNORECASE,
)
_INJECT_BEGIN = "# INJECT_BEGIN - DO NOT DELETE THIS LINE"
_INJECT_END = "# INJECT_END - DO NOT DELETE LINE"
#: How checks that a suite file meets as well begin what they say: with its call, or with the argument's name.
_CALL = re.compile(r"reimage_and_run\(\) needs (?P<key>\w+)(?:=\w+: |=| of )|(?P<name>\w+): ")
_TEXTS = ("suite_name", "board", "build", "pool", "test_source_build", "control_file", "owner")
_DICTS = ("suite_args", "test_args", "job_keyvals", "builds")
_MINUTES = 60
_LONGEST_DATA = 32_000


@dataclasses.dataclass(frozen=True)
class SuiteRequest:
    """The arguments of create_suite_job as they were given (control-files-and-suites.md section 4.1)."""

    suite_name: str
    board: str
    build: str
    owner: str
    pool: str = ""
    control_file: str = ""
    check_hosts: bool = True
    num: int | None = None
    file_bugs: bool = False
    timeout: int = 24
    timeout_mins: int | None = None
    priority: int | str = Priority.DEFAULT
    suite_args: Mapping[str, Any] | None = None
    wait_for_results: bool = True
    job_retry: bool = False
    max_retries: int | None = None
    max_runtime_mins: int | None = None
    suite_min_duts: int = 0
    offload_failures_only: bool = False
    builds: Mapping[str, str] | None = None
    test_source_build: str | None = None
    run_prod_code: bool = False
    delay_minutes: int = 0
    is_cloning: bool = False
    child_dependencies: Sequence[str] = ()
    job_keyvals: Mapping[str, str] | None = None
    test_args: Mapping[str, Any] | None = None


def asked(request: SuiteRequest) -> Asked:
    """*request* as the scheduler takes it. Raises ValidationError with one message for each argument that does not
    fit, and ControlFileEmpty or ControlFileMalformed for a control file that holds no text."""
    misshapen = _misshapen(request)
    if misshapen:
        raise errors.ValidationError(misshapen)
    builds = _builds(request)
    board = request.board or _board_of(builds)
    limit = request.timeout * _MINUTES if _is_number(request.timeout) else 0
    fields = {
        "name": request.suite_name,
        "board": board,
        "builds": builds,
        "owner": request.owner,
        "pool": request.pool or "",
        "check_hosts": request.check_hosts,
        "num": request.num,
        "file_bugs": request.file_bugs,
        "priority": request.priority,
        "max_runtime_mins": request.max_runtime_mins or limit,
        "timeout_mins": request.timeout_mins or limit,
        "child_dependencies": request.child_dependencies or (),
        "wait_for_results": request.wait_for_results,
        "job_retry": request.job_retry,
        "max_retries": request.max_retries,
        "suite_min_duts": request.suite_min_duts,
        "offload_failures_only": request.offload_failures_only,
        "run_prod_code": request.run_prod_code,
        "delay_minutes": request.delay_minutes,
        "job_keyvals": dict(request.job_keyvals or {}),
        "test_args": dict(request.test_args or {}),
    }
    problems = {**_problems(request, board, builds), **_argument_problems({**fields, "is_cloning": request.is_cloning})}
    if problems:
        raise errors.ValidationError(problems)
    if not request.run_prod_code or request.test_source_build:
        fields["test_source_build"] = _source(request, builds)
    try:
        found = SuiteSpec.from_json(fields)
        found.arguments(request.suite_args)
    except errors.SuiteArgumentException as problem:
        raise errors.ValidationError({_key(problem): _plain(problem)}) from problem
    return Asked(found, dict(request.suite_args or {}), _text(request))


def without_injection(text: str) -> str:
    """*text* without what an earlier suite put before it, between its two markers (section 4.3)."""
    before, begin, rest = text.partition(_INJECT_BEGIN)
    _, end, after = rest.partition(_INJECT_END)
    return before + after.lstrip("\n\r\t ") if begin and end else text


def priority_number(priority: int | str) -> int:
    """A priority by name or number. Raises ValidationError."""
    try:
        return states.priority_of(priority)
    except (ValueError, AttributeError) as problem:
        raise errors.ValidationError({"priority": str(problem)}) from problem


def job_name(name: str) -> str:
    """*name* if a job can be called so. Raises ValidationError."""
    if not name.strip() or len(name) > _NAME_LENGTH or not name.isprintable():
        raise errors.ValidationError(
            {"name": f"{name[:40]!r} is not a name of 1 to {_NAME_LENGTH} printable characters"}
        )
    return name


def host_info(
    hostname: str, labels: Iterable[str], attributes: Mapping[str, str], platform: str | None, protection: int
) -> HostInfo:
    """A host on paper. Raises ValidationError with one message for each argument that does not fit."""
    names = list(labels)
    problems = {}
    if not _HOSTNAME.fullmatch(hostname):
        problems["hostname"] = f"{hostname!r} is not a host name"
    bad = [name for name in [*names, *([platform] if platform is not None else [])] if not arguments.is_label(name)]
    if bad:
        problems["labels"] = f"{bad[0]!r} is not a label of 1 to {_NAME_LENGTH} printable characters without comma"
    for key, value in attributes.items():
        if not key or len(key) > _ATTRIBUTE_LENGTH or len(value) > _VALUE_LENGTH:
            problems["attributes"] = (
                f"{key[:40]!r} must fit {_ATTRIBUTE_LENGTH} and its value {_VALUE_LENGTH} characters"
            )
    if protection not in list(Protection):
        problems["protection"] = f"must be 0 to {max(Protection)}, not {protection!r}"
    if problems:
        raise errors.ValidationError(problems)
    return HostInfo(hostname, frozenset(names), dict(attributes), platform, int(protection))


def _misshapen(request: SuiteRequest) -> dict[str, str]:
    """One message for each argument of which nothing further can be asked."""
    found: dict[str, str] = {}
    for name in _TEXTS:
        if not isinstance(getattr(request, name), str | None):
            found[name] = f"must be text, not {getattr(request, name)!r:.60}"
    for name in _DICTS:
        value = getattr(request, name)
        if value is not None and not (isinstance(value, Mapping) and all(isinstance(key, str) for key in value)):
            found[name] = f"must be a dict by text, not {value!r:.60}"
    if "builds" not in found and not all(isinstance(build, str) for build in (request.builds or {}).values()):
        found["builds"] = f"must be the names of builds by the prefix of their labels, not {request.builds!r:.60}"
    if not isinstance(request.child_dependencies, list | tuple | set | frozenset | None):
        found["child_dependencies"] = f"must be a list of labels, not {request.child_dependencies!r:.60}"
    return found


def _problems(request: SuiteRequest, board: str, builds: Mapping[str, str]) -> dict[str, str]:
    """What the arguments say that a SuiteSpec has no field for, or that two of them say together."""
    found: dict[str, str] = {}
    given = {"suite_name": request.suite_name, "board": board, "build": "".join(builds.values())}
    for name, value in given.items():
        if not (value or "").strip():
            found[name] = "must be given"
    main = builds.get(spec.PLAIN) or builds.get(spec.CROS)
    if request.build and main != request.build:
        found["builds"] = f"{main} is not build {request.build}; name the build once"
    if not found:
        job = f"{request.test_source_build or main or ''}-test_suites/control.{request.suite_name}"
        if len(job) > _NAME_LENGTH or not job.isprintable():
            found["suite_name"] = f"the job's name {job[:60]!r} must be at most {_NAME_LENGTH} printable characters"
        elif "/" in request.suite_name:
            found["suite_name"] = f"{request.suite_name!r} is not the name of a suite"
    for name, least in {"timeout": 1, "timeout_mins": 0, "max_runtime_mins": 0}.items():
        value = getattr(request, name)
        if value is not None and (not _is_number(value) or value < least):
            found[name] = f"must be a number of at least {least}, not {value!r}"
    bad = [label for label in request.child_dependencies or () if not arguments.is_label(label)]
    if bad:
        found["child_dependencies"] = f"{bad[0]!r:.60} is not a label"
    reserved = sorted(_OWN & set(request.job_keyvals or {}))
    if reserved:
        found["job_keyvals"] = f"{', '.join(reserved)} is written by the suite itself"
    if request.max_retries is not None and not request.job_retry:
        found["max_retries"] = "has no effect without job_retry"
    for name in ("suite_args", "test_args"):
        try:
            length = len(json.dumps(dict(getattr(request, name) or {})))
        except (TypeError, ValueError, RecursionError) as problem:
            found[name] = f"must be data that JSON can hold: {problem}"
        else:
            # A test gets its arguments on a command line.
            if length > _LONGEST_DATA:
                found[name] = f"has {length} characters as JSON, of {_LONGEST_DATA} at most"
    return found


def _argument_problems(fields: Mapping[str, Any]) -> dict[str, str]:
    """One message for each field that cannot be what it is."""
    found: dict[str, str] = {}
    for name, check in _CHECKS.items():
        if fields[name] is None:
            continue
        try:
            check(name, fields[name])
        except errors.SuiteArgumentException as problem:
            found[name] = _plain(problem)
    return found


_CHECKS: dict[str, Callable[[str, object], Any]] = {
    "pool": arguments.text,
    "check_hosts": arguments.flag,
    "num": arguments.count(1),
    "file_bugs": arguments.flag,
    "priority": arguments.priority,
    "wait_for_results": arguments.flag,
    "job_retry": arguments.flag,
    "max_retries": arguments.count(0),
    "suite_min_duts": arguments.count(0),
    "offload_failures_only": arguments.flag,
    "run_prod_code": arguments.flag,
    "delay_minutes": arguments.count(0),
    "is_cloning": arguments.flag,
    "job_keyvals": arguments.mapping,
    "test_args": arguments.test_args,
}


def _key(problem: errors.SuiteArgumentException) -> str:
    """The argument that an error of a suite file's call is about."""
    said = _CALL.match(str(problem))
    return (said["key"] or said["name"]) if said else "arguments"


def _plain(problem: errors.SuiteArgumentException) -> str:
    """An error of a suite file's call, for one who made another call."""
    return _CALL.sub(lambda said: "" if said[0].endswith(": ") else "must be ", str(problem), count=1)


def _builds(request: SuiteRequest) -> dict[str, str]:
    """Every build by its label's prefix; *build* alone is a plain one, and goes first."""
    given = dict(request.builds or {})
    if not request.build or spec.PLAIN in given or spec.CROS in given:
        return given
    return {spec.PLAIN: request.build, **given}


def _board_of(builds: Mapping[str, str]) -> str:
    """The board that the name of the device's build begins with; '' when it does not say."""
    found = _BUILD_NAME.fullmatch(builds.get(spec.CROS) or builds.get(spec.PLAIN) or "")
    return found["board"] if found else ""


def _source(request: SuiteRequest, builds: Mapping[str, str]) -> str:
    try:
        return spec.source_build(builds, request.test_source_build)
    except errors.SuiteArgumentException as problem:
        raise errors.ValidationError({"test_source_build": str(problem)}) from problem


def _text(request: SuiteRequest) -> str:
    """The text of the suite's control file, '' for the one in the build."""
    if not request.control_file:
        return ""
    text = without_injection(request.control_file) if request.is_cloning else request.control_file
    if not text.strip():
        raise errors.ControlFileEmpty("the control file that was given holds no text")
    try:
        text.encode()
    except UnicodeEncodeError as problem:
        raise errors.ControlFileMalformed(f"the control file that was given is no text: {problem.reason}") from problem
    return text


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
